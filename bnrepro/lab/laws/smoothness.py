"""What batch normalization makes of a gradient and a curvature (Santurkar et al. 2018).

`z = gamma y_hat + beta`, y_hat being y normalized over the batch of m with its deviation sigma and
epsilon = 0, and g = dL/dz. The layer takes out of the gradient what lies along 1 and along y_hat,
whose lengths are sqrt(m) both, and scales the rest.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.lab.laws.calculus import gradient, in_training
from bnrepro.lab.setting import batch_normalization, draw_state, random
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
}

_EXAMPLES, _UNITS = 64, 4


def gradient_norm() -> list[Verdict]:
    """X1, theorem 4.1 as an equality, unit by unit."""
    layer, values = prepared_layer(), random("law: y", _EXAMPLES, _UNITS) * np.logspace(-1, 1, 4)
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


def loss(outputs: Any) -> Any:
    """A smooth function of z, (examples, units), in which the units act on each other."""
    mixing = random("law: mixing", _UNITS, 3)
    return ops.sum(ops.softplus(ops.matmul(outputs, mixing))) + ops.sum(outputs**2) / 2
