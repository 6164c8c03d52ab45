"""Gradients grow backward through a deep network with batch normalization (Yang et al. 2019).

Layers `y = W x`, Var W = 1/n, `x' = phi(BN(y))` at initialization. Without an activation the layer
takes two of B directions out of the gradient and its own deviation fluctuates: (B - 2) / (B - 3)
per layer. ReLU of a standard normal has variance 1/2 - 1/(2 pi) over the batch, by which BN divides
the gradient that ReLU halves: pi / (pi - 1) for large batches. Without normalization He's weights,
Var W = 2/n, keep the gradient's length.
"""

from functools import cache
from typing import Any

import numpy as np
from keras import ops

from bnrepro.engine.probe import Function
from bnrepro.lab.laws.calculus import gradient, in_training
from bnrepro.lab.setting import batch_normalization, random
from bnrepro.verdicts.criteria import Criterion
from bnrepro.verdicts.verdict import Verdict, judge

# The laws are of infinite width; at this width and depth a mean over the layers scatters by 1 %.
# The law of ReLU is that of large batches: at 128 it is half a percent off.
_TOLERANCE = 0.03

CRITERIA = {
    f"X6.{key}": Criterion(
        "X6", f"{words}: |growth per layer over {law} - 1|", "at most", _TOLERANCE
    )
    for key, words, law in (
        ("identity_8", "no activation, batches of 8", "6/5"),
        ("identity_32", "no activation, batches of 32", "30/29"),
        ("relu_128", "ReLU, batches of 128", "pi/(pi - 1)"),
        ("without", "ReLU and He's weights without normalization", "1"),
    )
}

_WIDTH, _DEPTH = 400, 24


def verdicts() -> list[Verdict]:
    """X6."""
    found = {
        "X6.identity_8": (growth(8, "linear"), 6 / 5),
        "X6.identity_32": (growth(32, "linear"), 30 / 29),
        "X6.relu_128": (growth(128, "relu"), np.pi / (np.pi - 1)),
        "X6.without": (growth(128, "relu", normalized=False), 1.0),
    }
    return [
        judge(CRITERIA[key], abs(value / law - 1), f"{value:.4f} by {law:.4f}")
        for key, (value, law) in found.items()
    ]


def growth(batch: int, activation: str, normalized: bool = True) -> float:
    """By how much the squared gradient grows from a layer to the one below, geometric mean.

    The first layer is left out: no activation has passed its inputs.
    """
    lengths = squared_gradients(batch, activation, normalized)[1:]
    return float((lengths[0] / lengths[-1]) ** (1 / (len(lengths) - 1)))


def squared_gradients(
    batch: int, activation: str, normalized: bool, *, skips: bool = False, seed: int = 0
) -> np.ndarray:
    """|dL/dy|^2 of each layer, from the inputs up, of a random linear function L of the outputs.

    All at once: by what would be added to each y, at 0. With `skips` a layer adds its inputs.
    """
    direction = random("law: direction of outputs", batch, _WIDTH, seed=seed)
    normalize = _layer(batch) if normalized else None
    deviation = np.sqrt((1 if normalized else 2) / _WIDTH)

    def loss(added: Any) -> Any:
        values = ops.convert_to_tensor(random("law: inputs", batch, _WIDTH, seed=seed))
        for n, kernel in enumerate(standard_kernels(seed)):
            inner = ops.matmul(values, deviation * kernel) + added[n]
            inner = inner if normalize is None else normalize(inner)
            inner = ops.relu(inner) if activation == "relu" else inner
            values = values + inner if skips else inner
        return ops.sum(values * direction)

    slopes = gradient(loss, np.zeros((_DEPTH, batch, _WIDTH)))
    return (slopes**2).sum(axis=(1, 2))


@cache
def standard_kernels(seed: int = 0) -> list[np.ndarray]:
    """Kernels of variance 1, the same for all networks, (inputs, units) each."""
    return [random(f"law: kernel {n}", _WIDTH, _WIDTH, seed=seed) for n in range(_DEPTH)]


def _layer(batch: int) -> Function:
    """The project's layer in training, with its initial gamma and beta."""
    layer = batch_normalization()
    layer.build((batch, _WIDTH))
    return in_training(layer)
