"""A flat view of a network's trainable variables: one vector, and what each stretch of it is."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

KINDS = ("kernel", "bias", "gamma", "beta")


@dataclass(frozen=True)
class Parameter:
    """One trainable variable and its stretch of the vector."""

    path: str  # of the variable: "hidden_1/kernel"
    kind: str  # one of `KINDS`, else the variable's own name
    layer: int  # position of its layer in the model, from the inputs up
    shape: tuple[int, ...]
    start: int
    stop: int


class Layout:
    """Where each trainable variable of a model lies in a vector of all of them."""

    def __init__(self, model: keras.Model) -> None:
        self.parameters: list[Parameter] = []
        layer_of = {id(v): i for i, layer in enumerate(model.layers) for v in layer.variables}
        for variable in model.trainable_variables:
            start, shape = self.size, tuple(variable.shape)
            self.parameters.append(
                Parameter(
                    path=variable.path,
                    kind=_kind(variable.name),
                    layer=layer_of[id(variable)],
                    shape=shape,
                    start=start,
                    stop=start + int(np.prod(shape)),
                )
            )

    @property
    def size(self) -> int:
        """The number of weights."""
        return self.parameters[-1].stop if self.parameters else 0

    def mask(self, *kinds: str, layers: range | None = None) -> np.ndarray:
        """Which entries of the vector are of these kinds (all without any), (size,) bool."""
        mask = np.zeros(self.size, bool)
        for parameter in self.parameters:
            chosen = not kinds or parameter.kind in kinds
            here = layers is None or parameter.layer in layers
            mask[parameter.start : parameter.stop] = chosen and here
        return mask

    def join(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """One vector, (size,), of arrays by the paths of their variables."""
        return np.concatenate([values[parameter.path].ravel() for parameter in self.parameters])

    def split(self, vector: Any) -> list[Any]:
        """The tensors of a vector in the order of the model's trainable variables; traceable."""
        return [
            ops.reshape(vector[parameter.start : parameter.stop], parameter.shape)
            for parameter in self.parameters
        ]

    def arrays(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays of a vector by the paths of their variables: what `join` made one."""
        return {
            each.path: vector[each.start : each.stop].reshape(each.shape)
            for each in self.parameters
        }


def filter_normalized(layout: Layout, point: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """`noise` with every filter as long as that of `point`, 0 for what has no filters, (size,).

    Li et al. 2018 (https://arxiv.org/abs/1712.09913), section 4: d <- d |w| / (|d| + 1e-10), where
    w is all weights that make one output channel.
    """
    weights, directions = layout.arrays(point), layout.arrays(noise)
    return layout.join({path: _as_long(directions[path], weights[path]) for path in weights})


def _as_long(direction: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if weights.ndim < 2:
        return np.zeros_like(direction)
    axes = tuple(range(weights.ndim - 1))
    lengths, own = (
        np.sqrt((each**2).sum(axis=axes, keepdims=True)) for each in (weights, direction)
    )
    return direction * lengths / (own + 1e-10)


def _kind(name: str) -> str:
    """`depthwise_kernel` is a kernel too."""
    return next((kind for kind in KINDS if name == kind or name.endswith(f"_{kind}")), name)
