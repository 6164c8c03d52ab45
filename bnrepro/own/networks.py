"""The contract of a network of one's own: a function that makes hidden layers, or a whole model."""

import inspect
from typing import Any

import keras
import numpy as np

from bnrepro.own.faults import Part
from bnrepro.own.state import values_of

# What it may be given, by the names of its arguments.
GIVEN = ("images", "units", "config", "input_shape", "num_classes")


def made(part: Part, given: dict[str, Any]) -> Any:
    """What the function gives for those of `GIVEN` that it names.

    A model is the whole network, as one graph of layers; a tensor, (None, units), is what the
    classifier is put on.

    Raises:
        ConfigError: if it fails, or gives something else.
    """
    if not callable(part.object):
        raise part.fault(f"expected a function of {', '.join(GIVEN)}, got {part.kind}")
    named = inspect.signature(part.object).parameters
    unknown = [name for name, each in named.items() if name not in GIVEN and _is_needed(each)]
    if unknown:
        raise part.fault(
            f"asks for {', '.join(unknown)}: expected arguments among {', '.join(GIVEN)}"
        )
    with part.trying("it cannot be built"):
        found = part.object(**{name: given[name] for name in GIVEN if name in named})
    if isinstance(found, keras.Model):
        return _whole(part, found, given["num_classes"])
    if not isinstance(found, keras.KerasTensor) or len(found.shape) != 2:
        raise part.fault(
            "expected features of shape (None, units), or a keras.Model, got "
            f"{getattr(found, 'shape', type(found).__name__)}; end with a pool or Flatten"
        )
    return found


def check_beginning(part: Part, first: Any, second: Any) -> None:
    """Weights that the run does not draw begin the same in a model that is built again.

    Raises:
        ConfigError: naming one that does not.
    """
    for one, other in zip(first.variables, second.variables, strict=True):
        if one.name.endswith("kernel") or one.name == "seed_generator_state":
            continue
        a, b = values_of([one, other])
        if not np.array_equal(a, b, equal_nan=True):
            raise part.fault(
                f"its weight {one.path} begins at random, outside of the seeds; give it an "
                "initializer without chance or with a seed, or a name that ends in 'kernel', "
                "which the run draws from its seed"
            )


def _whole(part: Part, model: keras.Model, num_classes: int) -> keras.Model:
    """The model as one graph of layers."""
    try:
        graph = keras.Model(model.inputs, model.outputs, name=model.name)
    except (AttributeError, TypeError, ValueError) as error:
        raise part.fault(
            "expected a model whose layers are known, made by keras.Model(inputs, outputs) or "
            "keras.Sequential that begins with keras.Input"
        ) from error
    nested = [layer.name for layer in graph.layers if isinstance(layer, keras.Model)]
    if nested:
        raise part.fault(f"holds the model {nested[0]}; call its layers one by one in place of it")
    shapes = [each.shape for each in graph.outputs]
    if shapes != [(None, num_classes)]:
        raise part.fault(f"expected one output of shape {(None, num_classes)}, got {shapes}")
    last = graph.layers[-1]
    if isinstance(last, keras.layers.Softmax) or _is_softmax(getattr(last, "activation", None)):
        raise part.fault("gives probabilities; expected logits: leave the softmax out")
    if graph.outputs[0].dtype != keras.config.floatx():
        raise part.fault(
            f"gives logits as {graph.outputs[0].dtype}; make the last layer with "
            f"dtype='{keras.config.floatx()}'"
        )
    return graph


def _is_softmax(activation: Any) -> bool:
    return activation is keras.activations.softmax


def _is_needed(parameter: inspect.Parameter) -> bool:
    collects = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and parameter.kind not in collects
