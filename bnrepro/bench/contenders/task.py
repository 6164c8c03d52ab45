"""What every contender gets: a network, its batches and its rule; and what it must offer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np

from bnrepro import models
from bnrepro.config import Recipe
from bnrepro.config.composition import Composition
from bnrepro.data import Dataset
from bnrepro.data.order import BatchOrder
from bnrepro.engine.batch import Assembler
from bnrepro.models import Network


@dataclass(frozen=True)
class Task:
    """One network to be trained on a data set; `scaled` are its images as the network sees them."""

    composition: Composition
    dataset: Dataset
    scaled: np.ndarray  # (examples, height, width, channels) float32

    @property
    def config(self) -> Recipe:
        """The recipe that trains."""
        return self.composition.config.accelerated()

    @property
    def batch_size(self) -> int:
        """Examples a step."""
        return self.order.batch_size

    @property
    def momentum(self) -> float:
        """The momentum of the update rule, which is gradient descent with or without it."""
        return self.config.optimizer.momentum if self.config.optimizer.name == "momentum" else 0.0

    @cached_property
    def order(self) -> BatchOrder:
        """The batches that every contender trains on."""
        config = self.config
        count = len(self.dataset.train.labels)
        return BatchOrder(count, config.batch_size, config.shuffle, config.seed)

    def network(self) -> Network:
        """A fresh network with the seed's initial weights."""
        return models.build(
            self.config, self.dataset.train.images.shape[1:], self.dataset.num_classes
        )

    def keras_model(self) -> keras.Model:
        """The network and its weights, made of nothing but Keras's own layers."""
        return of_own_layers(self.network().model)


def of_own_layers(model: keras.Model) -> keras.Model:
    """A copy of the model and its weights, made of nothing but Keras's own layers."""
    plain = keras.models.clone_model(model, clone_function=_own_layer)
    plain.set_weights(model.get_weights())
    return plain


def scale(config: Recipe, dataset: Dataset) -> np.ndarray:
    """The training images as the engine's compiled program makes them of uint8."""
    assembler = Assembler.from_config(config, dataset.train)
    mean, deviation = assembler.mean.astype("float32"), assembler.deviation.astype("float32")
    return (np.asarray(dataset.train.images, np.float32) / 255 - mean) / deviation


class Contender(ABC):
    """A network in training. Steps go on where the last call left off."""

    runs = 1  # networks that make each step

    @abstractmethod
    def losses(self, steps: int) -> list[float]:
        """Make the first `steps` updates: the loss of each batch before its update."""

    @abstractmethod
    def train(self, steps: int) -> float:
        """Make further updates: the seconds that they took."""

    def whole(self, steps: int) -> int:
        """The number of steps near `steps` that this way of training makes without remainder."""
        return steps


def whole_segments(steps: int, segment: int) -> int:
    """The steps of as many whole segments as fit into `steps`, or `steps` where none does."""
    return steps // segment * segment or steps


def _own_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    if isinstance(layer, keras.layers.BatchNormalization):
        return keras.layers.BatchNormalization.from_config(layer.get_config())
    return layer.__class__.from_config(layer.get_config())
