"""Networks, built from `unit.Units`.

Every layer has a fixed name, so that a variable's path is the same in every process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from bnrepro.config import Recipe
from bnrepro.models import cnn, inception_paper, inception_small, mlp
from bnrepro.models.dropout import Dropout
from bnrepro.models.initializers import initial_weights
from bnrepro.models.unit import UNDRAWN, Units
from bnrepro.paper.settings import PAPER_IMAGE_SIZE

__all__ = ["Network", "build", "initial_weights"]


@dataclass(frozen=True)
class Network:
    """A model with handles on what is watched in it, as symbolic tensors of its graph.

    `keras.Model(model.inputs, normalization_inputs)` shows what the batch normalizations see.
    """

    model: keras.Model  # float images (batch, height, width, channels) -> logits (batch, classes)
    pre_activations: dict[str, Any]  # the inputs of the hidden activations by layer, in order
    batch_normalizations: list[keras.layers.Layer]  # with moving_mean and moving_variance, in order
    normalization_inputs: list[Any]  # the input of each of `batch_normalizations`
    is_dense: bool  # no unit is a convolution: a compiled loop of its steps is quick on any device

    @property
    def random_states(self) -> list[Any]:
        """The variables of the layers that draw at random; each begins as (seed, 0)."""
        generators = (getattr(layer, "seed_generator", None) for layer in self.model.layers)
        return [generator.state for generator in generators if generator is not None]


def build(config: Recipe, input_shape: tuple[int, int, int], num_classes: int) -> Network:
    """The network of `config`, with initial weights.

    Precision is that of Keras's global dtype policy and `floatx`; logits are never of less than 32
    bits. Weights are drawn from `config.seed`.
    """
    images = keras.Input(input_shape, name="images")
    units = Units(config)
    features = _FEATURES[config.model.name](images, units, config)
    if config.dropout > 0:
        features = Dropout(config.dropout, config.seed, name="dropout")(features)
    classifier = keras.layers.Dense(
        num_classes, kernel_initializer=UNDRAWN, dtype=keras.config.floatx(), name="logits"
    )
    model = keras.Model(images, classifier(features), name=config.model.name)
    for variable, value in zip(
        model.trainable_variables, initial_weights(model, config), strict=True
    ):
        variable.assign(value)
    return Network(
        model=model,
        pre_activations=units.pre_activations,
        batch_normalizations=units.batch_normalizations,
        normalization_inputs=units.normalization_inputs,
        is_dense=units.is_dense,
    )


def _inception(images: Any, units: Units, config: Recipe) -> Any:
    paper = images.shape[1] >= PAPER_IMAGE_SIZE
    return (inception_paper if paper else inception_small).features(images, units, config)


_FEATURES: dict[str, Callable[[Any, Units, Recipe], Any]] = {
    "mlp": mlp.features,
    "cnn": cnn.features,
    "inception": _inception,
}
