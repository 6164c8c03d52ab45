"""What every engine offers, whatever its backend, and the host's side that they share.

An engine holds one network's state on the device and trains it in segments: many steps as one
compiled program, without Python or a host copy between two steps. The host gives each segment the
indices of its batches, its learning rates and the distortions of its images as small arrays.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from bnrepro.config import Recipe
from bnrepro.config.schedules import learning_rates
from bnrepro.data import Dataset
from bnrepro.data.distortion import draw
from bnrepro.data.order import BatchOrder, batch_order
from bnrepro.engine.ahead import ReadAhead
from bnrepro.engine.batch import Assembler, read_images
from bnrepro.engine.looking import Looker
from bnrepro.engine.segment import Inputs, Segment, locate_divergence
from bnrepro.models import Network, from_pixels, initial_weights
from bnrepro.models.from_batch import from_batch
from bnrepro.models.host import on_the_host

# The most that the streamed images of a segment take; those of the next one lie beside them.
_STREAMED_BYTES = 2**28


class Engine(Looker):
    """A network, its optimizer and its data on a device, ready to train."""

    kind: str  # recorded in the environment: "tensorflow xla loop", "jax step", ...
    segment_steps: int  # the most steps of one call of `train`
    loops: bool  # whether many steps go through XLA as one loop
    on_accelerator: bool  # what is looked at is reduced there, and only numbers are fetched

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        dataset: Dataset,
        config: Recipe,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.config = config
        self.dataset = dataset
        self.assembler = Assembler.from_config(config, dataset.train)
        self.order = self.build_order(config)
        # Hears before each batch of a pass over many how many are done, and of how many; it may
        # raise to end the pass: nothing that a pass does outlives it.
        self.on_batch: Callable[[int, int], None] = lambda done, total: None
        with on_the_host():
            optimizer.build(network.model.trainable_variables)
        self._summarizing: dict[Any, Callable[..., list[Any]]] = {}
        self._first_images: dict[int, Any] = {}
        self._kept: list[tuple[Any, Any, Any]] = []
        self._table: tuple[Any, Any] | None = None
        if isinstance(dataset.train.images, np.ndarray):
            self._table = self.to_device(dataset.train.images), self.to_device(dataset.train.labels)
        if config.reparametrization == "weight_from_data":
            weights = network.model.trainable_variables
            for variable, value in zip(weights, self.initial_weights(), strict=True):
                variable.assign(value)

    def initial_weights(self) -> list[np.ndarray]:
        """Values of the trainable variables before the first step of the config.

        Computed on the host; those that the first mini-batch decides, too, as it is trained on.
        """
        model, config = self.network.model, self.config
        weights = initial_weights(model, config, self.network.loaded.values)
        if config.reparametrization != "weight_from_data":
            return weights
        (rows,) = self.order.indices(0, 1)
        drawn = draw(config, config.seed, 0, 1, len(rows))
        distortions = {name: values[0] for name, values in drawn.items()}
        images = read_images(self.dataset.train, rows)
        with on_the_host():
            batch = self.assembler.assemble(images, np.arange(len(rows)), distortions)
            return from_batch(model, weights, batch)

    @abstractmethod
    def compile(self) -> None:
        """Compile the training program; nothing is trained."""

    def prepare(self, preparations: Sequence[Callable[[], None]]) -> None:
        """Compile: do each of these, at the same time where the backend can."""
        for each in preparations:
            each()

    def train(self, start: int, stop: int) -> Segment:
        """Make the updates number `start + 1` to `stop`."""
        inputs = self.segment_inputs(start, stop)
        before = self.copy_state()
        loss, num_correct = self.update(inputs, stop - start)
        if self.is_finite():
            return Segment(loss, num_correct, None)

        def finite_after(steps: int) -> bool:
            self.restore_state(before)
            self.update(inputs, steps)
            return self.is_finite()

        steps = locate_divergence(finite_after, stop - start)
        finite_after(steps)  # the state that is left is the one of the divergence
        return Segment(loss[:steps], num_correct[:steps], start + steps)

    @abstractmethod
    def update(self, inputs: Inputs, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Make the first `steps` updates of a segment; each one's loss and number of hits."""

    @abstractmethod
    def copy_state(self) -> Any:
        """A copy, on the device, of what `update` changes."""

    @abstractmethod
    def restore_state(self, state: Any) -> None:
        """Put back what `copy_state` gave, which stays good for another time."""

    @abstractmethod
    def is_finite(self) -> bool:
        """Whether every weight is a finite number."""

    @abstractmethod
    def device(self) -> str:
        """The name of the processor or accelerator."""

    @abstractmethod
    def model(self) -> keras.Model:
        """The Keras model, holding the weights as they are now."""

    def model_from_pixels(self) -> keras.Model:
        """The same from uint8 images to probabilities: the form in which it is saved."""
        scaling = self.assembler
        return from_pixels(self.model(), scaling.mean, scaling.deviation, scaling.dtype)

    def build_order(self, config: Recipe) -> BatchOrder:
        """Which training examples share a batch under `config`."""
        labels = self.dataset.train.labels
        return batch_order(labels, config.batch_size, config.shuffle, config.seed)

    def inputs(self, start: int, stop: int) -> Inputs:
        """The host's part of a segment: a pure function of the seed and the steps."""
        return self._inputs(start, stop, room=0)

    def segment_inputs(self, start: int, stop: int) -> Inputs:
        """`inputs` of one shape whatever the steps, where images are streamed: for one program."""
        return self._inputs(start, stop, room=self.segment_steps)

    def _inputs(self, start: int, stop: int, room: int) -> Inputs:
        config = self.config
        indices = self.order.indices(start, stop)
        distortions = draw(config, config.seed, start, stop, indices.shape[1])
        if self._table is None:
            rows = indices.ravel()
            images = self._ahead.images(start, stop)
            table = self._streamed(images, rows, max(len(rows), room * indices.shape[1]))
            indices = np.arange(len(rows), dtype=np.int32).reshape(indices.shape)
        else:
            table = self._table
        return Inputs(*table, indices, learning_rates(config, start, stop), distortions)

    def read_ahead(self, start: int, stop: int) -> None:
        """Begin to read the streamed images of a segment that comes next, while another trains."""
        if self._table is None:
            self._ahead.begin(start, stop)

    @cached_property
    def _ahead(self) -> ReadAhead:
        return ReadAhead(self.dataset.train, self.order)

    def _steps_within_memory(self, steps: int) -> int:
        """At most `steps`, as many as a segment may have whose images are streamed."""
        if self._table is not None:
            return steps
        bytes_per_step = math.prod(self.dataset.train.images.shape[1:]) * self.order.batch_size
        return max(1, min(steps, _STREAMED_BYTES // bytes_per_step))

    def _streamed(self, images: np.ndarray, rows: np.ndarray, size: int) -> tuple[Any, Any]:
        """A table of `size` images and labels, the first ones those at `rows`, the rest black."""
        black = np.zeros((size - len(rows), *images.shape[1:]), images.dtype)
        labels = np.zeros(size, np.int32)
        labels[: len(rows)] = self.dataset.train.labels[rows]
        return self.to_device(np.concatenate([images, black])), self.to_device(labels)
