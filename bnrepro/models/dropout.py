"""Dropout whose random state has the same path in every process, as a checkpoint needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras

_IS_OFF = ContextVar("dropout_is_off", default=False)


@contextmanager
def without_dropout() -> Iterator[None]:
    """While a program is traced inside, nothing is dropped in training mode either.

    What is looked at in a network behind a dropout, in batch mode, is then free of it.
    """
    token = _IS_OFF.set(True)
    try:
        yield
    finally:
        _IS_OFF.reset(token)


@keras.saving.register_keras_serializable("bnrepro")
class Dropout(keras.layers.Layer):
    """Sets a share `rate` of the activations to 0 and multiplies the others by 1 / (1 - rate).

    Inference: the identity. https://jmlr.org/papers/v15/srivastava14a.html. Keras's own layer
    numbers its random generator through the whole process, so that the path of its state would
    depend on what was built before.
    """

    def __init__(self, rate: float, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed, name=f"{self.name}_seed")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or _IS_OFF.get():
            return inputs
        return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
