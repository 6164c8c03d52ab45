"""Runs as a user starts them: what they leave, and what they survive."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from runs import (
    START_SECONDS,
    command,
    essence,
    finish,
    first_checkpoint,
    only_directory,
    start,
    stop,
    wait_for,
)
from terminal import terminal

from bnrepro.records.record import CURVE_COLUMNS, read_rows

# Everything that has a state: dropout, momentum, percentiles, a schedule, distortions.
RUN = (
    "model=mlp",
    "train_steps=1500",
    "dropout=0.2",
    "optimizer=momentum",
    "schedule=exponential",
    "distortion=0.5",
    "data.crop_padding=1",
    "data.flip=true",
    "percentiles.every=250",
    "percentiles.num_examples=50",
    "checkpoint_every=150",
    "evaluate_every=250",
    "save_predictions=true",
    "threads=1",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One uninterrupted run."""
    results = tmp_path_factory.mktemp("finished")
    done = finish(results, *RUN)
    return results, only_directory(results), done


def test_a_run_leaves_its_files_and_prints_its_row(finished):
    results, directory, done = finished
    # Of a checkout with changes there is the patch.
    names = {path.name for path in directory.iterdir()} - {"uncommitted.patch"}
    assert names == {
        "config.yaml",
        "record.json",
        "SHA256SUMS",
        "curve.csv",
        "percentiles.csv",
        "predictions.npz",
        "model.keras",
        "tensorboard",
    }
    assert "completed 1,500 steps" in done.stdout
    assert done.stdout.strip().endswith(str(directory))


def test_the_record_says_what_was_run_and_nothing_about_places(finished):
    _, directory, _ = finished
    text = (directory / "record.json").read_text()
    record = json.loads(text)
    assert record["status"] == "completed"
    assert record["train_steps"] == 1500
    environment = record["environment"]
    assert (environment["threads"], environment["from_step"]) == (1, 0)
    assert "train_steps=1500" in environment["overrides"]
    assert environment["variables"]["OMP_NUM_THREADS"] == "1"
    assert record["num_parameters"] == 28_010
    assert record["best_accuracy"] > 0.9
    assert set(record["seconds"]) == {
        "train", "evaluate", "score", "compile", "checkpoint", "population", "total",
    }  # fmt: skip
    assert record["seconds"]["total"] > record["seconds"]["train"]
    for place in (str(directory), "/tmp", '"results_dir"', '"root"'):
        assert place not in text


def test_predictions_are_probabilities_that_give_the_final_accuracy(finished):
    _, directory, _ = finished
    with np.load(directory / "predictions.npz") as stored:
        probabilities, labels = stored["probabilities"], stored["labels"]
    assert probabilities.dtype == np.float16
    np.testing.assert_allclose(probabilities.astype(float).sum(axis=1), 1, atol=5e-3)
    record = json.loads((directory / "record.json").read_text())
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    assert abs(accuracy - record["final_accuracy"]) < 0.01  # float16 ties


def test_a_finished_run_asked_for_again_prints_its_row_and_changes_nothing(finished):
    results, directory, done = finished
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    again = finish(results, *RUN)
    assert again.stdout.splitlines()[-2:] == done.stdout.splitlines()[-2:]
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


# Trains a run of each folder; before the last one it waits for a word.
_TRAIN = """
import sys
from bnrepro.config import backend
from bnrepro.config.composition import compose

*words, undisturbed, killed = sys.argv[1:]
runs = [compose([*words, f"results_dir={folder}"]) for folder in (undisturbed, killed)]
backend.select(runs[0].config)
from bnrepro import training

training.run(runs[0])
input()
training.run(runs[1])
"""


def test_a_run_killed_and_resumed_is_the_uninterrupted_one_to_the_bit(tmp_path):
    """The one kill of the quick tests, and a stretch in which another variable is set."""
    words = (*RUN, "backend=jax", "model.width=0.5", "train_steps=1000", "checkpoint_every=50",
             "tensorboard=false")  # fmt: skip
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    other = subprocess.Popen(
        [sys.executable, "-c", _TRAIN, *words, str(undisturbed), str(killed)],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"},
    )  # fmt: skip
    with other:
        process = start(killed, *words)
        wait_for(first_checkpoint(killed), process)
        assert stop(process, signal.SIGKILL) == -9
        directory = only_directory(killed)
        left = json.loads((directory / "record.json").read_text())
        _, said = other.communicate("go on\n", timeout=START_SECONDS)
    assert other.returncode == 0, said
    assert essence(directory) == essence(only_directory(undisturbed))
    assert "TF_ENABLE_ONEDNN_OPTS none, now 0; the record keeps both" in said
    record = json.loads((directory / "record.json").read_text())
    assert (left["status"], left["earlier_environments"]) == ("running", [])
    assert record["earlier_environments"] == [left["environment"]]
    assert left["environment"]["from_step"] == 0 < record["environment"]["from_step"]
    assert "TF_ENABLE_ONEDNN_OPTS" not in left["environment"]["variables"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGKILL, -9, id="SIGKILL"),
        pytest.param(signal.SIGINT, 130, id="SIGINT"),
    ],
)
def test_an_interrupted_run_ends_as_if_nothing_had_happened(finished, tmp_path, number, code):
    process = start(tmp_path, *RUN)
    wait_for(first_checkpoint(tmp_path), process)
    assert stop(process, number) == code
    directory = only_directory(tmp_path)
    if number is not signal.SIGKILL:
        record = json.loads((directory / "record.json").read_text())
        assert (record["status"], record["error"]) == ("interrupted", number.name)
        assert 0 < record["train_steps"] < 1500
    resumed = finish(tmp_path, *RUN, "threads=2")  # the number of threads at the start counts
    assert "resumed at step" in resumed.stderr
    assert essence(directory) == essence(finished[1])


@pytest.mark.slow
def test_a_signal_is_answered_in_the_middle_of_a_long_evaluation(tmp_path):
    """One that takes its statistics from hundreds of batches, at the first step."""
    words = ("model=inception", "batch_size=2", "batch_normalization.population_batches=10000")
    words = (*words, "batch_normalization.inference=population", "train_steps=20", "threads=1")
    with terminal(100) as (stream, shown):
        process = subprocess.Popen(command(tmp_path, *words), stdout=stream, stderr=stream)
        screen = []

        def is_evaluating():
            screen.append(shown())
            return "computing population statistics, " in "".join(screen)

        wait_for(is_evaluating, process)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(START_SECONDS) == 143
        # Ending takes a batch and saving the work: seconds, on a busy machine more.
        assert time.monotonic() - began < 60
        assert "the same command goes on from step 0" in " ".join(shown().split())
    record = json.loads((only_directory(tmp_path) / "record.json").read_text())
    assert (record["status"], record["train_steps"]) == ("interrupted", 0)
    assert record["best_accuracy"] is None and record["seconds"]["evaluate"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_no_library_speaks_in_a_run(backend, tmp_path):
    done = finish(tmp_path, "train_steps=20", f"backend={backend}", "threads=1")
    ours = re.compile(r"(loading|reading|building|compiling|evaluating|computing|saving|step) ")
    assert [line for line in done.stderr.splitlines() if not ours.match(line)] == []
    assert len(done.stdout.splitlines()) == 9


@pytest.mark.slow
def test_a_run_killed_after_its_last_step_ends_as_if_nothing_had_happened(finished, tmp_path):
    process = start(tmp_path, *RUN)
    last = "runs/*/seed_*/checkpoint/000000001500.ckpt"
    wait_for(lambda: any(tmp_path.glob(last)), process)
    assert stop(process, signal.SIGKILL) == -9
    finish(tmp_path, *RUN)
    assert essence(only_directory(tmp_path)) == essence(finished[1])


def test_a_run_that_diverges_at_its_first_evaluation_has_no_accuracy(tmp_path):
    words = ("model=mlp", "bn=none", "activation=relu", "initializer.scale=1e30", "threads=1")
    done = finish(tmp_path, *words, "backend=jax", "tensorboard=false")
    directory = only_directory(tmp_path)
    record = json.loads((directory / "record.json").read_text())
    assert (record["status"], record["diverged_at_step"]) == ("diverged", 1)
    accuracies = ("best_accuracy", "best_accuracy_step", "final_accuracy")
    assert [record[key] for key in accuracies] == [None, None, None]
    (row,) = read_rows(directory / "curve.csv", CURVE_COLUMNS)
    assert math.isnan(row[CURVE_COLUMNS.index("evaluation_accuracy")])
    assert "Warning" not in done.stderr and "nan" not in done.stderr + done.stdout


def test_a_divergence_is_a_result(tmp_path):
    done = finish(
        tmp_path, "model=mlp", "bn=none", "activation=relu", "learning_rate=1e30", "threads=1",
        "backend=jax",
    )  # fmt: skip
    directory = only_directory(tmp_path)
    record = json.loads((directory / "record.json").read_text())
    assert record["status"] == "diverged"
    assert record["train_steps"] == record["diverged_at_step"] <= 2
    assert record["final_accuracy_population"] is None
    assert "diverged" in done.stdout
