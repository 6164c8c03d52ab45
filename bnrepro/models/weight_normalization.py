"""Weight normalization (Salimans and Kingma 2016): length and direction of weights, apart."""

from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.models.reparametrization import Reparametrized


class WeightNormalized(Reparametrized):
    """Weights `gain * v / |v|` per unit or feature map (https://arxiv.org/abs/1602.07868, eq. 2).

    v is the kernel's variable, (..., outputs); the gain, (outputs,), is trained beside it.
    `initial_weights` has it begin at |v|, so that the network begins as the plain one, and
    `from_batch` fits it to a mini-batch.
    """

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        shape = self._kernel.shape[-1:]
        self.gain = self.add_weight(name="gain", shape=shape, initializer="ones")

    @property
    def direction(self) -> Any:
        """The variable v."""
        return self._kernel

    def reparametrized(self, variable: Any) -> Any:
        return weights(ops.convert_to_tensor(self.gain), variable)


@keras.saving.register_keras_serializable("bnrepro")
class WeightNormalizedDense(WeightNormalized, keras.layers.Dense):
    """`Dense` with weights as `WeightNormalized` has them, in training and inference."""


@keras.saving.register_keras_serializable("bnrepro")
class WeightNormalizedConv2D(WeightNormalized, keras.layers.Conv2D):
    """`Conv2D` with weights as `WeightNormalized` has them, in training and inference."""


def weights(gain: Any, v: Any) -> Any:
    """`gain * v / |v|`, (..., outputs): the norm is over all that one output sums."""
    return gain * v / ops.sqrt(ops.sum(v * v, axis=tuple(range(v.ndim - 1))))


def lengths(v: np.ndarray) -> np.ndarray:
    """|v| of each output, (outputs,)."""
    norms: np.ndarray = np.linalg.norm(v.reshape(-1, v.shape[-1]), axis=0)
    return norms
