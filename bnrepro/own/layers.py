"""The contract of a normalization of one's own, tried on a few numbers before anything trains."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from bnrepro.config.backend import no_further_framework
from bnrepro.own.faults import Part
from bnrepro.own.state import (
    agree,
    changed_names,
    put_back,
    remembered_beside,
    repeats,
    some_numbers,
    values_of,
)

# Options that no network has: what `get_config` leaves out does not come back.
_UNUSUAL = {"epsilon": 0.37, "scale": False, "center": False}

# From a name to a fresh layer.
Maker = Callable[[str], keras.layers.Layer]


def maker(part: Part, options: dict[str, Any]) -> Maker:
    """A function from a name to a fresh layer, with those of the options that it takes.

    Raises:
        ConfigError: if it is no class of layers.
    """
    kind = part.object
    if not (isinstance(kind, type) and issubclass(kind, keras.layers.Layer)):
        raise part.fault(f"expected a class of keras.layers.Layer, got {part.kind}")
    taken = {key: value for key, value in options.items() if takes(part, key)}

    def make(name: str) -> keras.layers.Layer:
        with part.trying(f"cannot be made with name and {', '.join(taken) or 'nothing else'}"):
            layer: keras.layers.Layer = kind(name=name, **taken)
            return layer

    return make


def takes(part: Part, option: str) -> bool:
    """Whether its constructor names the option."""
    return option in inspect.signature(part.object).parameters


def check(part: Part, options: dict[str, Any], shape: tuple[Any, ...]) -> None:
    """Keep a layer to its contract on examples of that shape, (None, ..., channels).

    Raises:
        ConfigError: naming what it does not keep to, and the remedy.
    """
    with no_further_framework():
        _check(part, options, shape)


def _check(part: Part, options: dict[str, Any], shape: tuple[Any, ...]) -> None:
    make = maker(part, options)
    _check_program(part, make, shape)
    first, second = some_numbers(shape), some_numbers(shape, place=1)
    layer = make("contract")
    with part.trying(f"its call failed on inputs of shape {tuple(first.shape)}"):
        layer(first, training=True)
        layer(first, training=False)
        _check_state(part, layer, first, second)
        _check_inference(part, layer, first)
    _check_initial_values(part, [make("contract") for _ in range(2)], shape)
    _check_config(part, maker(part, {**options, **_UNUSUAL})("contract"), first)


def _check_program(part: Part, make: Maker, shape: tuple[Any, ...]) -> None:
    """Its call can be compiled, and gives the shape that it is given."""
    with part.trying(f"its call cannot be compiled, on inputs of shape {shape}"):
        outputs = make("contract")(keras.KerasTensor(shape, keras.config.floatx()))
    if getattr(outputs, "shape", None) != shape:
        raise part.fault(
            f"expected outputs of the shape of the inputs, {shape}, got "
            f"{getattr(outputs, 'shape', type(outputs).__name__)}; give one value for each that "
            "comes in"
        )


def _check_state(part: Part, layer: keras.layers.Layer, first: Any, second: Any) -> None:
    """What it remembers lies in variables, and what it draws follows from them."""
    library = keras.layers.Identity()
    library(first)
    start = values_of(layer.variables)
    before = remembered_beside(layer, library)
    outputs = layer(first, training=True)
    layer(second, training=False)
    layer(second, training=True)
    changed = changed_names(before, remembered_beside(layer, library))
    if changed:
        raise part.fault(
            f"its call changes {', '.join(changed)}, which is no weight: a compiled step and a "
            "checkpoint would lose it; keep it by self.add_weight(..., trainable=False)"
        )
    put_back(layer.variables, start)
    if not repeats(outputs, layer(first, training=True)):
        raise part.fault(
            "the same weights and inputs gave other outputs the second time: it draws at random "
            "outside of the seeds, or keeps something outside of its weights; draw with a "
            "keras.random.SeedGenerator(0) that the layer keeps"
        )
    put_back(layer.variables, start)


def _check_inference(part: Part, layer: keras.layers.Layer, inputs: Any) -> None:
    """Without state there is nothing that inference could have from training."""
    if layer.non_trainable_variables:
        return
    if not agree(layer(inputs, training=True), layer(inputs, training=False)):
        raise part.fault(
            "inference gives other outputs than training, and it keeps no state from which they "
            "could come; compute both alike, or keep averages by "
            "self.add_weight(..., trainable=False)"
        )


def _check_initial_values(
    part: Part, layers: list[keras.layers.Layer], shape: tuple[Any, ...]
) -> None:
    """Weights begin the same each time; those that end in `kernel` are drawn by the run."""
    for layer in layers:
        layer.build(shape)
    for one, other in zip(*(layer.variables for layer in layers), strict=True):
        first, second = values_of([one, other])
        if not one.name.endswith("kernel") and not np.array_equal(first, second, equal_nan=True):
            raise part.fault(
                f"its weight {one.name} begins at random, outside of the seeds; give it an "
                "initializer without chance such as 'ones', or a name that ends in 'kernel', "
                "which the run draws from its seed"
            )


def _check_config(part: Part, layer: keras.layers.Layer, inputs: Any) -> None:
    """It comes back from its config: what is saved is what is loaded."""
    remedy = "return {**super().get_config(), ...} with every argument of __init__"
    with part.trying(f"its get_config and from_config failed ({remedy})"):
        layer(inputs, training=True)
        config = layer.get_config()
        again = type(layer).from_config(config)
        again.build(inputs.shape)
    lost = [key for key, value in config.items() if again.get_config().get(key) != value]
    shapes = [[tuple(each.shape) for each in one.variables] for one in (layer, again)]
    if not lost and shapes[0] == shapes[1]:
        put_back(again.variables, values_of(layer.variables))
        if agree(layer(inputs, training=True), again(inputs, training=True)):
            return
    raise part.fault(f"get_config does not say all that makes it what it is; {remedy}")
