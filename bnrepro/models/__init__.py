"""Networks, built from `unit.Units`.

Every layer has a fixed name, so that a variable's path is the same in every process.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from bnrepro import own
from bnrepro.config import Recipe
from bnrepro.config.own import parse
from bnrepro.models import (
    application,
    cnn,
    inception_paper,
    inception_small,
    lstm,
    mlp,
    resnet,
    vgg_a,
)
from bnrepro.models.dropout import Dropout
from bnrepro.models.graph import walk_as_it_is
from bnrepro.models.host import on_the_host
from bnrepro.models.initializers import initial_random_state, initial_states, initial_weights
from bnrepro.models.pretrained import Loaded
from bnrepro.models.scaling import from_pixels
from bnrepro.models.unit import UNDRAWN, Units
from bnrepro.own import networks
from bnrepro.paper.settings import PAPER_IMAGE_SIZE

__all__ = [
    "Network",
    "build",
    "from_pixels",
    "initial_random_state",
    "initial_states",
    "initial_weights",
]

_ACTIVATION_LAYERS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ReLU,
)


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
    loaded: Loaded = field(default_factory=Loaded)  # weights of a file that it begins with

    @classmethod
    def of(cls, model: keras.Model) -> "Network":
        """A functional model of logits, with handles found in its graph: on activations that are
        layers, and on batch normalizations."""
        graph = walk_as_it_is(model)
        normalized = graph.inputs_of(keras.layers.BatchNormalization)
        activated = graph.inputs_of(*_ACTIVATION_LAYERS)
        return cls(
            model=graph.model,
            pre_activations={layer.name: tensor for layer, tensor in activated},
            batch_normalizations=[layer for layer, _ in normalized],
            normalization_inputs=[tensor for _, tensor in normalized],
            is_dense=not any(hasattr(layer, "kernel_size") for layer in model.layers),
        )

    @property
    def random_states(self) -> list[Any]:
        """The variables from which layers draw at random, as `initial_states` has them."""
        variables = self.model.non_trainable_variables
        return [each for each in variables if each.name == "seed_generator_state"]


def build(config: Recipe, input_shape: tuple[int, int, int], num_classes: int) -> Network:
    """The network of `config`, with initial weights.

    Precision is that of Keras's global dtype policy and `floatx`; logits are never of less than 32
    bits. Weights are drawn from `config.seed`; those of `config.model.weights_file` take the place
    of what was drawn.

    Raises:
        ConfigError: if the file cannot be read, or is not of the network.
    """
    with on_the_host():
        return _with_initial_weights(config, input_shape, num_classes)


def _with_initial_weights(
    config: Recipe, input_shape: tuple[int, int, int], num_classes: int
) -> Network:
    network = _network(config, input_shape, num_classes)
    if parse(config.model.name) is not None:
        again = _network(config, input_shape, num_classes)
        networks.check_beginning(_own_part(config), network.model, again.model)
    weights = network.model.trainable_variables
    loaded = network.loaded.values
    drawn = initial_weights(network.model, config, loaded)
    for variable, value in zip(weights, drawn, strict=True):
        variable.assign(value)
    states = {**initial_states(network.model, config.seed), **loaded}
    for variable in network.model.non_trainable_variables:
        if variable.path in states:
            variable.assign(states[variable.path])
    for layer in network.model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its variables
    return network


def _network(config: Recipe, input_shape: tuple[int, int, int], num_classes: int) -> Network:
    """The network, its weights not yet those of its seed."""
    images = keras.Input(input_shape, name="images")
    if config.model.name == "application":
        model, loaded = application.model(images, config, num_classes)
        return replace(Network.of(model), loaded=loaded)
    units = Units(config)
    features = _features(images, units, config, num_classes)
    if isinstance(features, keras.Model):
        return Network.of(features)
    if config.dropout > 0:
        features = Dropout(config.dropout, config.seed, name="dropout")(features)
    classifier = keras.layers.Dense(
        num_classes, kernel_initializer=UNDRAWN, dtype=keras.config.floatx(), name="logits"
    )
    own_part = parse(config.model.name)
    name = own_part.name if own_part else config.model.name
    return Network(
        model=keras.Model(images, classifier(features), name=name),
        pre_activations=units.pre_activations,
        batch_normalizations=units.batch_normalizations,
        normalization_inputs=units.normalization_inputs,
        is_dense=units.is_dense,
    )


def _features(images: Any, units: Units, config: Recipe, num_classes: int) -> Any:
    """The last hidden layer, or the whole model where one was made elsewhere."""
    if parse(config.model.name) is None:
        return _FEATURES[config.model.name](images, units, config)
    given = {
        "images": images,
        "units": units,
        "config": config,
        "input_shape": images.shape[1:],
        "num_classes": num_classes,
    }
    return networks.made(_own_part(config), given)


def _own_part(config: Recipe) -> own.Part:
    return own.load("model.name", config.model.name)


def _inception(images: Any, units: Units, config: Recipe) -> Any:
    paper = images.shape[1] >= PAPER_IMAGE_SIZE
    return (inception_paper if paper else inception_small).features(images, units, config)


_FEATURES: dict[str, Callable[[Any, Units, Recipe], Any]] = {
    "mlp": mlp.features,
    "cnn": cnn.features,
    "vgg_a": vgg_a.features,
    "resnet": resnet.features,
    "lstm": lstm.features,
    "inception": _inception,
}
