"""Gradient descent on least squares: what scales, means and correlation of the features cost.

    L(w, b) = (1/2N) sum (w.x + b - y)^2        H = (1/N) [X 1]^T [X 1]

Descent converges below the rate 2/lambda_max. At the best rate, 2/(lambda_min + lambda_max), an
error shrinks by (k - 1)/(k + 1) a step, k = lambda_max/lambda_min; with momentum (Polyak's heavy
ball) by (sqrt(k) - 1)/(sqrt(k) + 1).
"""

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.lab.laws.calculus import in_training
from bnrepro.lab.setting import batch_normalization, random
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

# The stationary variance of 10,000 replicas scatters by 1.4 %.
_REPLICAS, _STOCHASTIC_BOUND = 10_000, 0.05
# A double eigenvalue is known to the root of rounding.
_ROOT_OF_ROUNDING = 1e-6

CRITERIA = {
    "X11.scales": Criterion(
        "X11",
        "centred features of deviations 1 and s: largest relative error of k = s^2",
        "at most",
        ROUNDING_BOUND,
    ),
    "X11.means": Criterion(
        "X11",
        "unit variances, means of squared length q: largest relative error of k = l^2, "
        "l^2 - (2 + q) l + 1 = 0",
        "at most",
        ROUNDING_BOUND,
    ),
    "X11.correlation": Criterion(
        "X11",
        "standardized features of correlation r: largest relative error of k = (1 + r) / (1 - r)",
        "at most",
        ROUNDING_BOUND,
    ),
    "X11.whitened": Criterion(
        "X11", "the same features whitened: largest |k - 1|", "at most", ROUNDING_BOUND
    ),
    "X11.steps": Criterion(
        "X11",
        "steps counted for a factor of 1000, worst start, against the law rounded up: largest "
        "difference",
        "at most",
        1,
    ),
    "X11.momentum": Criterion(
        "X11",
        "heavy ball: largest eigenvalue of its step against the law, largest difference",
        "at most",
        _ROOT_OF_ROUNDING,
        rounding=_ROOT_OF_ROUNDING,
    ),
    "X11.below": Criterion(
        "X11", "0.99 of the rate 2/lambda_max: loss after 100 steps over before", "at most", 0.99
    ),
    "X11.above": Criterion(
        "X11", "1.01 of the rate 2/lambda_max: loss after 100 steps over before", "at least", 1.01
    ),
    "X11.standardization": Criterion(
        "X11",
        "batch normalization of the inputs over all of them against standardization",
        "at most",
        ROUNDING_BOUND,
    ),
    # The noise of a statistic falls with the root of the batch.
    "X11.batches": Criterion(
        "X11",
        "the same over batches of 8 to 512: |exponent of the gap in the size + 1/2|",
        "at most",
        0.05,
    ),
    "X11.constant": Criterion(
        "X11",
        "noisy descent at a constant rate: |variance over rate s^2 / (h (2 - rate h)) - 1|",
        "at most",
        _STOCHASTIC_BOUND,
    ),
    "X11.decay": Criterion(
        "X11",
        "noisy descent at the rate 1 / (h (t + 1)): |variance over s^2 / (h^2 T) - 1|",
        "at most",
        _STOCHASTIC_BOUND,
    ),
}

_EXAMPLES, _FEATURES = 1_000, 2
_SCALES, _SQUARED_MEANS, _CORRELATIONS = (2.0, 10.0, 100.0), (1.0, 5.0, 50.0), (0.5, 0.9, 0.99)
_BATCHES, _INPUTS = (8, 32, 128, 512), 4096
_CURVATURE, _RATE, _STEPS = 2.0, 0.3, 200


def verdicts() -> list[Verdict]:
    """X11."""
    scaled, moved, correlated = by_scale(), by_mean(), by_correlation()
    conditions = [value for value, _ in (*scaled, *moved, *correlated)]
    below, above = (loss_ratio(factor * 2) for factor in (0.99, 1.01))
    exponent = exponent_of_gap()
    constant, decayed = noisy_descent()
    return [
        judge(CRITERIA["X11.scales"], _error(scaled), _listed(scaled)),
        judge(CRITERIA["X11.means"], _error(moved), _listed(moved)),
        judge(CRITERIA["X11.correlation"], _error(correlated), _listed(correlated)),
        judge(CRITERIA["X11.whitened"], max(abs(whitened(r) - 1) for r in _CORRELATIONS)),
        judge(CRITERIA["X11.steps"], max(map(miscount, conditions)), _counts(conditions)),
        judge(CRITERIA["X11.momentum"], max(map(heavy_ball_error, conditions))),
        judge(CRITERIA["X11.below"], below),
        judge(CRITERIA["X11.above"], above),
        judge(CRITERIA["X11.standardization"], gap(_INPUTS)),
        judge(CRITERIA["X11.batches"], abs(exponent + 0.5), f"exponent {exponent:.3f}"),
        judge(CRITERIA["X11.constant"], abs(constant - 1)),
        judge(CRITERIA["X11.decay"], abs(decayed - 1)),
    ]


def by_scale() -> list[tuple[float, float]]:
    """Condition numbers, measured and by the law, of features with deviations 1 and s."""
    return [(condition(white() * np.array([1.0, s])), s**2) for s in _SCALES]


def by_mean() -> list[tuple[float, float]]:
    """The same for features whose means have a squared length q, away from the axes."""
    direction = np.array([0.6, 0.8])
    root = [((2 + q) + np.sqrt((2 + q) ** 2 - 4)) / 2 for q in _SQUARED_MEANS]
    found = [condition(white() + np.sqrt(q) * direction) for q in _SQUARED_MEANS]
    return [(value, law**2) for value, law in zip(found, root, strict=True)]


def by_correlation() -> list[tuple[float, float]]:
    """The same for standardized features of correlation r."""
    return [(condition(correlated(r)), (1 + r) / (1 - r)) for r in _CORRELATIONS]


def white() -> np.ndarray:
    """Features of sample mean 0 and sample covariance 1, (examples, features)."""
    values = random("law: white features", _EXAMPLES, _FEATURES)
    values = values - values.mean(axis=0)
    return values @ np.linalg.inv(np.linalg.cholesky(values.T @ values / _EXAMPLES)).T


def correlated(r: float) -> np.ndarray:
    """Features of variance 1 and correlation r, (examples, features)."""
    return white() @ np.linalg.cholesky(np.array([[1, r], [r, 1]])).T


def whitened(r: float) -> float:
    """The condition number of correlated features times the inverse root of their covariance."""
    features = correlated(r)
    eigenvalues, vectors = np.linalg.eigh(features.T @ features / _EXAMPLES)
    return condition(features @ (vectors / np.sqrt(eigenvalues)) @ vectors.T)


def condition(features: np.ndarray) -> float:
    """Largest over smallest eigenvalue of the Hessian by weights and bias."""
    with_bias = np.column_stack([features, np.ones(_EXAMPLES)])
    eigenvalues = np.linalg.eigvalsh(with_bias.T @ with_bias / _EXAMPLES)
    return float(eigenvalues[-1] / eigenvalues[0])


def miscount(k: float) -> float:
    """Steps of descent at the best rate against the law, from the worst start."""
    return abs(count_steps(k) - np.ceil(law_of_steps(k)))


def law_of_steps(k: float) -> float:
    """Steps for a factor of 1000 by the law."""
    return float(np.log(1000) / np.log((k + 1) / (k - 1)))


def count_steps(k: float) -> int:
    """Steps until the error along either eigenvector is a thousandth of what it was."""
    eigenvalues, error, steps = np.array([1.0, k]), np.array([1.0, 1.0]), 0
    while np.abs(error).max() > 1e-3:
        error = error - best_rate(1, k) * eigenvalues * error
        steps += 1
    return steps


def best_rate(smallest: float, largest: float) -> float:
    """The rate at which the errors along the flattest and the steepest direction shrink alike."""
    return 2 / (smallest + largest)


def heavy_ball_error(k: float) -> float:
    """Of the spectral radius of a step of (w, its last move) at the best rate and momentum."""
    root = np.sqrt(k)
    momentum, rate = ((root - 1) / (root + 1)) ** 2, (2 / (1 + root)) ** 2
    radius = max(
        np.abs(np.linalg.eigvals([[1 - rate * h + momentum, -momentum], [1, 0]])).max()
        for h in (1.0, k)
    )
    return float(abs(radius - (root - 1) / (root + 1)))


def loss_ratio(rate_times_largest: float) -> float:
    """Loss after 100 steps over before, started along the largest curvature alone."""
    w, h = 1.0, _CURVATURE
    for _ in range(100):
        w -= rate_times_largest / h * h * w
    return w**2


def gap(batch: int) -> float:
    """Root mean square of BN(x) over batches against x standardized over all inputs.

    The layer has neither gamma nor beta to learn: they are 1 and 0.
    """
    inputs = 3 + 2 * random("law: inputs to standardize", _INPUTS, _FEATURES)
    layer = batch_normalization()
    layer.build((None, _FEATURES))
    normalize = in_training(layer)
    batches = np.split(inputs, _INPUTS // batch)
    outputs = np.concatenate([np.asarray(normalize(each)) for each in batches])
    standardized = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    return float(np.sqrt(((outputs - standardized) ** 2).mean()))


def exponent_of_gap() -> float:
    """Of the gap as a power of the batch size, by least squares on logarithms."""
    gaps = [gap(batch) for batch in _BATCHES]
    return float(np.polyfit(np.log(_BATCHES), np.log(gaps), 1)[0])


def noisy_descent() -> tuple[float, float]:
    """Variance of w over the law, at a constant rate and at 1/(h (t + 1)); noise of variance 1."""
    h, random_noise = _CURVATURE, generator(0, "law: noisy descent")
    constant, decayed = np.zeros(_REPLICAS), np.ones(_REPLICAS)
    for t in range(_STEPS):
        noise = random_noise.standard_normal((2, _REPLICAS))
        constant = constant - _RATE * (h * constant + noise[0])
        decayed = decayed - (h * decayed + noise[1]) / (h * (t + 1))
    law = _RATE / (h * (2 - _RATE * h))
    return float((constant**2).mean() / law), float((decayed**2).mean() * h**2 * _STEPS)


def _error(pairs: list[tuple[float, float]]) -> float:
    return max(abs(value / law - 1) for value, law in pairs)


def _listed(pairs: list[tuple[float, float]]) -> str:
    return ", ".join(f"{value:.4g}" for value, _ in pairs)


def _counts(conditions: list[float]) -> str:
    return ", ".join(f"{count_steps(k):,}" for k in conditions)
