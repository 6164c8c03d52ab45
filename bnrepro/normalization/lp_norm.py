"""Normalization by a mini-batch's mean and an l_p norm in place of its standard deviation."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig
from bnrepro.normalization.scaled import Scaled

# The average size of a mini-batch's values, (m, features) to (1, features).
_SIZES: dict[str, Callable[[Any], Any]] = {
    "l1": lambda rows: _mean(ops.abs(rows)),
    "l2": lambda rows: ops.sqrt(_mean(ops.square(rows))),
    "linf": lambda rows: ops.max(ops.abs(rows), axis=0, keepdims=True),
}


@keras.saving.register_keras_serializable("bnrepro")
class LpNormalization(Scaled):
    """Batch normalization by the average l_p norm (https://arxiv.org/abs/1805.11604, section 3.3).

    Training, with the mini-batch's mean and size s_p of each feature map or unit:

        s_p = mean |x| (l1)      sqrt(mean x^2) (l2)      max |x| (linf)
        y = gamma * (x - mean) / sqrt(s_p^2 + epsilon) + beta

    Inference: the same with the moving averages of mean and s_p, `moving = momentum * moving +
    (1 - momentum) * batch`. Statistics are over all axes but the last. Where a mini-batch's mean is
    0, l2 is batch normalization.

    Paper: "the average of their l_p-norm (before shifting the mean)"; epsilon and what is averaged
    with linf are not said. Ours: as above, with epsilon where batch normalization has it.

    May be differentiated twice.
    """

    def __init__(self, norm: str, momentum: float = 0.99, **options: Any) -> None:
        super().__init__(**options)
        self.norm = norm
        self.momentum = momentum

    def build(self, input_shape: tuple[Any, ...]) -> None:
        super().build(input_shape)
        self.moving_norm = self._of_features(input_shape[-1], "moving_norm", "ones")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        values = ops.cast(inputs, self.variable_dtype)
        if training:
            mean, size = self._statistics(values)
            self._move(self.moving_mean, mean)
            self._move(self.moving_norm, size)
        else:
            mean, size = self.moving_mean, self.moving_norm
        return self._scaled((values - mean) / ops.sqrt(ops.square(size) + self.epsilon))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "norm": self.norm, "momentum": self.momentum}

    def _statistics(self, values: Any) -> tuple[Any, Any]:
        """The mini-batch's mean and s_p, (features,) each."""
        rows = ops.reshape(values, (-1, values.shape[-1]))
        return _mean(rows)[0], _SIZES[self.norm](rows)[0]

    def _move(self, average: Any, batch: Any) -> None:
        average.assign(average * self.momentum + batch * (1.0 - self.momentum))


def layer_of(config: RunConfig, norm: str) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config` by the norm of that name."""
    return LpNormalization, {"norm": norm, "momentum": config.batch_normalization.momentum}


def _mean(rows: Any) -> Any:
    """`ops.mean` under JAX computes in float32 whatever it is given."""
    return ops.sum(rows, 0, keepdims=True) / ops.cast(ops.shape(rows)[0], rows.dtype)
