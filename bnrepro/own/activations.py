"""The contract of an activation of one's own, tried on a few numbers before anything trains."""

from typing import Any

import keras

from bnrepro.config.backend import no_further_framework
from bnrepro.own.faults import Part
from bnrepro.own.state import repeats, some_numbers


def check(part: Part, shape: tuple[Any, ...]) -> None:
    """Keep a function of a tensor to its contract on inputs of that shape, (None, ...).

    Raises:
        ConfigError: naming what it does not keep to, and the remedy.
    """
    if isinstance(part.object, type) or not callable(part.object):
        raise part.fault(f"expected a function of a tensor, got {part.kind}")
    with no_further_framework():
        with part.trying(f"it cannot be compiled, on inputs of shape {shape}"):
            # The layer of activations takes the shape of its outputs for granted.
            layer = keras.layers.Lambda(part.object, name="contract")
            outputs = layer(keras.KerasTensor(shape, keras.config.floatx()))
        if getattr(outputs, "shape", None) != shape:
            raise part.fault(
                f"expected outputs of the shape of the inputs, {shape}, got "
                f"{getattr(outputs, 'shape', type(outputs).__name__)}; give one value for each "
                "that comes in"
            )
        with part.trying("it failed on a few numbers"):
            inputs = some_numbers(shape)
            first, second = (layer(inputs) for _ in range(2))
        if not repeats(first, second):
            raise part.fault(
                "the same inputs gave other outputs the second time: it draws at random outside "
                "of the seeds, or keeps something; an activation is a function of its input alone"
            )
