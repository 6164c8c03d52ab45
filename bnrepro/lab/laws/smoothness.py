"""What batch normalization makes of a gradient and a curvature (Santurkar et al. 2018).

`z = gamma y_hat + beta`, y_hat being y normalized over the batch of m with its deviation sigma and
epsilon = 0, and g = dL/dz. The layer takes out of the gradient what lies along 1 and along y_hat,
whose lengths are sqrt(m) both, and scales the rest.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.lab.laws.calculus import gradient, hessian_product, in_training
from bnrepro.lab.setting import batch_normalization, draw_state, random
from bnrepro.normalization.moments import TwiceDifferentiable
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "X1.norm": Criterion(
        "X1",
        "|dL/dy|^2 against the right side with 1/m: largest relative error over the units",
        "at most",
        ROUNDING_BOUND,
    ),
    # A squared length is not negative: one unit for which the printed factor gives that is enough.
    "X1.erratum": Criterion(
        "X1",
        "the right side with the printed 1/sqrt(m), which would be a squared length: smallest over "
        "the units",
        "at most",
        0,
    ),
    "X2.curvature": Criterion(
        "X2",
        "curvature along each unit's gradient against the right side: largest relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X3.distance": Criterion(
        "X3",
        "squared distance from W0 to k W* against the right side: relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X3.optimum": Criterion(
        "X3",
        "loss at k W* against that at W*, through batch normalization: relative error",
        "at most",
        ROUNDING_BOUND,
    ),
}

_EXAMPLES, _UNITS, _INPUTS = 64, 4, 6


def gradient_norm() -> list[Verdict]:
    """X1, theorem 4.1 as an equality, unit by unit."""
    layer, values = prepared_layer(), inputs_of_layer()
    normalize = in_training(layer)
    outputs = np.asarray(normalize(values))
    to_inputs = gradient(lambda y: loss(normalize(y)), values)
    to_outputs = gradient(loss, outputs)
    left = (to_inputs**2).sum(axis=0)
    right, printed = (
        squared_norm(layer, values, to_outputs, share)
        for share in (1 / _EXAMPLES, 1 / np.sqrt(_EXAMPLES))
    )
    unit = printed.argmin()
    return [
        judge(CRITERIA["X1.norm"], np.abs(right / left - 1).max()),
        judge(CRITERIA["X1.erratum"], printed[unit], f"|dL/dy|^2 of that unit is {left[unit]:.3g}"),
    ]


def curvature() -> list[Verdict]:
    """X2, theorem 4.2, which holds as an equality; a direction moves one unit alone."""
    layer, values = prepared_layer(), inputs_of_layer()
    normalize = TwiceDifferentiable(layer)
    outputs = np.asarray(normalize(values, training=True))

    def before(y: Any) -> Any:
        return loss(normalize(y, training=True))

    to_outputs, to_inputs = gradient(loss, outputs), gradient(before, values)
    normalized = (values - values.mean(axis=0)) / values.std(axis=0)
    scale = np.asarray(layer.gamma) / values.std(axis=0)
    errors = []
    for unit in range(_UNITS):
        along = to_inputs * (np.arange(_UNITS) == unit)
        left = (hessian_product(before, values, along) * along).sum()
        inner = (hessian_product(loss, outputs, along) * along).sum()
        share = (to_outputs * normalized)[:, unit].sum() / values[:, unit].std() / _EXAMPLES
        right = scale[unit] ** 2 * inner - scale[unit] * share * (along**2).sum()
        errors.append(abs(right / left - 1))
    return [judge(CRITERIA["X2.curvature"], max(errors))]


def initialization() -> list[Verdict]:
    """X3, lemma 4.5: of all multiples of an optimum, which are optima too, k W* is the nearest."""
    start, optimum = (random(f"law: {name}", _INPUTS, _UNITS) for name in ("W0", "W*"))
    # Less than a right angle between them, so that k is positive.
    optimum = optimum + start / 2
    squared = (optimum**2).sum()
    inner = (optimum * start).sum()
    k = inner / squared
    left = ((start - k * optimum) ** 2).sum()
    right = ((start - optimum) ** 2).sum() - (squared - inner) ** 2 / squared
    inputs, normalize = random("law: x", _EXAMPLES, _INPUTS), in_training(prepared_layer())
    at_optimum, nearer = (float(loss(normalize(inputs @ W))) for W in (optimum, k * optimum))
    return [
        judge(CRITERIA["X3.distance"], abs(right / left - 1), f"k = {k:.3g}"),
        judge(CRITERIA["X3.optimum"], abs(nearer / at_optimum - 1)),
    ]


def squared_norm(
    layer: keras.layers.Layer, values: np.ndarray, to_outputs: np.ndarray, share: float
) -> np.ndarray:
    """Theorem 4.1's right side per unit, with `share` before the last term, (units,)."""
    normalized = (values - values.mean(axis=0)) / values.std(axis=0)
    rest = (
        (to_outputs**2).sum(axis=0)
        - to_outputs.sum(axis=0) ** 2 / len(values)
        - (to_outputs * normalized).sum(axis=0) ** 2 * share
    )
    return (np.asarray(layer.gamma) / values.std(axis=0)) ** 2 * rest


def prepared_layer() -> keras.layers.Layer:
    """A layer whose gammas and betas differ from each other."""
    layer = batch_normalization()
    layer.build((_EXAMPLES, _UNITS))
    draw_state(layer)
    return layer


def inputs_of_layer() -> np.ndarray:
    """Values of units whose deviations differ by a factor of 100, (examples, units)."""
    return random("law: y", _EXAMPLES, _UNITS) * np.logspace(-1, 1, _UNITS)


def loss(outputs: Any) -> Any:
    """A smooth function of z, (examples, units), in which the units act on each other."""
    mixing = random("law: mixing", _UNITS, 3)
    return ops.sum(ops.softplus(ops.matmul(outputs, mixing))) + ops.sum(outputs**2) / 2
