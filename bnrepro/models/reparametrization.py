"""Layers of Keras's whose weights are a function of what is trained."""

from typing import Any

import keras
from keras import ops


class Reparametrized(keras.layers.Layer):
    """Stands before `Dense` or `Conv2D` among a layer's bases: `kernel` is what it multiplies by.

    The variable that the plain layer has for it keeps its name and shape, so that it is drawn, kept
    and weighed by L2 as that one is.
    """

    def reparametrized(self, variable: Any) -> Any:
        """The weights, of the shape of the kernel's variable, (..., outputs)."""
        raise NotImplementedError

    @property
    def kernel(self) -> Any:
        """The weights as they stand, in the format of the layer's products."""
        weights = self.reparametrized(ops.convert_to_tensor(self._kernel))
        return ops.cast(weights, self.compute_dtype)

    def add_weight(self, *args: Any, **options: Any) -> Any:
        # Norms of numbers in half precision would have two digits.
        return super().add_weight(*args, **{"autocast": options.get("name") == "bias", **options})

    def save_own_variables(self, store: Any) -> None:
        # All of them: those of the plain layer would be `kernel` and bias.
        keras.layers.Layer.save_own_variables(self, store)

    def load_own_variables(self, store: Any) -> None:
        keras.layers.Layer.load_own_variables(self, store)
