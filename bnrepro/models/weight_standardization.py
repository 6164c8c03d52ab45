"""Scaled weight standardization (Brock et al. 2021): weights that keep a variance of 1."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.models.reparametrization import Reparametrized

# Below it a variance counts as so much: the weights of one input are their own mean.
_LEAST_VARIANCE = 1e-12
_NODES = 200
_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "gelu": lambda z: z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2,
}
# In closed form: the variance of ReLU of a standard normal number is (1 - 1 / pi) / 2.
_VARIANCES = {"linear": 1.0, "relu": (1 - 1 / math.pi) / 2}


class WeightStandardized(Reparametrized):
    """Weights `gain * (W - mean) / (deviation * sqrt(n))` of each output, over the n that it sums.

    https://arxiv.org/abs/2101.08692, equation 1. They sum to 0 and their squares to gain^2, so that
    inputs of equal means and of variance 1 / gain^2 give outputs of mean 0 and variance 1. `gain`
    is a constant of the activation before, see `gain_of`. W is the kernel's variable.

    Paper: the gain is that of the activation at all layers, also where images come in. Ours: too.
    """

    def __init__(self, *args: Any, gain: float = 1.0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.gain = gain

    def reparametrized(self, variable: Any) -> Any:
        axes = tuple(range(variable.ndim - 1))
        count = math.prod(variable.shape[:-1])
        centred = variable - ops.sum(variable, axes) / count
        variance = ops.maximum(ops.sum(centred * centred, axes) / count, _LEAST_VARIANCE)
        return centred * (self.gain / ops.sqrt(variance * count))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


@keras.saving.register_keras_serializable("bnrepro")
class WeightStandardizedDense(WeightStandardized, keras.layers.Dense):
    """`Dense` with weights as `WeightStandardized` has them, in training and inference."""


@keras.saving.register_keras_serializable("bnrepro")
class WeightStandardizedConv2D(WeightStandardized, keras.layers.Conv2D):
    """`Conv2D` with weights as `WeightStandardized` has them, in training and inference."""


def gain_of(activation: str) -> float:
    """1 over the deviation of that activation of a standard normal number; 1.7129 for ReLU.

    By Gauss and Hermite's quadrature where there is no closed form.
    """
    if activation in _VARIANCES:
        return 1 / math.sqrt(_VARIANCES[activation])
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    values, shares = _ACTIVATIONS[activation](nodes), weights / weights.sum()
    return float(1 / np.sqrt(shares @ (values - shares @ values) ** 2))
