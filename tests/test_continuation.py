"""A longer run that goes on from a finished one is, to the bit, the run that was never stopped."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from hand_made_records import HandMade, write_run

from bnrepro import load_runs
from bnrepro.config.composition import compose
from bnrepro.records import checkpoint
from bnrepro.records.record import RecordError, read_record, write_record
from bnrepro.training import continuation

WORDS = [
    "model=mlp", "model.width=0.1", "evaluate_every=20", "dropout=0.2", "distortion=0.5",
    "optimizer=momentum", "schedule=cosine", "schedule.decay_steps=70", "bn=x1", "norms.every=15",
    "measures=[percentiles]", "checkpoint_every=25",
]  # fmt: skip
SHORTER = ["train_steps=40", "snapshots=[0,10]", "keep_checkpoint=true"]
LONGER = ["train_steps=80", "snapshots=[0,10,60]"]


@cache
def left(backend):
    return ask("continued", WORDS, SHORTER, LONGER, backend=backend, precision="float32")


def without_seconds(text):
    """The rows of `curve.csv` without their last column, which is a clock."""
    return [line.rpartition(",")[0] for line in text.splitlines()]


@JAX_AND_SLOWLY_TENSORFLOW
def test_it_ends_as_the_run_that_was_never_stopped(backend):
    _, longer, alone = left(backend)
    same = ("weights_digest", "best_accuracy", "final_accuracy", "final_accuracy_population",
            "train_steps", "status", "name", "config")  # fmt: skip
    assert {key: longer["record"][key] for key in same} == {
        key: alone["record"][key] for key in same
    }
    curves = [without_seconds(answer["files"].pop("curve.csv")) for answer in (longer, alone)]
    assert curves[0] == curves[1] and len(curves[0]) == 1 + 5
    assert longer["files"] == alone["files"] and "norms.csv" in longer["files"]
    assert longer["snapshots"].keys() == alone["snapshots"].keys() and len(alone["snapshots"]) == 3
    assert longer["snapshots"] == alone["snapshots"]


@JAX_AND_SLOWLY_TENSORFLOW
def test_the_record_says_from_where(backend):
    shorter, longer, alone = (answer["record"] for answer in left(backend))
    assert longer["continued_from"] == {
        "name": shorter["name"], "step": 40, "weights_digest": shorter["weights_digest"],
    }  # fmt: skip
    assert shorter["continued_from"] is alone["continued_from"] is None


def test_only_what_was_asked_to_keeps_its_last_checkpoint():
    shorter, longer, _ = left("jax")
    assert shorter["checkpoints"] == ["000000000040.ckpt"] and longer["checkpoints"] == []


# A beginning is known by its record and its checkpoint: hand-made ones will do.
RUN = ("bn=x1", "train_steps=400", "evaluate_every=100", "threads=1", "snapshots=[100]")


def finished(results, *words, **facts):
    directory = write_run(results, compose([*RUN, *words]), HandMade(lambda step: 0.5, **facts))
    step = read_record(directory).train_steps
    checkpoint.save(directory / "checkpoint", step, {"a": np.zeros(1)}, {})
    return directory


def beginning_of(results, *words):
    composition = compose([*RUN, "train_steps=800", *words, f"results_dir={results}"])
    return continuation.find(composition, pytest.fail)


@pytest.mark.parametrize(
    ("shorter", "longer", "goes_on"),
    [
        ([], [], True),
        ([], ["snapshots=[100,700]"], True),
        ([], ["device=cpu", "checkpoint_every=7", "tensorboard=false"], True),
        ([], ["snapshots=[100,200]"], False),
        ([], ["train_steps=400"], False),
        ([], ["train_steps=300"], False),
        ([], ["learning_rate=0.01"], False),
        ([], ["seed=1"], False),
        ([], ["threads=2"], False),
        ([], ["force=true"], False),
        ([], ["evaluate_every=200"], False),
        # Evaluated at its end, which is on no grid of the longer one.
        (["train_steps=350"], [], False),
        (["normalization=batch_renorm"], ["normalization=batch_renorm"], False),
        (["norms.every=50"], [], False),
    ],
)
def test_it_must_be_the_same_up_to_there(shorter, longer, goes_on, tmp_path):
    directory = finished(tmp_path, *shorter)
    found = beginning_of(tmp_path, *longer)
    assert (found is not None) == goes_on
    assert not goes_on or found.directory == directory


def test_the_longest_of_several_is_taken(tmp_path):
    finished(tmp_path)
    longest = finished(tmp_path, "train_steps=600")
    finished(tmp_path, "train_steps=500", status="interrupted")
    assert beginning_of(tmp_path).directory == longest


def test_what_cannot_be_read_is_passed_over(tmp_path):
    directory = finished(tmp_path)
    other = finished(tmp_path, "train_steps=600")
    (other / "record.json").write_text("{")
    assert beginning_of(tmp_path).directory == directory
    (next((directory / "checkpoint").iterdir())).write_bytes(b"damaged")
    heard = []
    composition = compose([*RUN, "train_steps=800", f"results_dir={tmp_path}"])
    assert continuation.find(composition, heard.append) is None
    assert len(heard) == 1 and "damaged checkpoint" in heard[0]


def test_a_record_from_before_means_no_beginning(tmp_path):
    directory = finished(tmp_path)
    path = directory / "record.json"
    text = path.read_text()
    assert '"continued_from": null' in text
    path.write_text(text.replace(',\n  "continued_from": null', ""))
    assert "continued_from" not in path.read_text()
    assert read_record(directory).continued_from is None
    path.write_text(path.read_text().replace('"best_accuracy": 0.5,', ""))
    with pytest.raises(RecordError, match="without best_accuracy"):
        read_record(directory)


def test_what_is_kept_is_not_part_of_what_a_run_is(tmp_path):
    assert compose(["keep_checkpoint=true"]).name == compose([]).name
    directory = finished(tmp_path, "keep_checkpoint=true")
    assert "keep_checkpoint" not in (directory / "record.json").read_text()


def test_where_a_run_began_is_read_with_the_records(tmp_path):
    directory = finished(tmp_path)
    record = read_record(directory)
    begun = {"name": "mlp", "step": 10, "weights_digest": "ab"}
    write_record(directory, replace(record, continued_from=begun))
    assert load_runs(tmp_path)["continued_from.step"].tolist() == [10]
