"""A network's graph built again over its own layers, for looking at it without disturbing it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from bnrepro.models.spectral_normalization import SpectrallyNormalized
from bnrepro.normalization.mean_only import MeanOnlyBatchNormalization
from bnrepro.normalization.moments import TwiceDifferentiable

Call = Callable[..., Any]


@dataclass
class Walk:
    """A graph over the layers of another, with the input of each call of a layer, in order."""

    model: keras.Model
    calls: list[tuple[keras.layers.Layer, Any]] = field(default_factory=list)

    def inputs_of(self, *kinds: type[keras.layers.Layer]) -> list[tuple[keras.layers.Layer, Any]]:
        """The layers of those kinds, each with the symbolic tensor that it is called on."""
        return [(layer, tensor) for layer, tensor in self.calls if isinstance(layer, kinds)]


class AsAtInference(keras.layers.Layer):
    """A layer as it infers, also where the network around it is in training mode."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=f"{layer.name}_as_at_inference")
        self.layer = layer

    def call(self, inputs: Any) -> Any:
        return self.layer(inputs, training=False)


def undisturbed(layer: keras.layers.Layer) -> Call | None:
    """What computes as a layer does and neither draws nor updates anything; None for nothing.

    Layers that draw at random and have no weights (dropout, noise) are left out, batch
    normalization is put in a form that can be differentiated twice, and spectral normalization
    keeps its singular vectors.
    """
    if _only_draws(layer):
        return None
    if isinstance(layer, SpectrallyNormalized):
        return AsAtInference(layer)
    return TwiceDifferentiable(layer) if _differentiates_once(layer) else layer


def walk(model: keras.Model, called: Callable[[keras.layers.Layer], Call | None]) -> Walk:
    """Go through a functional model, calling its own layers again: the variables are shared.

    `called` says what is called in place of a layer, None for nothing.

    Raises:
        ValueError: if the model is not functional, so that Keras does not know its graph.
    """
    calls: list[tuple[keras.layers.Layer, Any]] = []

    def call(layer: keras.layers.Layer, *args: Any, **options: Any) -> Any:
        instead = called(layer)
        if instead is None:
            return args[0]
        calls.append((layer, args[0]))
        return instead(*args, **options) if instead is layer else instead(args[0])

    again = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call)
    return Walk(again, calls)


def walk_as_it_is(model: keras.Model) -> Walk:
    """Go through a functional model as `walk`, leaving nothing out.

    Raises:
        ValueError: if the model is not functional, so that Keras does not know its graph.
    """
    return walk(model, lambda layer: layer)


def _differentiates_once(layer: keras.layers.Layer) -> bool:
    is_batch = isinstance(layer, keras.layers.BatchNormalization)
    return is_batch and not isinstance(layer, MeanOnlyBatchNormalization)


def _only_draws(layer: keras.layers.Layer) -> bool:
    """A layer that draws at random and has no weights: Keras's dropouts and noises, and ours."""
    return getattr(layer, "seed_generator", None) is not None and not layer.weights
