"""Scores to loss and accuracy, by the definitions."""

import math

import numpy as np
import pytest

from bnrepro.data import Split
from bnrepro.measures.evaluation import probabilities, score

SCORES = np.array([[1.0, 3.0, -2.0], [0.5, 0.0, 0.25], [2.0, 2.5, 9.0]])


def softmax(row):
    total = sum(math.exp(value) for value in row)
    return [math.exp(value) / total for value in row]


def scored(scores, labels):
    return score(np.array(scores), Split(np.zeros((len(labels), 1, 1, 1), np.uint8), labels))


def test_the_loss_is_the_mean_cross_entropy_and_the_accuracy_the_share_of_hits():
    labels = np.array([1, 2, 2])
    loss, accuracy = scored(SCORES, labels)
    expected = [-math.log(softmax(row)[label]) for row, label in zip(SCORES, labels, strict=True)]
    assert loss == pytest.approx(sum(expected) / 3, rel=1e-12)
    assert accuracy == pytest.approx(2 / 3)


def test_probabilities_are_the_softmax():
    np.testing.assert_allclose(probabilities(SCORES), [softmax(row) for row in SCORES], rtol=1e-12)


def test_large_scores_do_not_overflow():
    loss, accuracy = scored(SCORES + 5000, np.array([1, 0, 2]))
    assert loss == pytest.approx(scored(SCORES, np.array([1, 0, 2]))[0], rel=1e-9)
    assert accuracy == 1
    np.testing.assert_allclose(probabilities(SCORES + 5000), probabilities(SCORES), rtol=1e-9)


def test_scores_are_taken_in_double_precision():
    close = np.array([[1e-4, 0.0]] * 1000, np.float32)
    loss, _ = scored(close, np.zeros(1000, int))
    assert loss == pytest.approx(math.log1p(math.exp(-float(close[0, 0]))), abs=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_where_no_image_has_finite_scores_nothing_was_measured(value):
    assert np.isnan(scored(np.full((3, 3), value), np.array([1, 0, 2]))).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_counts_as_wrong(value):
    scores = SCORES.copy()
    scores[0, 1] = value
    scores[2, 0] = value
    assert scored(scores, np.array([1, 0, 2]))[1] == pytest.approx(1 / 3)
