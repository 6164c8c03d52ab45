"""Weight normalization, `w = g v / |v|` per unit (Salimans and Kingma 2016), and its kin.

Derivatives by g and v are the backend's, of the formula as it stands; kernels are (inputs, units).
"""

from typing import Any

import numpy as np
from keras import ops

from bnrepro.lab.laws.calculus import gradient
from bnrepro.lab.setting import random
from bnrepro.models.weight_normalization import weights
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    f"X10.{key}": Criterion("X10", words, "at most", ROUNDING_BOUND)
    for key, words in (
        ("gain", "gradient by g against the formula: largest relative error"),
        ("direction", "gradient by v against the formula: largest relative error"),
        ("orthogonal", "largest |cosine| of v with its gradient"),
        ("initial_mean", "data-dependent start, three layers: largest |mean| of a unit"),
        ("initial_variance", "data-dependent start: largest |variance - 1| of a unit"),
        ("mean_only", "mean-only normalization: gradient against g minus its batch mean"),
    )
} | {
    "X10.growth": Criterion(
        "X10", "share of 100 steps of gradient descent in which no |v| falls", "exactly", 1
    )
}

_EXAMPLES, _INPUTS, _UNITS, _LAYERS = 64, 10, 8, 3
_STEPS, _RATE = 100, 0.05


def verdicts() -> list[Verdict]:
    """X10."""
    gain, v = np.exp(random("law: gain", _UNITS) / 2), random("law: v", _INPUTS, _UNITS)
    to_gain, to_v = gradients(gain, v)
    gain_law, v_law = by_formulas(gain, v)
    cosines = (v * to_v).sum(axis=0) / norms(v) / norms(to_v)
    means, variances = zip(*data_dependent_start(), strict=True)
    return [
        judge(CRITERIA["X10.gain"], _relative(to_gain, gain_law)),
        judge(CRITERIA["X10.direction"], _relative(to_v, v_law)),
        judge(CRITERIA["X10.orthogonal"], np.abs(cosines).max()),
        judge(CRITERIA["X10.growth"], growing_share(gain, v)),
        judge(CRITERIA["X10.initial_mean"], np.abs(means).max()),
        judge(CRITERIA["X10.initial_variance"], np.abs(np.array(variances) - 1).max()),
        judge(CRITERIA["X10.mean_only"], mean_only_error()),
    ]


def loss(kernel: Any) -> Any:
    """A smooth function of a kernel."""
    sums = ops.matmul(random("law: inputs of units", _EXAMPLES, _INPUTS), kernel)
    return ops.sum(ops.softplus(sums) * random("law: shares", _EXAMPLES, _UNITS))


def gradients(gain: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The loss's gradients by g, (units,), and by v, (inputs, units)."""
    fixed_v, fixed_gain = ops.convert_to_tensor(v), ops.convert_to_tensor(gain)
    return (
        gradient(lambda each: loss(weights(each, fixed_v)), gain),
        gradient(lambda each: loss(weights(fixed_gain, each)), v),
    )


def by_formulas(gain: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The paper's equation 3 for both, from the gradient by w."""
    to_kernel = gradient(loss, gain * v / norms(v))
    to_gain = (to_kernel * v).sum(axis=0) / norms(v)
    return to_gain, gain / norms(v) * to_kernel - gain * to_gain / norms(v) ** 2 * v


def growing_share(gain: np.ndarray, v: np.ndarray) -> float:
    """The share of steps after which every |v| is at least what it was."""
    grows = []
    for _ in range(_STEPS):
        to_gain, to_v = gradients(gain, v)
        moved = v - _RATE * to_v
        grows.append((norms(moved) >= norms(v)).all())
        gain, v = gain - _RATE * to_gain, moved
    return float(np.mean(grows))


def data_dependent_start() -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and variance of each layer's units after g and b were set from the first batch."""
    values, found = random("law: first batch", _EXAMPLES, _INPUTS), []
    for n in range(_LAYERS):
        v = 0.05 * random(f"law: v {n}", values.shape[1], _UNITS)
        seen = values @ v / norms(v)
        gain, bias = 1 / seen.std(axis=0), -seen.mean(axis=0) / seen.std(axis=0)
        sums = np.asarray(ops.matmul(values, weights(gain, ops.convert_to_tensor(v)))) + bias
        found.append((sums.mean(axis=0), sums.var(axis=0)))
        values = np.maximum(sums, 0)
    return found


def mean_only_error() -> float:
    """Of the gradient through `t - mean(t)` against the upstream one minus its batch mean."""
    upstream = random("law: upstream of t", _EXAMPLES, _UNITS)
    values = random("law: t", _EXAMPLES, _UNITS)
    found = gradient(lambda t: ops.sum(mean_only(t) * upstream), values)
    return _relative(found, upstream - upstream.mean(axis=0))


def mean_only(values: Any) -> Any:
    """Mean-only batch normalization in training, (batch, units)."""
    return values - ops.sum(values, axis=0) / len(values)


def norms(kernel: np.ndarray) -> np.ndarray:
    """|v| of each unit, (units,)."""
    return np.linalg.norm(kernel, axis=0)


def _relative(value: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(value - expected).max() / np.abs(expected).max())
