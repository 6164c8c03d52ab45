"""Residual networks at small and large rates: what is measured, and criteria that can fail."""

import keras
import numpy as np
import pandas as pd
import pytest

from bnrepro.engine.probe import Batch
from bnrepro.exhibits.large_rates.claims import BN, JUDGED, PLAIN, between_columns
from bnrepro.lab import large_rates as study
from bnrepro.records.laboratory import SMOKE

WORDS = ("data=digits", "model.blocks=1", "batch_size=16")
SMALL = study._Scale(WORDS, (0, 1), (0,), (0.1, 1e-4), 60, 20)


def tables(small=(0.3, 0.31), best=(0.5, 0.7), shares=(0.4, 0.1)):
    """A study: test accuracies at 1e-4 and at the best rate, without and with.

    `shares` of the rows have the same class alight; the others each another one.
    """
    seeds, examples, classes = range(6), 20, 10
    ends, outputs = [], []
    for seed in seeds:
        for network, *accuracies, share in zip((PLAIN, BN), small, best, shares, strict=True):
            for rate, accuracy in zip((1e-4, 1e-2, 1e-1), (*accuracies, np.nan), strict=True):
                ends.append({"seed": seed, "network": network, "rate": rate,
                             "train_accuracy": accuracy, "accuracy": accuracy})  # fmt: skip
            for example in range(examples):
                alight = 3 if example < share * examples else example % classes
                values = {f"class_{n}": float(n == alight) for n in range(classes)}
                outputs.append({"seed": seed, "network": network, "example": example} | values)
    frames = {"ends": ends, "outputs": outputs}
    return {name: pd.DataFrame(rows) for name, rows in frames.items()}


def outcomes(**changes):
    verdicts = JUDGED.verdicts(tables(**changes))
    return dict(zip(JUDGED.criteria, [each.verdict for each in verdicts], strict=True))


def failed(**changes):
    return {key for key, verdict in outcomes(**changes).items() if verdict != "reproduced"}


def test_every_criterion_can_fail():
    assert failed() == set()
    assert failed(small=(0.3, 0.34)) == failed(small=(0.34, 0.3)) == {"D4b.small_rate"}
    assert failed(best=(0.7, 0.5)) == {"D4b.best"}
    assert failed(shares=(0.4, 0.35)) == {"D4b.outputs"}


def test_alike_because_nothing_was_learned_is_no_number():
    assert outcomes(small=(0.12, 0.11))["D4b.small_rate"] == "inconclusive"
    assert outcomes(small=(0.12, 0.25))["D4b.small_rate"] == "not reproduced"


def test_the_share_between_columns_is_one_of_equal_rows_and_none_of_equal_means():
    row = np.array([0.0, 0.2, 1.0])
    assert between_columns(np.tile(row, (5, 1))) == pytest.approx(1)
    assert between_columns(np.eye(4)) == 0
    # Columns' means 0.5 and 0.25 around 0.375, of values 1, 0, 0, 0.5.
    expected = 0.125**2 / np.var([1, 0, 0, 0.5])
    assert between_columns(np.array([[1, 0], [0, 0.5]])) == pytest.approx(expected)


def test_gradients_by_the_outputs_are_the_slopes_of_the_cross_entropy():
    random = np.random.default_rng(0)
    logits, labels = random.normal(0, 3, (5, 4)), np.array([0, 3, 1, 1, 2], np.int32)
    gradients = study.output_gradients(logits, Batch(np.empty(0), labels))

    def losses(scores):
        return np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(5), labels]

    for column, shift in enumerate(np.eye(4) * 1e-6):
        slopes = (losses(logits + shift) - losses(logits - shift)) / 2e-6
        np.testing.assert_allclose(gradients[:, column], slopes, atol=1e-8)


@pytest.fixture(scope="module")
def network():
    keras.utils.clear_session(free_memory=False)
    return study._Network(SMALL, BN)


def test_outputs_are_those_of_the_first_examples_normalized_together(network):
    network.begin(0, 0.1)
    rows = list(network.outputs())
    engine = network.engine
    indices = np.concatenate(list(engine.order.indices(0, 4)))
    split = engine.dataset.train
    images = engine.assembler.assemble(split.images[indices], np.arange(len(indices)), {})
    logits = np.asarray(engine.network.model(images, training=True), np.float64)
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = np.abs(likely - np.eye(10)[split.labels[indices]])
    assert [row.example for row in rows] == list(range(64))
    np.testing.assert_allclose([row.gradients for row in rows], expected, atol=1e-4)


def test_points_of_a_curve_are_means_of_the_steps_since_the_point_before(network):
    network.begin(1, 0.1)
    rows = list(study._training(network, 1, 0.1))
    network.begin(1, 0.1)
    segments, diverged_at = network.train()
    losses = np.concatenate([each.loss for each in segments])
    hits = np.concatenate([each.num_correct for each in segments]) / 16
    *curve, end = rows
    assert diverged_at is None and len(losses) == 60
    assert [row.step for row in curve] == [20, 40, 60]
    assert curve[1].loss == pytest.approx(losses[20:40].mean(), rel=1e-5)
    assert curve[1].accuracy == pytest.approx(hits[20:40].mean())
    assert end.train_accuracy == pytest.approx(hits[-6:].mean())
    # The rate of 0.1 learns something in 60 steps.
    assert end.accuracy > 0.2


def test_a_training_that_diverges_ends_its_curve_and_the_next_begins_anew(network):
    network.begin(0, 1e-4)
    expected = list(study._training(network, 0, 1e-4))
    network.begin(0, 1e30)
    *_, last, end = study._training(network, 0, 1e30)
    assert isinstance(last, study.CurveRow) and np.isnan([last.loss, last.accuracy]).all()
    assert np.isnan([end.train_accuracy, end.accuracy]).all()
    network.begin(0, 1e-4)
    assert list(study._training(network, 0, 1e-4)) == expected


@pytest.mark.slow
def test_smoke_has_every_network(tmp_path):
    study.compute(tmp_path, SMOKE)
    size = study.SCALES[SMOKE]
    ends = pd.read_csv(tmp_path / "ends.csv")
    assert len(ends) == len(study.NETWORKS) * len(size.seeds) * len(size.rates)
    outputs = pd.read_csv(tmp_path / "outputs.csv")
    assert len(outputs) == len(study.NETWORKS) * len(size.first_seeds) * 64
