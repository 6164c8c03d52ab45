"""A normalization on given values: fresh layers, their outputs, gradients and weights, in NumPy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.engine.probe import Calculus
from bnrepro.lab.setting import random

Make = Callable[[], keras.layers.Layer]

UNITS, FAN_IN = 16, 12


@dataclass(frozen=True)
class Inputs:
    """A kind of values that a normalization is given; every axis is of even length."""

    name: str
    leading: tuple[int, ...]  # examples and, for feature maps, rows and columns
    axes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a mini-batch, (examples, ..., units)."""
        return (*self.leading, UNITS)

    def values(self, purpose: str) -> np.ndarray:
        """A mini-batch of standard normal numbers."""
        return random(f"compare {self.name} {purpose}", *self.shape)

    def below(self) -> tuple[np.ndarray, np.ndarray]:
        """(u, W): what the layer below has, and the weights between; Wu is about 1 in size."""
        u = random(f"compare {self.name} u", *self.leading, FAN_IN)
        return u, random("compare W", FAN_IN, UNITS) / np.sqrt(FAN_IN)

    def balanced(self) -> np.ndarray:
        """A mini-batch of 1 and -1 that has mean 0 and variance 1 along every axis and over all."""
        return np.asarray((-1.0) ** np.indices(self.shape).sum(axis=0))


VECTORS = Inputs("vectors", (16,), ("examples", "units"))
FEATURE_MAPS = Inputs("feature maps", (6, 4, 4), ("examples", "rows", "columns", "channels"))


class Subject:
    """A normalization under test; each question is put to a fresh layer."""

    def __init__(self, make: Make, inputs: Inputs) -> None:
        """`make` gives a fresh layer under Keras's present dtype policy."""
        self._make = make
        self.inputs = inputs

    def fresh(self) -> keras.layers.Layer:
        """A layer as it is before the first step."""
        layer = self._make()
        layer.build((None, *self.inputs.shape[1:]))
        return layer

    def drawn(self) -> keras.layers.Layer:
        """A fresh layer whose own parameters are drawn at random, between 1/2 and 3/2."""
        layer = self.fresh()
        for position, weight in enumerate(layer.trainable_variables):
            noise = np.tanh(random(f"compare parameter {position}", *weight.shape))
            weight.assign(1 + noise / 2)
        return layer

    def is_random(self) -> bool:
        """Whether a second step from the same weights has other outputs."""
        layer, values = self.fresh(), self.inputs.values("x")
        state = [weight.numpy() for weight in layer.weights]
        first = outputs(layer, values, training=True)
        for weight, value in zip(layer.weights, state, strict=True):
            weight.assign(value)
        return not np.array_equal(outputs(layer, values, training=True), first)

    def training(self, values: np.ndarray) -> np.ndarray:
        """What a fresh layer makes of a mini-batch in training."""
        return outputs(self.fresh(), values, training=True)


def outputs(layer: keras.layers.Layer, values: np.ndarray, training: bool) -> np.ndarray:
    """The outputs in float64, whatever the layer computes in."""
    given = ops.convert_to_tensor(values, layer.compute_dtype)
    # NumPy has no bfloat16.
    wide = "float64" if layer.compute_dtype == "float64" else "float32"
    made = ops.cast(layer(given, training=training), wide)
    return np.asarray(ops.convert_to_numpy(made), np.float64)


def weights(layer: keras.layers.Layer) -> list[np.ndarray]:
    """The values of all its weights, state among them: averages, and a state of random numbers."""
    return [variable.numpy() for variable in layer.variables]


def with_weights(layer: keras.layers.Layer, values: Sequence[np.ndarray]) -> keras.layers.Layer:
    """The layer, given these weights."""
    for variable, value in zip(layer.variables, values, strict=True):
        variable.assign(value)
    return layer


def gradients(
    layer: keras.layers.Layer,
    function: Callable[..., Any],
    arguments: Sequence[np.ndarray],
    direction: np.ndarray,
) -> list[np.ndarray]:
    """Gradients of `sum(direction * N(function(arguments)))` to arguments and parameters.

    N is the layer in training. Nothing in it is updated.
    """
    # As a model: a layer's own `stateless_call` does not leave out a `training` that it lacks.
    images = keras.Input(direction.shape[1:], dtype=layer.compute_dtype)
    model = keras.Model(images, layer(images))
    own = [ops.convert_to_tensor(weight.value) for weight in layer.trainable_variables]
    state = [ops.convert_to_tensor(weight.value) for weight in layer.non_trainable_variables]
    given = [ops.convert_to_tensor(each, layer.compute_dtype) for each in arguments]

    def value(point: list[Any]) -> Any:
        values = function(*point[: len(given)])
        made, _ = model.stateless_call(point[len(given) :], state, values, training=True)
        return ops.sum(made * ops.convert_to_tensor(direction, made.dtype))

    point = [*given, *own]
    _, found = _calculus().value_and_gradient(value, point)
    return [
        np.zeros(of.shape) if gradient is None else np.asarray(ops.convert_to_numpy(gradient))
        for gradient, of in zip(found, point, strict=True)
    ]


def _calculus() -> Calculus:
    if keras.config.backend() == "jax":
        from bnrepro.engine.calculus_jax import JaxCalculus

        return JaxCalculus(loops=False)
    from bnrepro.engine.calculus_tensorflow import TensorFlowCalculus

    return TensorFlowCalculus(loops=False)


@contextmanager
def policy(name: str) -> Iterator[None]:
    """Layers that are made inside compute and store as the dtype policy says."""
    floatx, before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(before)
