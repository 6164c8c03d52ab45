"""Derivatives of a function of one array, under the backend that Keras has."""

from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.engine.probe import Calculus, Function


def gradient(function: Function, point: np.ndarray) -> np.ndarray:
    """The gradient of a scalar function of an array, of the array's shape."""
    return np.asarray(_calculus().value_and_gradient(function, ops.convert_to_tensor(point))[1])


def hessian_product(function: Function, point: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """The Hessian of a scalar function at an array times a direction, of the array's shape."""
    at, along = ops.convert_to_tensor(point), ops.convert_to_tensor(direction)
    return np.asarray(_calculus().hessian_product(function, at, along))


def in_training(layer: keras.layers.Layer) -> Function:
    """A built layer as it normalizes in training; what it would update is thrown away."""

    def normalize(values: Any) -> Any:
        with keras.StatelessScope():
            return layer(values, training=True)

    return normalize


def _calculus() -> Calculus:
    if keras.config.backend() == "jax":
        from bnrepro.engine.calculus_jax import JaxCalculus

        return JaxCalculus(loops=True)
    from bnrepro.engine.calculus_tensorflow import TensorFlowCalculus

    return TensorFlowCalculus(loops=True)
