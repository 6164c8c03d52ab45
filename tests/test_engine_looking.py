"""What is said of a network is what NumPy says of its values, whether they are fetched or not."""

import math
from functools import cache

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask

NETWORKS = pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(("model=mlp", "data=digits", "bn=x1", "batch_size=20"), id="mlp"),
        pytest.param(
            ("model=cnn", "data=digits", "bn=x1", "batch_size=20", "model.width=0.25"), id="cnn"
        ),
    ],
)


@cache
def looked_at(backend, overrides):
    return ask("looked_at", list(overrides), backend=backend, precision="float32")


def percentiles_of(values):
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    return np.percentile(flat, (15, 50, 85), axis=0).T


@NETWORKS
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_split_is_scored_without_its_scores(backend, overrides):
    answer = looked_at(backend, overrides)
    scores, labels = answer["logits"].astype(np.float64), answer["labels"]
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(labels)), labels]
    for loss, accuracy in (answer["score"], answer["score_at_once"]):
        assert loss == pytest.approx(losses.mean(), rel=1e-6)
        assert accuracy == (scores.argmax(axis=1) == labels).mean()


@NETWORKS
@JAX_AND_SLOWLY_TENSORFLOW
def test_percentiles_are_exact_wherever_they_are_taken(backend, overrides):
    answer = looked_at(backend, overrides)
    for name, values in answer["values"].items():
        expected = percentiles_of(values)
        np.testing.assert_allclose(answer["on_the_host"][name].percentiles, expected, rtol=1e-12)
        # Another program computed the values themselves.
        np.testing.assert_allclose(answer["reduced"][name].percentiles, expected, atol=1e-5)


@NETWORKS
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_histogram_counts_every_value_once(backend, overrides):
    answer = looked_at(backend, overrides)
    for name, values in answer["values"].items():
        for place in ("on_the_host", "reduced"):
            summary = answer[place][name]
            counts, edges = np.histogram(values.astype(np.float64), 30)
            np.testing.assert_allclose(summary.edges, edges, atol=1e-5)
            assert summary.counts.sum() == values.size
            # Some values lie within rounding of an edge.
            assert np.abs(summary.counts - counts).sum() <= 2 + 1e-3 * values.size


@NETWORKS
@JAX_AND_SLOWLY_TENSORFLOW
def test_norms_are_those_of_the_arrays(backend, overrides):
    answer = looked_at(backend, overrides)
    for norms, arrays in zip(
        answer["norms"], (answer["gradients"], answer["weights"]), strict=True
    ):
        assert norms.keys() == arrays.keys()
        for path, array in arrays.items():
            expected = np.sqrt((array.astype(np.float64) ** 2).sum())
            assert norms[path] == pytest.approx(expected, rel=1e-5, abs=1e-12)


@NETWORKS
@JAX_AND_SLOWLY_TENSORFLOW
def test_algorithm_2_is_the_same_as_one_program(backend, overrides):
    answer = looked_at(backend, overrides)
    for pair in zip(answer["moments"], answer["reduced_moments"], strict=True):
        for one, other in zip(*pair, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_tally_is_as_good_as_the_losses_however_many_they_are(backend):
    random = np.random.default_rng(0)
    logits = random.standard_normal((9_999, 10)).astype(np.float32) * 5
    labels = random.integers(0, 10, 9_999).astype(np.int32)
    answer = ask(
        "tallied", [], labels, logits, np.ones(9_999, bool), backend=backend, precision="float32"
    )
    exact = math.fsum(answer["losses"].astype(np.float64))
    assert len(answer["sums"]) == 313
    assert answer["sums"].sum(dtype=np.float64) == pytest.approx(exact, rel=5e-8)
    assert answer["hits"] == (logits.argmax(axis=1) == labels).sum()


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_tally_leaves_out_what_is_not_counted_and_no_hit_is_without_a_number(backend):
    logits = np.array([[5.0, 0], [5, 0], [np.nan, 0], [np.inf, 0], [0, 5]], np.float32)
    counted = np.array([True, False, False, False, True])
    arguments = (np.zeros(5, np.int32), logits)
    answer = ask("tallied", [], *arguments, counted, backend=backend, precision="float32")
    expected = math.log1p(math.exp(-5)) + math.log1p(math.exp(5))
    assert answer["sums"].sum() == pytest.approx(expected, rel=1e-6)
    assert (answer["hits"], answer["finite"]) == (1, 2)
    whole = ask("tallied", [], *arguments, counted | True, backend=backend, precision="float32")
    assert (whole["hits"], whole["finite"]) == (2, 3)


def summarized(backend, values):
    return ask("summarized", [], values, backend=backend, precision="float32")


def test_a_histogram_of_many_values_meets_every_unit_alike():
    values = np.broadcast_to(np.arange(24, dtype=np.float32), (64, 40, 32, 24))
    counts = summarized("jax", values)["on_the_host"].counts
    seen = counts[counts > 0]
    assert len(seen) == 24 and seen.min() > 0.99 * seen.max()
    assert 100_000 < seen.sum() <= 250_000


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_unit_that_says_always_the_same_lies_in_the_last_bin(backend):
    for summary in summarized(backend, np.full((7, 2), 3.5, np.float32)).values():
        assert summary.edges.tolist() == [3.5] * 31
        assert summary.counts.tolist() == [0] * 29 + [14]
        assert summary.percentiles.tolist() == [[3.5] * 3] * 2


@JAX_AND_SLOWLY_TENSORFLOW
def test_of_values_that_are_no_numbers_nothing_is_counted(backend):
    values = np.array([[1.0, np.inf], [2, 0], [3, np.nan]], np.float32)
    for summary in summarized(backend, values).values():
        assert summary.counts.sum() == 0
        assert summary.edges.tolist() == [0] * 31
        np.testing.assert_allclose(summary.percentiles[0], percentiles_of(values)[0], rtol=1e-7)


def test_an_evaluation_on_an_accelerator_fetches_less_than_100_kB():
    overrides = ["model=inception", "model.width=1", "data=digits", "bn=x5"]
    fetched = ask("fetched", overrides, 10_000, backend="jax", precision="float32")
    assert fetched["score"] == 4 * 313 + 2 * 4
    assert fetched["weights"] == fetched["gradients"] == 4 * (3 * 19 + 2)
    assert sum(fetched.values()) < 100_000, fetched
