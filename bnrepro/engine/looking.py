"""What is asked of a network between two segments: scores, inner values, norms, Algorithm 2.

On an accelerator it is reduced where it lies, and only numbers are fetched.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from bnrepro.data import Split
from bnrepro.data.order import BatchOrder
from bnrepro.engine import summary
from bnrepro.engine.access import Access
from bnrepro.engine.batch import read_images
from bnrepro.engine.segment import Arrays
from bnrepro.engine.summary import Summary
from bnrepro.engine.tally import mean_score, norms, tally
from bnrepro.normalization.population import batch_moments
from bnrepro.screen.foot import foot

# What is said to be done while Algorithm 2's statistics are computed.
POPULATION_PASS = "computing population statistics"

# The most images of one call of a compiled inference program: as few calls as possible for a dense
# network; feature maps of more would take memory without saving time.
_DENSE_EVALUATION_BATCH, _EVALUATION_BATCH = 2000, 200


class Looker(Access):
    """Looks at the network as it stands; nothing of it changes."""

    order: BatchOrder
    on_accelerator: bool
    on_batch: Callable[[int, int], None]
    _summarizing: dict[Any, Callable[..., list[Any]]]
    _first_images: dict[int, Any]
    _kept: list[tuple[Any, Any, Any]]

    def compile_scoring(self) -> None:
        """Compile the programs of `score`, for the evaluation split."""
        rows = np.zeros(self.evaluation_batch, int)
        scores = self.forward(read_images(self.dataset.evaluation, rows))
        self._tally(self.dataset.evaluation.labels[rows], scores, rows == 0)

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

    def scores(self, split: Split) -> Iterator[tuple[np.ndarray, Any]]:
        """Rows of the split and, on the device, their class scores; what is too many comes last."""
        for rows, images, *_ in self._parts(split):
            yield rows, self.forward(images)

    def _tallies(self, split: Split) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """What `tally` says of the parts of a split."""
        for _, images, labels, counted in self._parts(split):
            yield self.fetch(self._tally(labels, self.forward(images), counted))

    @cached_property
    def _tally(self) -> Callable[..., Any]:
        return self.compiled(tally)

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

    @property
    def evaluation_batch(self) -> int:
        """Images of one call of `forward` when a whole split is scored."""
        most = _DENSE_EVALUATION_BATCH if self.network.is_dense else _EVALUATION_BATCH
        return min(most, len(self.dataset.evaluation.labels))

    def inference_batches(self, count: int) -> np.ndarray:
        """Rows of a split of `count` examples, (batches, batch); the last is filled from the start.

        One program serves all of them: they are of one size.
        """
        batch = self.evaluation_batch
        return np.arange(math.ceil(count / batch) * batch).reshape(-1, batch) % count

    def _heard(self, batches: np.ndarray) -> Iterator[np.ndarray]:
        """The batches of a pass one by one, with word of each to `on_batch`."""
        for done, batch in enumerate(batches):
            self.on_batch(done, len(batches))
            yield batch

    def population_score(self, num_batches: int) -> tuple[float, float]:
        """`score` of the evaluation split by Algorithm 2's statistics over so many mini-batches."""
        with foot().doing(POPULATION_PASS):
            statistics = self.population_statistics(num_batches)
        with self.inferring_with(statistics):
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

    def batch_moments(self, images: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """(mean, m/(m-1) variance) of what each batch normalization sees in uint8 `images`.

        In batch mode, dropout off, nothing is updated: one term of Algorithm 2's averages.
        """
        moments = self.watch(self.watch_moments, self.batch_to_device(images))
        return [(mean, variance) for mean, variance in self.fetch(moments)]

    @cached_property
    def watch_moments(self) -> Callable[..., list[tuple[Any, Any]]]:
        """The program of `batch_moments`."""
        layers = self.network.batch_normalizations
        return self.watcher(
            self.network.normalization_inputs, lambda inputs: batch_moments(layers, inputs)
        )

    def pre_activations(self, images: np.ndarray) -> Arrays:
        """Inputs of the hidden activations for uint8 `images` as one mini-batch, by layer.

        Normalization uses this batch's own statistics, dropout is off, nothing is updated.
        """
        values = self.watch(self.watch_activations, self.batch_to_device(images))
        return dict(zip(self.network.pre_activations, self.fetch(values), strict=True))

    @cached_property
    def watch_activations(self) -> Callable[..., list[Any]]:
        """The program of `pre_activations`."""
        return self.watcher(list(self.network.pre_activations.values()), list)

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

    @cached_property
    def _norms(self) -> Callable[..., Any]:
        return self.compiled(norms)

    def _by_weight(self, values: Iterable[Any]) -> dict[str, Any]:
        weights = self.network.model.trainable_variables
        return {weight.path: value for weight, value in zip(weights, values, strict=True)}
