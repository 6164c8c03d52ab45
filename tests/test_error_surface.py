"""The error surface of a linear unit, held to closed forms that are written here from formulas."""

import math

import numpy as np
import pytest

from bnrepro.lab import setting
from bnrepro.lab.error_surface import features, mini_batches, quadratic, scales, steps


@pytest.fixture(autouse=True)
def precision():
    with setting.double_precision():
        yield


def exact_features(covariance, means=(0.0, 0.0)):
    """Features (examples, 2) whose sample has exactly these moments, and targets."""
    random = np.random.default_rng(0)
    drawn = random.standard_normal((200, 2))
    drawn -= drawn.mean(axis=0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(drawn.T @ drawn / 200)).T
    return white @ np.linalg.cholesky(np.array(covariance)).T + means, random.standard_normal(200)


def measured(covariance, means=(0.0, 0.0)):
    return steps.measure(0, 0.0, "raw", 1.0, *exact_features(covariance, means))


# Of the specification: deviations 1 and s; means of squared length q; correlation rho.
@pytest.mark.parametrize(
    ("covariance", "means", "condition", "counted"),
    [
        ([[1, 0], [0, 100]], (0, 0), 100, 345),
        ([[1, 0], [0, 10_000]], (0, 0), 10_000, 34_539),
        ([[1, 0], [0, 1]], (0, 0), 1, 1),
        ([[1, 0], [0, 1]], (1, 0), 6.854, 24),
        ([[1, 0], [0, 1]], (1, 2), 46.98, 163),
        ([[1, 0], [0, 1]], (5, 5), 2_702, 9_333),
        ([[1, 0.9], [0.9, 1]], (0, 0), 19, 66),
        ([[1, 0.99], [0.99, 1]], (0, 0), 199, 688),
    ],
)
def test_steps_are_those_of_the_closed_form(covariance, means, condition, counted):
    row = measured(covariance, means)
    assert row.condition == pytest.approx(condition, rel=2e-4)
    assert abs(row.predicted_steps - counted) <= 1
    assert abs(row.counted_steps - row.predicted_steps) <= 1


@pytest.mark.parametrize(
    ("law", "number", "covariance", "means"),
    [
        (scales.scale_law, 30.0, [[1, 0], [0, 900]], (0, 0)),
        (scales.mean_law, 13.0, [[1, 0], [0, 1]], (2, 3)),
    ],
)
def test_a_law_is_the_condition_number_of_the_population(law, number, covariance, means):
    moments = np.array(covariance) + np.outer(means, means)
    hessian = np.block([[moments, np.array(means)[:, None]], [np.array(means), 1]])
    assert law(number) == pytest.approx(np.linalg.cond(hessian), rel=1e-9)


def test_the_gradient_is_that_of_the_mean_squared_error():
    inputs, targets = exact_features([[1, 0.3], [0.3, 4]], (1, -2))
    surface = quadratic.of_features(inputs, targets)
    weights = np.array([0.3, -0.2, 0.7])
    errors = inputs @ weights[:2] + weights[2] - targets
    expected = [*(errors @ inputs / 200), errors.mean()]
    assert surface.gradient(weights) == pytest.approx(expected, rel=1e-9)
    least = np.linalg.lstsq(np.column_stack([inputs, np.ones(200)]), targets)[1][0] / 400
    assert surface.excess(weights) == pytest.approx((errors**2).mean() / 2 - least, rel=1e-9)


def test_without_a_bias_the_bias_is_at_its_best():
    inputs, targets = exact_features([[1, 0.3], [0.3, 4]], (1, -2))
    whole, without = (quadratic.of_features(inputs, targets, bias) for bias in (True, False))
    assert without.minimum == pytest.approx(whole.minimum[:2], rel=1e-9)
    weights = np.array([0.3, -0.2])
    bias = targets.mean() - inputs.mean(axis=0) @ weights
    assert without.excess(weights) == pytest.approx(whole.excess(np.array([*weights, bias])))


def test_momentum_takes_what_its_double_root_says():
    row = measured([[1, 0], [0, 100]])
    assert row.predicted_momentum_steps == 35
    # Along the flat direction both roots are r = (sqrt(kappa) - 1) / (sqrt(kappa) + 1), along the
    # steep one -r; from rest the error is (1 + k t) root^t, by its first step 1 - rate lambda.
    r, rate = 9 / 11, 4 / 11**2
    flat, steep = (
        np.array([(1 + ((1 - rate * value) / root - 1) * t) * root**t for t in range(200)])
        for value, root in ((1, r), (100, -r))
    )
    shrunk = np.sqrt((flat**2 + steep**2) / 2) <= 1e-3
    assert row.counted_momentum_steps == np.argmax(shrunk)


def test_the_loss_grows_above_the_largest_rate_alone():
    row = measured([[1, 0], [0, 100]])
    # From the worst start nearly all of the loss is along the steep direction.
    assert row.loss_above == pytest.approx(1.02**200 * 100 / 101, rel=1e-2)
    assert row.loss_below < 1


def test_batch_normalization_of_the_inputs_is_standardization_to_epsilon():
    inputs, _ = exact_features([[1, 0.3], [0.3, 4]], (1, -2))
    normalized, standard = features.batch_normalized(inputs), features.standardized(inputs)
    shrunk = standard / np.sqrt(1 + features.EPSILON / np.array([1, 4]))
    assert normalized == pytest.approx(shrunk, abs=1e-12)
    assert abs(normalized - standard).max() > 1e-6


@pytest.mark.parametrize("whitening", [features.whitened, features.rotated_white])
def test_whitened_features_are_uncorrelated(whitening):
    white = whitening(exact_features([[1, 0.9], [0.9, 4]], (1, -2))[0])
    assert white.T @ white / len(white) == pytest.approx(np.eye(2), abs=1e-12)


def test_zca_is_the_inverse_root_of_the_correlation():
    inputs, _ = exact_features([[1, 0.6], [0.6, 1]])
    # C^(-1/2) of [[1, r], [r, 1]]: along (1, 1) and (1, -1) the roots of 1 + r and 1 - r.
    both, apart = 1.6**-0.5, 0.4**-0.5
    root = np.array([[both + apart, both - apart], [both - apart, both + apart]]) / 2
    assert features.whitened(inputs) == pytest.approx(inputs @ root, abs=1e-9)


def test_the_law_of_mini_batches_is_that_of_normal_samples():
    assert mini_batches.law(10_000) == pytest.approx(math.sqrt(1.5 / 10_000), rel=1e-3)
    drawn = np.random.default_rng(1).standard_normal((40_000, 8))
    mean, deviation = drawn.mean(axis=1, keepdims=True), drawn.std(axis=1, keepdims=True)
    off = (drawn - mean) / deviation - drawn
    assert mini_batches.law(8) == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-2)
