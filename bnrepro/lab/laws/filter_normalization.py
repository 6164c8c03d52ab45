"""Directions that are as long as the weights, filter by filter (Li et al. 2018).

    d_i <- d_i |w_i| / (|d_i| + 1e-10)        w_i: all weights that make the output channel i

Biases, gammas and betas do not move. What a network does not see of its weights' scale, its curve
along such a direction does not see either.
"""

import numpy as np

from bnrepro.engine.weights import filter_normalized
from bnrepro.lab.laws.whole_network import WholeNetwork, build
from bnrepro.lab.setting import random
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

# The 1e-10 in the formula changes a direction by as much.
_BOUND = ROUNDING_BOUND
# What a picture shows.
_VISIBLE = 0.01

CRITERIA = {
    "X13.batch": Criterion(
        "X13",
        "one normalized kernel times 10, the mini-batch's statistics: largest relative change of "
        "the curve",
        "at most",
        _BOUND,
    ),
    "X13.frozen": Criterion(
        "X13", "the same with frozen statistics, scaled along", "at most", _BOUND
    ),
    "X13.unscaled": Criterion(
        "X13", "the same with frozen statistics as they were", "at least", _VISIBLE
    ),
    "X13.unnormalized": Criterion(
        "X13",
        "the mini-batch's statistics, along a direction without filter normalization: largest "
        "relative change of the curve",
        "at least",
        _VISIBLE,
    ),
    "X13.relu": Criterion(
        "X13",
        "ReLU without normalization, a layer times 10 and the next over 10: largest relative "
        "change of the curve",
        "at most",
        _BOUND,
    ),
}

_SCALE = 10.0
_STEPS, _LEARNING_RATE = 50, 0.5
_ALPHAS = np.array([-1.0, -0.5, 0.5, 1.0])
_KERNEL, _STATISTICS = "hidden_1/kernel", "model/hidden_1_normalization/moving_"


def verdicts() -> list[Verdict]:
    """X13: curves at the weights and at rescaled ones, along the same random direction."""
    whole = trained("bn=x1", "batch_normalization.momentum=0.5")
    point = whole.probe.point
    larger = rescaled(whole, {_KERNEL: _SCALE})
    noise = random("law: direction", point.size)
    batch = _change(curve(whole, point, noise, "batch"), curve(whole, larger, noise, "batch"))
    plain = _change(
        raw_curve(whole, point, noise, "batch"), raw_curve(whole, larger, noise, "batch")
    )
    unscaled, scaled = frozen_changes(whole, larger, noise)
    return [
        judge(CRITERIA["X13.batch"], batch),
        judge(CRITERIA["X13.frozen"], scaled),
        judge(CRITERIA["X13.unscaled"], unscaled),
        judge(CRITERIA["X13.unnormalized"], plain),
        judge(CRITERIA["X13.relu"], relu_change()),
    ]


def trained(*overrides: str) -> WholeNetwork:
    """A network that has learned something: at its initial weights the curve is all but flat."""
    whole = build(f"learning_rate={_LEARNING_RATE}", *overrides)
    whole.engine.train(0, _STEPS)
    return whole


def frozen_changes(
    whole: WholeNetwork, larger: np.ndarray, noise: np.ndarray
) -> tuple[float, float]:
    """How the curve changes with frozen statistics as they were, and scaled by a and a^2."""
    state = whole.engine.variables()
    moving = {name: state[_STATISTICS + name] for name in ("mean", "variance")}
    before = curve(whole, whole.probe.point, noise, "frozen")
    unscaled = curve(whole, larger, noise, "frozen")
    whole.engine.assign(
        {
            f"{_STATISTICS}mean": _SCALE * moving["mean"],
            f"{_STATISTICS}variance": _SCALE**2 * moving["variance"],
        }
    )
    scaled = curve(whole, larger, noise, "frozen")
    return _change(before, unscaled), _change(before, scaled)


def relu_change() -> float:
    """The change where ReLU hands a layer's scale on: its kernel and bias times a, the next / a."""
    whole = trained("bn=none", "activation=relu", "initializer=he")
    point = whole.probe.point
    factors = {_KERNEL: _SCALE, "hidden_1/bias": _SCALE, "hidden_2/kernel": 1 / _SCALE}
    noise = random("law: direction", point.size)
    larger = rescaled(whole, factors)
    return _change(curve(whole, point, noise, "batch"), curve(whole, larger, noise, "batch"))


def rescaled(whole: WholeNetwork, factors: dict[str, float]) -> np.ndarray:
    """The weights with some variables times a factor, (size,)."""
    layout = whole.probe.layout
    arrays = layout.arrays(whole.probe.point)
    return layout.join({path: factors.get(path, 1.0) * value for path, value in arrays.items()})


def curve(whole: WholeNetwork, point: np.ndarray, noise: np.ndarray, mode: str) -> np.ndarray:
    """The loss at steps along `noise`, filter-normalized at `point`, (alphas,)."""
    return raw_curve(whole, point, filter_normalized(whole.probe.layout, point, noise), mode)


def raw_curve(
    whole: WholeNetwork, point: np.ndarray, direction: np.ndarray, mode: str
) -> np.ndarray:
    """The loss at steps along `direction`, (alphas,)."""
    return whole.probe.losses(point + _ALPHAS[:, None] * direction, whole.batch, mode)


def _change(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.abs(after / before - 1).max())
