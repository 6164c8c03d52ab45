"""The families of `keras.applications`, with random weights or those of a file, normalized as the
config says.

Each is built by Keras, then once more layer by layer: batch normalization is left as it is, left
out, or replaced.
"""

import inspect
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from bnrepro import normalization
from bnrepro.config import Recipe
from bnrepro.models import pretrained
from bnrepro.models.dropout import Dropout
from bnrepro.models.layer_scale import LayerScale
from bnrepro.models.pretrained import Loaded

# Height and width below which a family cannot be built.
_SMALLEST_INPUT = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
_SMALLEST_INPUT_OF_OTHERS = 32


def model(images: Any, config: Recipe, num_classes: int) -> tuple[keras.Model, Loaded]:
    """The family `config.model.application`: images (batch, height, width, channels) to logits.

    Its kernels are 0; those of `config.model.weights_file` come beside it. Layers are named by kind
    and position, so that a variable's path depends neither on the normalization nor on what was
    built before. What a family draws at random in training is left out: dropout is that of
    `config`, before the classifier.

    Raises:
        ConfigError: if the file cannot be read, or is not of the family.
    """
    family = getattr(keras.applications, config.model.application or "")
    standardized = config.input_normalization
    options = {"include_preprocessing": not standardized} if _can_leave_pixels(family) else {}
    with _without_drawing():
        original = family(
            weights=None,
            input_tensor=_prepared(images, family, standardized, config.model.weights is not None),
            classes=num_classes,
            classifier_activation=None,
            **options,
        )
        anew = pretrained.load(original, config) if config.model.weights else []
        rebuilding = _Rebuilding(original, config)
        rebuilt = keras.models.clone_model(
            original, clone_function=lambda layer: layer, call_function=rebuilding.call
        )
    again = keras.Model(rebuilt.inputs[0], rebuilt.outputs[0], name=family.__name__)
    if config.model.weights is None:
        return again, Loaded()
    return again, pretrained.taken_over(rebuilding.pairs, anew, config)


def _prepared(
    images: Any, family: Callable[..., Any], standardized: bool, ordered: bool = False
) -> Any:
    """Images as large as the family needs, with three channels, and pixels as it expects them.

    Nearest-neighbour enlargement by a whole factor. Standardized images stay so, through families
    that scale by themselves too. Where they are to be `ordered`, families that want blue before red
    have it so; to random weights the order of channels means nothing.
    """
    smallest = _SMALLEST_INPUT.get(family.__name__, _SMALLEST_INPUT_OF_OTHERS)
    factor = math.ceil(smallest / min(images.shape[1:3]))
    if factor > 1:
        images = keras.layers.UpSampling2D(factor, interpolation="nearest")(images)
    if images.shape[-1] == 1:
        images = keras.layers.Concatenate()([images] * 3)
    if ordered and _wants_blue_first(family):
        images = keras.ops.flip(images, axis=-1)
    scale, offset = _pixels_expected_by(family)
    scales_by_itself = offset == [0.0] * 3  # its function leaves pixels as they are
    if standardized and (_can_leave_pixels(family) or not scales_by_itself):
        return images
    return keras.layers.Rescaling(scale, offset)(images)


def _can_leave_pixels(family: Callable[..., Any]) -> bool:
    """Whether the family scales by itself and can be built so that it does not."""
    return "include_preprocessing" in inspect.signature(family).parameters


def _pixels_expected_by(family: Callable[..., Any]) -> tuple[list[float], list[float]]:
    """Scale and offset of each channel, from pixels in [0, 1], as the family's own function has it.

    The channels are in the family's order.
    """
    black, white = (_preprocessed(family, [value] * 3) for value in (0.0, 255.0))
    return (white - black).tolist(), black.tolist()


def _wants_blue_first(family: Callable[..., Any]) -> bool:
    black, red = (_preprocessed(family, [value, 0.0, 0.0]) for value in (0.0, 255.0))
    return bool(red[0] == black[0])


def _preprocessed(family: Callable[..., Any], pixel: list[float]) -> np.ndarray:
    """What the family's own function makes of one pixel, of red, green and blue up to 255."""
    own = inspect.getmodule(family).preprocess_input  # type: ignore[union-attr]
    return np.ravel(own(np.array([[[pixel]]])))


class _Rebuilding:
    """Calls fresh layers in place of those of a family, in the order of its graph."""

    def __init__(self, original: keras.Model, config: Recipe) -> None:
        layers = original.layers
        self._config = config
        self._classifier = [each for each in layers if hasattr(each, "kernel")][-1]
        self._output = layers[layers.index(self._classifier) :]
        self._normalizations = sum(map(_is_batch_normalization, layers))
        self.pairs: list[pretrained.Pair] = []  # of layers with weights, the family's and ours
        self._made: Counter[str] = Counter()  # how many of each kind
        self._weighted: dict[int, str] = {}  # by tensor, the layer with a kernel that gives it
        # Before a beta a bias is one too many (section 3.2), and the families have none there.
        self._needs_bias = config.placement == "none" or not normalization.has_shift(config)

    def call(self, layer: Any, *inputs: Any, mask: Any = None, **options: Any) -> Any:
        """What the layer gives; layers within another are called one by one."""
        del mask  # recorded for batch normalization, and nothing else takes it
        if isinstance(layer, keras.Sequential):
            for inner in layer.layers:
                inputs = (self.call(inner, *inputs),)
            return inputs[0]
        if _is_left_out(layer):
            return inputs[0]
        if _is_batch_normalization(layer):
            return self._normalized(layer, inputs[0])
        if not isinstance(layer, keras.layers.Layer):  # a sum or product, without weights
            layer.name = self._name(layer)
            return layer(*inputs, **options)
        if layer is self._classifier and self._config.dropout > 0:
            dropout = Dropout(self._config.dropout, self._config.seed, name="dropout")
            inputs = (dropout(inputs[0]),)
        again, activation = self._again(layer)
        values = again(*inputs, **options)
        if again.weights:
            self._weighted[id(values)] = again.name
            self.pairs.append((layer, again))
        factors = pretrained.rescaling_of(layer)
        if factors is not None:
            values = keras.layers.Rescaling(factors, name=self._numbered("rescaling"))(values)
        return values if activation is None else activation(values)

    def _again(
        self, layer: keras.layers.Layer
    ) -> tuple[keras.layers.Layer, keras.layers.Layer | None]:
        """A fresh layer, and the activation within it as one behind it, which can be watched."""
        config = {**layer.get_config(), "name": self._name(layer)}
        if layer in self._output:
            config["dtype"] = keras.config.floatx()  # logits are never of less than 32 bits
        if self._needs_bias and config.get("use_bias") is False:
            config["use_bias"] = True
        if type(layer).__name__ == "LayerScale":
            return LayerScale(layer.init_values, name=config["name"]), None
        function = config.get("activation")
        if isinstance(layer, keras.layers.Activation) or function in (None, "linear"):
            return type(layer).from_config(config), None
        behind = keras.layers.Activation(function, name=self._numbered("activation"))
        return type(layer).from_config({**config, "activation": None}), behind

    def _normalized(self, original: keras.layers.BatchNormalization, values: Any) -> Any:
        """The values behind what stands in the place of a batch normalization of the family.

        It has a gamma or a beta where both the family and the config do, and is named after the
        weights before it, as in `Units`.
        """
        self._made["place"] += 1
        ours = self._config.batch_normalization
        ours = replace(
            ours, gamma=ours.gamma and original.scale, beta=ours.beta and original.center
        )
        config = replace(self._config, batch_normalization=ours)
        is_last = self._made["place"] == self._normalizations
        make = normalization.constructor(config, last_hidden=is_last)
        if make is None:
            return values
        if self._made["place"] == 1 and normalization.is_own(config):
            normalization.check_own(config, values.shape)
        before = self._weighted.pop(id(values), None)
        name = f"{before}_normalization" if before else self._numbered("normalization")
        ours_here = make(name)
        self.pairs.append((original, ours_here))
        return ours_here(values)

    def _name(self, layer: keras.Operation) -> str:
        if layer is self._classifier:
            return "logits"
        if isinstance(layer, keras.layers.Normalization):
            return self._numbered("input_normalization")
        return self._numbered(re.sub("(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower())

    def _numbered(self, kind: str) -> str:
        self._made[kind] += 1
        return f"{kind}_{self._made[kind]}"


def _is_batch_normalization(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)


def _is_left_out(layer: Any) -> bool:
    """Dropout within the family, and activations that do nothing."""
    if isinstance(layer, keras.layers.Activation):
        return bool(layer.activation is keras.activations.linear)
    return isinstance(layer, keras.layers.Dropout)


@contextmanager
def _without_drawing() -> Iterator[None]:
    """Inside, Keras's layers begin with kernels of 0: `models.build` sets all of them.

    Drawing a family's kernels takes half a minute or more under JAX, a program for each shape.
    """
    kind = keras.initializers.VarianceScaling
    draw = kind.__call__
    kind.__call__ = lambda _, shape, dtype=None: np.zeros(shape, dtype or keras.config.floatx())
    try:
        yield
    finally:
        kind.__call__ = draw
