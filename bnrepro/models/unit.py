"""The one place where weights, normalization and activation are put in order."""

from collections.abc import Callable
from typing import Any

import keras

from bnrepro import normalization, own
from bnrepro.config import ConfigError, RunConfig
from bnrepro.config.own import parse
from bnrepro.models.dropout import Dropout
from bnrepro.models.gelu import gelu
from bnrepro.models.local_response import LocalResponseNormalization
from bnrepro.models.spectral_normalization import (
    SpectrallyNormalizedConv2D,
    SpectrallyNormalizedDense,
)
from bnrepro.models.weight_normalization import WeightNormalizedConv2D, WeightNormalizedDense
from bnrepro.models.weight_standardization import (
    WeightStandardizedConv2D,
    WeightStandardizedDense,
    gain_of,
)
from bnrepro.own import activations

# By `reparametrization`.
_DENSE: dict[str | None, type[keras.layers.Dense]] = {
    None: keras.layers.Dense,
    "weight": WeightNormalizedDense,
    "weight_from_data": WeightNormalizedDense,
    "spectral": SpectrallyNormalizedDense,
    "scaled_weight_standardization": WeightStandardizedDense,
}
_CONVOLUTIONS: dict[str | None, type[keras.layers.Conv2D]] = {
    None: keras.layers.Conv2D,
    "weight": WeightNormalizedConv2D,
    "weight_from_data": WeightNormalizedConv2D,
    "spectral": SpectrallyNormalizedConv2D,
    "scaled_weight_standardization": WeightStandardizedConv2D,
}
# `models.build` sets all weights from the seed; what Keras would draw, layer by layer, is waste.
UNDRAWN = "zeros"


class Units:
    """Makes the hidden layers of one network and remembers what is watched in them.

    Paper: section 3.2, `z = g(BN(Wu))`, normalization before the activation g. `placement` may put
    it after (`BN(g(Wu + b))`) or leave it out (`g(Wu + b)`).
    """

    def __init__(self, config: RunConfig) -> None:
        self.pre_activations: dict[str, Any] = {}  # the input of each activation, by the unit
        self.batch_normalizations: list[keras.layers.Layer] = []
        self.normalization_inputs: list[Any] = []  # what each of those sees
        self.is_dense = True  # until a unit is a convolution
        self._seen: set[tuple[str, int]] = set()  # for which ranks parts of one's own were tried
        self._config = config

    def dense(self, inputs: Any, size: int, name: str, last_hidden: bool = False) -> Any:
        """A fully connected layer of `size` units at width 1, (batch, units)."""
        dense = _DENSE[self._config.reparametrization]
        weights = dense(
            self.scaled(size),
            use_bias=self._use_bias,
            kernel_initializer=UNDRAWN,
            name=name,
            **self._of_weights,
        )
        return self._complete(weights(inputs), name, last_hidden)

    def convolution(
        self,
        inputs: Any,
        maps: int,
        kernel_size: int,
        name: str,
        strides: int = 1,
        last_hidden: bool = False,
        joined: Callable[[Any], Any] | None = None,
    ) -> Any:
        """A convolution to `maps` feature maps at width 1, padded to (height / strides, ...).

        `joined` is what its outputs pass through just before the activation, as where a shortcut
        joins them.
        """
        self.is_dense = False
        convolution = _CONVOLUTIONS[self._config.reparametrization]
        weights = convolution(
            self.scaled(maps),
            kernel_size,
            strides,
            padding="same",
            use_bias=self._use_bias,
            kernel_initializer=UNDRAWN,
            name=name,
            **self._of_weights,
        )
        return self._complete(weights(inputs), name, last_hidden, joined)

    def separable_convolution(
        self,
        inputs: Any,
        maps: int,
        kernel_size: int,
        depth_multiplier: int,
        strides: int,
        name: str,
    ) -> Any:
        """A convolution within each channel, then one across them, without anything in between.

        Raises:
            ConfigError: under a reparametrization, which is of one kernel.
        """
        self._refuse_two_kernels(name)
        self.is_dense = False
        weights = keras.layers.SeparableConv2D(
            self.scaled(maps),
            kernel_size,
            strides,
            padding="same",
            depth_multiplier=depth_multiplier,
            use_bias=self._use_bias,
            depthwise_initializer=UNDRAWN,
            pointwise_initializer=UNDRAWN,
            name=name,
        )
        return self._complete(weights(inputs), name, last_hidden=False)

    def connections(self, inputs: Any, size: int, name: str, is_normalized: bool) -> Any:
        """The sums of a fully connected layer, to which a model adds others: (batch, size).

        Nothing is activated. `size` is taken as it is, whatever the width.
        """
        use_bias = self._use_bias if is_normalized else True
        weights = keras.layers.Dense(size, use_bias=use_bias, kernel_initializer=UNDRAWN, name=name)
        values = weights(inputs)
        return self._normalize(values, name, last_hidden=False) if is_normalized else values

    def normalized(self, values: Any, layer: keras.layers.Layer) -> Any:
        """What a normalization makes of its inputs; those over a mini-batch are remembered."""
        if isinstance(layer, keras.layers.BatchNormalization):
            self.batch_normalizations.append(layer)
            self.normalization_inputs.append(values)
        return layer(values)

    def local_response(self, inputs: Any) -> Any:
        """Local response normalization, where the recipe has it."""
        return LocalResponseNormalization(name="lrn")(inputs) if self._config.lrn else inputs

    def _refuse_two_kernels(self, name: str) -> None:
        if self._config.reparametrization is not None:
            raise ConfigError(
                f"reparametrization={self._config.reparametrization} with {name}, a separable "
                "convolution: expected layers of one kernel; leave it out, or use another model "
                "(below 96 pixels, model=inception has none)"
            )

    def scaled(self, size: int) -> int:
        """How many units or feature maps `size` of them are at the width of the config."""
        return max(1, round(self._config.model.width * size))

    @property
    def _of_weights(self) -> dict[str, float]:
        """Further options of layers, by the reparametrization."""
        if self._config.reparametrization != "scaled_weight_standardization":
            return {}
        return {"gain": gain_of(self._config.activation)}

    @property
    def _use_bias(self) -> bool:
        """Whether layers have a bias: before a beta "the bias b can be ignored" (section 3.2).

        Layer and group normalization do not cancel it exactly; their papers have none there either.
        Fixup has scalar ones in their place.
        """
        if self._config.model.residual == "fixup":
            return False
        return not (self._config.placement == "before" and normalization.has_shift(self._config))

    def _complete(
        self,
        values: Any,
        name: str,
        last_hidden: bool,
        joined: Callable[[Any], Any] | None = None,
    ) -> Any:
        if self._config.placement == "before":
            values = self._normalize(values, name, last_hidden)
        if joined is not None:
            values = joined(values)
        self.pre_activations[name] = values
        function = self._activation(values.shape)
        values = keras.layers.Activation(function, name=f"{name}_activation")(values)
        if self._config.placement == "after":
            values = self._normalize(values, name, last_hidden)
        return values if last_hidden else self._dropped(values, name)

    def _dropped(self, values: Any, name: str) -> Any:
        """What goes on to the next hidden layer; before the classifier `models.build` drops."""
        rate = self._config.hidden_dropout
        if not rate:
            return values
        return Dropout(rate, self._config.seed, name=f"{name}_dropout")(values)

    def _activation(self, shape: tuple[Any, ...]) -> Any:
        """The activation as Keras takes it; one of somebody's own is kept to its contract."""
        if parse(self._config.activation) is None:
            return gelu if self._config.activation == "gelu" else self._config.activation
        part = own.load("activation", self._config.activation)
        if self._is_new("activation", shape):
            activations.check(part, shape)
        return part.object

    def _is_new(self, kind: str, shape: tuple[Any, ...]) -> bool:
        """Whether nothing of that kind has had inputs of as many axes before."""
        known = len(self._seen)
        self._seen.add((kind, len(shape)))
        return len(self._seen) > known

    def _normalize(self, values: Any, name: str, last_hidden: bool) -> Any:
        make = normalization.constructor(self._config, last_hidden)
        if make is None:
            return values
        if normalization.is_own(self._config) and self._is_new("normalization", values.shape):
            normalization.check_own(self._config, values.shape)
        return self.normalized(values, make(f"{name}_normalization"))
