"""What every engine offers, whatever its backend, and the host's side that they share.

An engine holds one network's state on the device and trains it in segments: many steps as one
compiled program, without Python or a host copy between two steps. The host gives each segment the
indices of its batches, its learning rates and the distortions of its images as small arrays.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import keras
import numpy as np

from bnrepro.config import Recipe
from bnrepro.config.schedules import learning_rates
from bnrepro.data import Dataset, Split
from bnrepro.data.distortion import draw
from bnrepro.data.order import BatchOrder, batch_order
from bnrepro.engine import summary
from bnrepro.engine.ahead import ReadAhead
from bnrepro.engine.batch import Assembler, read_images
from bnrepro.engine.summary import Summary
from bnrepro.engine.tally import mean_score, norms, tally
from bnrepro.models import Network, from_pixels, initial_weights
from bnrepro.models.from_batch import from_batch
from bnrepro.models.host import on_the_host
from bnrepro.normalization.population import batch_moments

Arrays = dict[str, np.ndarray]

# The most images of one call of a compiled inference program: as few calls as possible for a dense
# network; feature maps of more would take memory without saving time.
_DENSE_EVALUATION_BATCH, _EVALUATION_BATCH = 2000, 200
# The most that the streamed images of a segment take; those of the next one lie beside them.
_STREAMED_BYTES = 2**28


@dataclass(frozen=True)
class Segment:
    """What `Engine.train` saw, one value per step, on the batch before its update.

    `diverged_at_step` is the first number of updates after which a weight is not finite. A loss or
    gradient that is not finite makes a weight so in the same update, and no later update makes it
    finite again: the weights tell all three.
    """

    loss: np.ndarray  # (steps,) mean cross-entropy of the batch
    num_correct: np.ndarray  # (steps,) int32
    diverged_at_step: int | None


@dataclass(frozen=True)
class Inputs:
    """What the host gives a segment."""

    table: Any  # uint8 images on the device, (examples, height, width, channels)
    labels: Any  # int32 labels on the device, (examples,)
    indices: np.ndarray  # (steps, batch) int32, rows of the table
    rates: np.ndarray  # (steps,) learning rates
    distortions: Arrays  # (steps, batch) each

    @property
    def arguments(self) -> tuple[Any, Any, np.ndarray, np.ndarray, Arrays]:
        """What a compiled program takes, in its order."""
        return self.table, self.labels, self.indices, self.rates, self.distortions

    def padded(self, steps: int) -> "Inputs":
        """The inputs of `steps` steps, the last one repeated: one program serves any length."""

        def pad(array: np.ndarray) -> np.ndarray:
            missing = steps - len(array)
            return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])

        return replace(
            self,
            indices=pad(self.indices),
            rates=pad(self.rates),
            distortions={name: pad(value) for name, value in self.distortions.items()},
        )


class Engine(ABC):
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
        weights = initial_weights(model, config)
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
    def to_device(self, array: np.ndarray) -> Any:
        """A copy of `array` where the compiled programs read it."""

    def batch_to_device(self, images: np.ndarray) -> Any:
        """The same of one batch of images, of which each of several devices has its part."""
        return self.to_device(images)

    @abstractmethod
    def fetch(self, arrays: Any) -> Any:
        """Arrays on the device as NumPy's, in the same nest; the host waits once for all."""

    @abstractmethod
    def compile(self) -> None:
        """Compile the training program; nothing is trained."""

    def prepare(self, preparations: Sequence[Callable[[], None]]) -> None:
        """Compile: do each of these, at the same time where the backend can."""
        for each in preparations:
            each()

    def compile_scoring(self) -> None:
        """Compile the programs of `score`, for the evaluation split."""
        rows = np.zeros(self.evaluation_batch, int)
        scores = self.forward(read_images(self.dataset.evaluation, rows))
        self._tally(self.dataset.evaluation.labels[rows], scores, rows == 0)

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
    def forward(self, images: Any) -> Any:
        """Class scores of uint8 `images` in inference mode, (examples, classes), on the device."""

    def pre_activations(self, images: np.ndarray) -> Arrays:
        """Inputs of the hidden activations for uint8 `images` as one mini-batch, by layer.

        Normalization uses this batch's own statistics, dropout is off, nothing is updated.
        """
        values = self.watch(self.watch_activations, self.batch_to_device(images))
        return dict(zip(self.network.pre_activations, self.fetch(values), strict=True))

    @abstractmethod
    def loss_gradients(self, step: int) -> list[Any]:
        """`gradients` on the device, in the order of the trainable variables."""

    @abstractmethod
    def weights(self) -> list[Any]:
        """The trainable variables' values, on the device."""

    @abstractmethod
    def watch(self, program: Callable[..., list[Any]], images: Any) -> list[Any]:
        """What a program of `watcher` says of uint8 images that lie on the device; there, too."""

    @abstractmethod
    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A pure function of arrays as a compiled program."""

    def batch_moments(self, images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """(mean, m/(m-1) variance) of what each batch normalization sees in uint8 `images`.

        In batch mode, dropout off, nothing is updated: one term of Algorithm 2's averages.
        """
        moments = self.watch(self.watch_moments, self.batch_to_device(images))
        return [(mean, variance) for mean, variance in self.fetch(moments)]

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

    @abstractmethod
    def variables(self, paths: Collection[str] | None = None) -> Arrays:
        """Every variable of network and optimizer by its path, or some: for a checkpoint."""

    @abstractmethod
    def assign(self, values: Arrays) -> None:
        """Put back what `variables` gave, or some of it."""

    @abstractmethod
    def watcher(
        self, tensors: list[Any], reduce: Callable[[list[Any]], list[Any]]
    ) -> Callable[..., list[Any]]:
        """A program that computes inner values of the network in batch mode and reduces them."""

    @cached_property
    def watch_activations(self) -> Callable[..., list[Any]]:
        """The program of `pre_activations`."""
        return self.watcher(list(self.network.pre_activations.values()), list)

    @cached_property
    def watch_moments(self) -> Callable[..., list[tuple[Any, Any]]]:
        """The program of `batch_moments`."""
        layers = self.network.batch_normalizations
        return self.watcher(
            self.network.normalization_inputs, lambda inputs: batch_moments(layers, inputs)
        )

    @cached_property
    def _tally(self) -> Callable[..., Any]:
        return self.compiled(tally)

    @cached_property
    def _norms(self) -> Callable[..., Any]:
        return self.compiled(norms)

    def _watch_summaries(
        self, layers: tuple[str, ...], percents: tuple[int, ...]
    ) -> Callable[..., list[Any]]:
        """The program of `summaries` on an accelerator."""
        key = layers, percents
        if key not in self._summarizing:
            tensors = [self.network.pre_activations[name] for name in layers]
            self._summarizing[key] = self.watcher(
                tensors, lambda values: [summary.reduce(value, percents) for value in values]
            )
        return self._summarizing[key]

    def gradients(self, step: int) -> Arrays:
        """The loss's gradient on the batch of update `step + 1`, by variable; updates nothing."""
        return self._by_weight(self.fetch(self.loss_gradients(step)))

    def gradient_norms(self, step: int) -> dict[str, float]:
        """The Euclidean norms of `gradients`, in the weights' precision."""
        return self._by_weight(map(float, self._norms_of_gradients(step)))

    def weight_norms(self) -> dict[str, float]:
        """The Euclidean norm of each trainable variable, in its precision."""
        return self._by_weight(map(float, self._norms_of_weights()))

    def _norms_of_gradients(self, step: int) -> np.ndarray:
        norms: np.ndarray = self.fetch(self._norms(self.loss_gradients(step)))
        return norms

    def _norms_of_weights(self) -> np.ndarray:
        norms: np.ndarray = self.fetch(self._norms(self.weights()))
        return norms

    def _by_weight(self, values: Iterable[Any]) -> dict[str, Any]:
        weights = self.network.model.trainable_variables
        return {weight.path: value for weight, value in zip(weights, values, strict=True)}

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

    @property
    def evaluation_batch(self) -> int:
        """Images of one call of `forward` when a whole split is scored."""
        most = _DENSE_EVALUATION_BATCH if self.network.is_dense else _EVALUATION_BATCH
        return min(most, len(self.dataset.evaluation.labels))

    def logits(self, split: Split) -> np.ndarray:
        """Class scores of a whole split in inference mode, (examples, classes)."""
        scores = [np.asarray(scores) for _, scores in self.scores(split)]
        return np.concatenate(scores)[: len(split.labels)]

    def score(self, split: Split) -> tuple[float, float]:
        """(mean cross-entropy, accuracy) on a whole split in inference mode.

        Losses are of the scores' precision, their sum nearly of double precision. A score that is
        not a number counts as wrong; where none is one, nothing was measured: nan, nan.
        """
        return mean_score(self._tallies(split), len(split.labels))

    def _tallies(self, split: Split) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What `tally` says of the parts of a split."""
        for _, images, labels, counted in self._parts(split):
            yield self.fetch(self._tally(labels, self.forward(images), counted))

    def population_score(self, num_batches: int) -> tuple[float, float]:
        """`score` of the evaluation split by Algorithm 2's statistics over so many mini-batches."""
        with self.inferring_with(self.population_statistics(num_batches)):
            return self.score(self.dataset.evaluation)

    @contextmanager
    def inferring_with(self, statistics: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[None]:
        """Inside, each batch normalization infers with its (mean, variance) of `statistics`."""
        given = {}
        layers = self.network.batch_normalizations
        for layer, (mean, variance) in zip(layers, statistics, strict=True):
            given[f"model/{layer.moving_mean.path}"] = mean
            given[f"model/{layer.moving_variance.path}"] = variance
        moving = self.variables(given)
        self.assign(given)
        try:
            yield
        finally:
            self.assign(moving)

    def scores(self, split: Split) -> Iterator[tuple[np.ndarray, Any]]:
        """Rows of the split and, on the device, their class scores; what is too many comes last."""
        for rows, images, *_ in self._parts(split):
            yield rows, self.forward(images)

    def _parts(self, split: Split) -> Iterator[tuple[np.ndarray, Any, Any, Any]]:
        """Rows of a split, their images and labels, and which of them count.

        An accelerator keeps those of the evaluation split, where they lie in memory.
        """
        count, kept = len(split.labels), self._kept if self._keeps(split) else None
        for number, rows in enumerate(self._heard(self.inference_batches(count))):
            if kept and number < len(kept):
                yield rows, *kept[number]
                continue
            counted = np.arange(len(rows)) + number * len(rows) < count
            part: tuple[Any, Any, Any] = read_images(split, rows), split.labels[rows], counted
            if kept is not None:
                images, labels, counted = map(self.to_device, part)
                part = images, labels, counted
                kept.append(part)
            yield rows, *part

    def _keeps(self, split: Split) -> bool:
        return self.on_accelerator and self._lies_in_memory(split)

    def _lies_in_memory(self, split: Split) -> bool:
        """Whether it is the evaluation split, of which the device may have a copy."""
        return split is self.dataset.evaluation and isinstance(split.images, np.ndarray)

    def summaries(
        self, num_examples: int, layers: Sequence[str], percents: Sequence[int]
    ) -> dict[str, Summary]:
        """Of some layers' inputs of activations (see `pre_activations`): percentiles, a histogram.

        Over the first images of the evaluation split. They are exact on a CPU; for an accelerator
        see `summary.reduce`.
        """
        if not self.on_accelerator:
            every = self._watch_first(num_examples, self.watch_activations)
            values = dict(zip(self.network.pre_activations, every, strict=True))
            return {name: summary.summarize(values[name], percents) for name in layers}
        program = self._watch_summaries(tuple(layers), tuple(percents))
        found = {}
        for name, parts in zip(layers, self._watch_first(num_examples, program), strict=True):
            _, *places, _ = self.network.pre_activations[name].shape
            count = len(self.first_images(num_examples)) * math.prod(places)
            found[name] = summary.finish(parts, count, percents)
        return found

    def _watch_first(self, num_examples: int, program: Callable[..., list[Any]]) -> list[Any]:
        watched: list[Any] = self.fetch(self.watch(program, self.first_images(num_examples)))
        return watched

    def first_images(self, num_examples: int) -> Any:
        """The first images of the evaluation split, uint8, on the device: they are sent up once."""
        if num_examples not in self._first_images:
            split = self.dataset.evaluation
            images = read_images(split, np.arange(min(num_examples, len(split.labels))))
            self._first_images[num_examples] = self.batch_to_device(images)
        return self._first_images[num_examples]

    def inference_batches(self, count: int) -> np.ndarray:
        """Rows of a split of `count` examples, (batches, batch); the last is filled from the start.

        One program serves all of them: they are of one size.
        """
        batch = self.evaluation_batch
        return np.arange(math.ceil(count / batch) * batch).reshape(-1, batch) % count

    def population_statistics(self, num_batches: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Algorithm 2, step 10: E[x] and Var[x] for each batch normalization, in order.

        Averages over the first training mini-batches of the seed's own order, undistorted.
        """
        rows = self._heard(self.population_batches(num_batches))
        return self.statistics_over(read_images(self.dataset.train, batch) for batch in rows)

    def statistics_over(self, batches: Iterable[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The same over other mini-batches of uint8 images; their labels are not asked for."""
        terms = [self.batch_moments(images) for images in batches]
        return [
            (np.mean([mean for mean, _ in layer], axis=0), np.mean([v for _, v in layer], axis=0))
            for layer in zip(*terms, strict=True)
        ]

    def population_batches(self, num_batches: int) -> np.ndarray:
        """Training rows of Algorithm 2's mini-batches, (batches, batch): of an epoch at most."""
        return self.order.indices(0, min(num_batches, self.order.steps_per_epoch))

    def _heard(self, batches: np.ndarray) -> Iterator[np.ndarray]:
        """The batches of a pass one by one, with word of each to `on_batch`."""
        for done, batch in enumerate(batches):
            self.on_batch(done, len(batches))
            yield batch


def locate_divergence(finite_after: Callable[[int], bool], steps: int) -> int:
    """The smallest number of steps, at most `steps`, after which the weights are not finite.

    `finite_after(n)` repeats the first n steps of a segment from its start with the program that
    trained it, so that the answer is exact; a check in every step would cost a dense network a
    quarter of its speed. `finite_after(steps)` is known to be false.
    """
    low, high = 0, steps
    while high - low > 1:
        middle = math.ceil((low + high) / 2)
        low, high = (middle, high) if finite_after(middle) else (low, middle)
    return high
