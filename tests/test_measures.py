"""Measures: rows that no interruption changes, one of one's own, and runs that are loaded again."""

import csv
import io
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask

PAGE = Path(__file__).parent.parent / "docs" / "measures.md"
WORDS = [
    "model=mlp", "model.width=0.1", "train_steps=200", "evaluate_every=100", "dropout=0.2",
    "distortion=0.5", "optimizer=momentum", "checkpoint_every=70", "norms.every=50",
    "measures=[percentiles]", "snapshots=[0,80,100,200]", "population.every=50",
]  # fmt: skip


def own_measure():
    """The class on the page."""
    (found,) = re.findall(r"^(import numpy.*?)^training\.run", PAGE.read_text(), re.M | re.S)
    return found


@cache
def measured(backend, interrupt_at=None):
    return ask("measured", WORDS, own_measure(), interrupt_at, backend=backend, precision="float32")


def rows(answer, name):
    return list(csv.DictReader(io.StringIO(answer["files"][f"{name}.csv"])))


@JAX_AND_SLOWLY_TENSORFLOW
def test_each_measure_leaves_its_rows_where_they_are_due(backend):
    answer = measured(backend)
    steps = {name: [int(row["step"]) for row in rows(answer, name)] for name in (
        "curve", "percentiles", "norms", "population", "gradient_cosine",
    )}  # fmt: skip
    assert steps["curve"] == [0, 100, 200]
    assert steps["percentiles"] == [0, 0, 100, 100, 200, 200]
    assert sorted(set(steps["norms"])) == steps["population"] == [0, 50, 100, 150, 200]
    assert steps["gradient_cosine"] == [*range(20, 201, 20)]


@JAX_AND_SLOWLY_TENSORFLOW
def test_population_scores_stand_beside_those_of_the_curve(backend):
    answer = measured(backend)
    scores = {row["step"]: row for row in rows(answer, "population")}
    for row in rows(answer, "curve"):
        assert scores[row["step"]]["moving_accuracy"] == row["evaluation_accuracy"]
        assert scores[row["step"]]["moving_loss"] == row["evaluation_loss"]
    last = float(scores["200"]["population_accuracy"])
    assert last == answer["record"]["final_accuracy_population"]
    # After 50 steps of momentum 0.99 much of what the averages began with is left.
    early = scores["50"]
    assert float(early["population_loss"]) < float(early["moving_loss"])


@JAX_AND_SLOWLY_TENSORFLOW
def test_norms_are_those_of_the_weights_that_a_snapshot_keeps(backend):
    answer = measured(backend)
    with np.load(io.BytesIO(answer["snapshots"]["000000100.npz"])) as kept:
        weights = {path: kept[path] for path in kept.files}
    found = [row for row in rows(answer, "norms") if row["step"] == "100"]
    of_kind = {
        kind: {row["variable"]: float(row["norm"]) for row in found if row["kind"] == kind}
        for kind in ("weight", "gradient")
    }
    gradients = answer["gradient"][100]
    assert set(of_kind["weight"]) == set(of_kind["gradient"]) == set(gradients)
    for path, gradient in gradients.items():
        norm = np.sqrt((weights[path].astype(float) ** 2).sum())
        assert of_kind["weight"][path] == pytest.approx(norm)
        norm = np.sqrt((gradient.astype(float) ** 2).sum())
        assert of_kind["gradient"][path] == pytest.approx(norm, rel=1e-5)


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_measure_of_ones_own_is_the_cosine_of_two_gradients(backend):
    answer = measured(backend)
    one, other = (
        np.concatenate([part.ravel().astype(float) for part in answer["gradient"][step].values()])
        for step in (80, 100)
    )
    cosine = one @ other / np.sqrt((one @ one) * (other @ other))
    (row,) = [row for row in rows(answer, "gradient_cosine") if row["step"] == "100"]
    assert float(row["cosine"]) == pytest.approx(cosine, abs=1e-5)


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_run_that_was_killed_leaves_the_same_bytes_in_the_end(backend):
    whole, resumed = measured(backend), measured(backend, 110)
    assert resumed["record"]["weights_digest"] == whole["record"]["weights_digest"]
    assert resumed["snapshots"] == whole["snapshots"]
    for name in ("percentiles.csv", "norms.csv", "population.csv", "gradient_cosine.csv"):
        assert resumed["files"][name] == whole["files"][name]


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_run_that_was_killed_or_goes_on_is_read_up_to_where_it_stands(backend):
    answer = measured(backend, 110)
    assert answer["killed"] == (["interrupted"], [0, 100])
    assert answer["going on"] == ["running"]


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_loaded_run_scores_what_its_record_says(backend):
    answer = measured(backend)
    curve = rows(answer, "curve")
    assert answer["loaded"][1] == answer["record"]["final_accuracy"]
    assert repr(answer["loaded"][0]) == curve[-1]["evaluation_loss"]
    assert repr(answer["at snapshot"][1]) == curve[1]["evaluation_accuracy"]


def test_a_checkpoint_with_percentiles_beside_the_curve_goes_on():
    rows = [["0", 4, 1.0, 2.0, 3.0], ["mean", 4, 1.0, 2.0, 3.0]]
    resumed, without = (
        ask(
            "progress_kept", [], {"step": 5, "percentiles": old}, backend="jax", precision="float32"
        )
        for old in (rows, [])
    )
    assert (resumed["rows"], resumed["measured"]) == ({"percentiles": rows}, {"percentiles": 4})
    assert (without["rows"], without["measured"], without["step"]) == ({}, {}, 5)
