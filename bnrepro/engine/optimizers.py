"""Update rules; the learning rates that they are given are those of `schedules`."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from bnrepro import own
from bnrepro.config import OptimizerConfig, Recipe
from bnrepro.config.own import parse
from bnrepro.own import optimizers as own_optimizers


def build(config: Recipe) -> keras.optimizers.Optimizer:
    """The update rule of `config`, with learning rate 0: the engine sets it at every step."""
    constants = _constants(config)
    if parse(config.optimizer.name) is not None:
        part = own.load("optimizer.name", config.optimizer.name)
        options = {key: value for key, value in vars(constants).items() if key != "name"}
        return own_optimizers.build(part, options)
    return _OPTIMIZERS[config.optimizer.name](constants)


def _constants(config: Recipe) -> OptimizerConfig:
    """The constants of the update rule; in double precision as NumPy's numbers.

    Where Keras casts a constant to the type of the weights, TensorFlow first makes a Python float a
    float32, and leaves a NumPy float64 as it is.
    """
    rule = config.optimizer
    if config.dtype != "float64":
        return rule
    numbers: dict[str, Any] = {
        name: np.float64(value)
        for name, value in dataclasses.asdict(rule).items()
        if isinstance(value, float)
    }
    return replace(rule, **numbers)


@contextmanager
def momentum_of(optimizer: keras.optimizers.Optimizer, value: Any) -> Iterator[None]:
    """Inside, an update rule with momentum has `value`, a tensor above 0; None: its own.

    A rule without momentum (`momentum` is 0, or there is none) stays as it is.
    """
    own = getattr(optimizer, "momentum", 0)
    if value is None or own == 0:
        yield
        return
    optimizer.momentum = _AboveZero(value)
    try:
        yield
    finally:
        optimizer.momentum = own


class _AboveZero:
    """A tensor whose number is not known yet, while Keras asks whether it is 0."""

    def __init__(self, value: Any) -> None:
        self._value = value
        self.dtype = value.dtype

    def __jax_array__(self) -> Any:
        return self._value

    def __gt__(self, _: float) -> bool:
        return True

    __ne__ = __gt__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


def _sgd(_: OptimizerConfig) -> keras.optimizers.Optimizer:
    """`w -= rate * gradient`."""
    return keras.optimizers.SGD(0.0, name="sgd")


def _momentum(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """`v = momentum * v - rate * gradient; w += v`: the velocity contains the rates."""
    return keras.optimizers.SGD(0.0, momentum=config.momentum, name="momentum")


def _nesterov(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """`v = momentum * v - rate * gradient; w += momentum * v - rate * gradient`."""
    return keras.optimizers.SGD(0.0, momentum=config.momentum, nesterov=True, name="nesterov")


def _adagrad(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """`w -= rate * gradient / sqrt(sum of squared gradients + epsilon)` (Duchi et al. 2011).

    The sum begins at 0 as in the paper, where Keras would begin at 0.1.
    """
    return keras.optimizers.Adagrad(
        0.0, initial_accumulator_value=0.0, epsilon=config.epsilon, name="adagrad"
    )


def _rmsprop(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """Adagrad with a moving mean of weight `rho` in place of the sum (Hinton, lecture 6e)."""
    return keras.optimizers.RMSprop(
        0.0, rho=config.rho, momentum=config.momentum, epsilon=config.epsilon, name="rmsprop"
    )


def _adam(config: OptimizerConfig) -> keras.optimizers.Optimizer:
    """Bias-corrected first moment over the root of the second (https://arxiv.org/abs/1412.6980)."""
    return keras.optimizers.Adam(
        0.0, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=config.epsilon, name="adam"
    )


_OPTIMIZERS: dict[str, Callable[[OptimizerConfig], keras.optimizers.Optimizer]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adam": _adam,
}
