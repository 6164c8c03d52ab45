"""A whole network whose kernels before batch normalization are ten times as large.

The loss as a function of these kernels w obeys L(a w) = L(w). Hence w.dL(w) = 0,
dL(a w) = dL(w) / a and H(a w) = H(w) / a^2, and what is measured along the gradient at a given
step length shows a network a^2 times smoother that computes the same.
"""

import numpy as np

from bnrepro.lab.laws.whole_network import WholeNetwork, build
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

_SCALE = 10.0
# The steps are so short, in lengths of w, that the curve's next order is far below a hundredth; of
# differences as small, more than three digits are rounding.
_SHORT, _LONG = 1e-5, 0.1
_ORDER = 0.01

CRITERIA = {
    "X4.orthogonal": Criterion(
        "X4",
        "whole network: largest |cosine| of a kernel with its gradient",
        "at most",
        ROUNDING_BOUND,
    ),
    "X4.step": Criterion(
        "X4",
        "|w|^2 after a step against |w|^2 + rate^2 |dL|^2: relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X4.loss": Criterion("X4", "kernels times 10: change of the loss", "at most", ROUNDING_BOUND),
    "X4.gradient": Criterion(
        "X4",
        "kernels times 10: 10 times their gradient against the one before, relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X4.hessian": Criterion(
        "X4",
        "kernels times 10: 100 times their Hessian on a direction, relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X4.curve": Criterion(
        "X4",
        "kernels times 10: loss after a step along the gradient 100 times as long, relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X4.loss_change": Criterion(
        "X4",
        "equal short steps: |fall of the loss, before over after, / 100 - 1|",
        "at most",
        _ORDER,
        rounding=_ORDER / 10,
    ),
    "X4.gradient_change": Criterion(
        "X4",
        "equal short steps: |change of the gradient, before over after, / 1,000 - 1|",
        "at most",
        _ORDER,
        rounding=_ORDER / 10,
    ),
    "X4.beta": Criterion(
        "X4",
        "equal short steps: |effective beta, before over after, / 100 - 1|",
        "at most",
        _ORDER,
        rounding=_ORDER / 10,
    ),
}


def verdicts() -> list[Verdict]:
    """X4, by a probe with the mini-batch's statistics."""
    whole = build("bn=x1")
    moved = whole.scaled_kernels
    point = whole.probe.point
    points = np.stack([point, np.where(moved, _SCALE * point, point)])
    losses, gradients = whole.probe.gradients(points, whole.batch, "batch")
    own = np.where(moved, gradients, 0)
    length = float(np.linalg.norm(point[moved]) / np.linalg.norm(own[0]))
    return [
        *_lengths(whole, points[0], own[0], length),
        judge(CRITERIA["X4.loss"], abs(losses[1] - losses[0])),
        judge(CRITERIA["X4.gradient"], _relative(_SCALE * own[1], own[0])),
        judge(CRITERIA["X4.hessian"], hessian_error(whole, points, own[0])),
        judge(CRITERIA["X4.curve"], stretched_error(whole, points, own, _LONG * length)),
        *_equal_steps(whole, points, own, _SHORT * length),
    ]


def _lengths(
    whole: WholeNetwork, point: np.ndarray, gradient: np.ndarray, rate: float
) -> list[Verdict]:
    """What follows from w.dL = 0, kernel by kernel and for a step along -dL."""
    weights, slopes = (whole.probe.layout.arrays(each) for each in (point, gradient))
    cosines = [
        abs((weights[path] * slope).sum()) / np.linalg.norm(weights[path]) / np.linalg.norm(slope)
        for path, slope in slopes.items()
        if slope.any()
    ]
    before = point[whole.scaled_kernels]
    after = (point - rate * gradient)[whole.scaled_kernels]
    expected = (before**2).sum() + rate**2 * (gradient**2).sum()
    return [
        judge(CRITERIA["X4.orthogonal"], max(cosines)),
        judge(CRITERIA["X4.step"], abs((after**2).sum() / expected - 1)),
    ]


def hessian_error(whole: WholeNetwork, points: np.ndarray, direction: np.ndarray) -> float:
    """Relative error of the law of curvature on the kernels' part of a Hessian product."""
    both = np.stack([direction, direction])
    products = whole.probe.hessian_products(points, both, whole.batch, "batch")
    own = np.where(whole.scaled_kernels, products, 0)
    return _relative(_SCALE**2 * own[1], own[0])


def stretched_error(
    whole: WholeNetwork, points: np.ndarray, gradients: np.ndarray, step: float
) -> float:
    """Relative error of L(10 w - 100 a dL(10 w)) against L(w - a dL(w)) at a step a."""
    steps = np.array([[step], [_SCALE**2 * step]])
    losses, _ = whole.probe.gradients(points - steps * gradients, whole.batch, "batch")
    return float(abs(losses[1] / losses[0] - 1))


def _equal_steps(
    whole: WholeNetwork, points: np.ndarray, gradients: np.ndarray, step: float
) -> list[Verdict]:
    """What measures of smoothness say of both networks at the same step a along the gradient."""
    before, _ = whole.probe.gradients(points, whole.batch, "batch")
    after, moved = whole.probe.gradients(points - step * gradients, whole.batch, "batch")
    change = np.linalg.norm(np.where(whole.scaled_kernels, moved, 0) - gradients, axis=1)
    beta = change / (step * np.linalg.norm(gradients, axis=1))
    falls = before - after
    return [
        judge(CRITERIA["X4.loss_change"], abs(falls[0] / falls[1] / _SCALE**2 - 1)),
        judge(CRITERIA["X4.gradient_change"], abs(change[0] / change[1] / _SCALE**3 - 1)),
        judge(CRITERIA["X4.beta"], abs(beta[0] / beta[1] / _SCALE**2 - 1)),
    ]


def _relative(value: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(value - expected) / np.linalg.norm(expected))
