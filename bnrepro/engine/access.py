"""How the host reaches a network on its device: what goes up, what comes back, programs over it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from bnrepro.config import Recipe
from bnrepro.data import Dataset
from bnrepro.engine.batch import Assembler
from bnrepro.engine.segment import Arrays
from bnrepro.models import Network


class Access(ABC):
    """The part of an engine that is its backend's own, beside training."""

    network: Network
    config: Recipe
    dataset: Dataset
    assembler: Assembler

    @abstractmethod
    def to_device(self, array: np.ndarray) -> Any:
        """A copy of `array` where the compiled programs read it."""

    def batch_to_device(self, images: np.ndarray) -> Any:
        """The same of one batch of images, of which each of several devices has its part."""
        return self.to_device(images)

    @abstractmethod
    def fetch(self, arrays: Any) -> Any:
        """Arrays on the device as NumPy's, in the same nest; the host waits once for all."""

    @abstractmethod
    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A pure function of arrays as a compiled program."""

    @abstractmethod
    def variables(self, paths: Collection[str] | None = None) -> Arrays:
        """Every variable of network and optimizer by its path, or some: for a checkpoint."""

    @abstractmethod
    def assign(self, values: Arrays) -> None:
        """Put back what `variables` gave, or some of it."""

    @abstractmethod
    def forward(self, images: Any) -> Any:
        """Class scores of uint8 `images` in inference mode, (examples, classes), on the device."""

    @abstractmethod
    def weights(self) -> list[Any]:
        """The trainable variables' values, on the device."""

    @abstractmethod
    def loss_gradients(self, step: int) -> list[Any]:
        """`gradients` on the device, in the order of the trainable variables."""

    @abstractmethod
    def watcher(
        self, tensors: list[Any], reduce: Callable[[list[Any]], list[Any]]
    ) -> Callable[..., list[Any]]:
        """A program that computes inner values of the network in batch mode and reduces them."""

    @abstractmethod
    def watch(self, program: Callable[..., list[Any]], images: Any) -> list[Any]:
        """What a program of `watcher` says of uint8 images that lie on the device; there, too."""
