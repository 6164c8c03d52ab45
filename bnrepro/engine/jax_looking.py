"""What is asked of a network under JAX: programs over (trainable, non-trainable, optimizer)."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax

from bnrepro.data import Split
from bnrepro.engine.batch import read_images
from bnrepro.engine.jax_loop import State
from bnrepro.engine.looking import Looker
from bnrepro.engine.placement import Placement
from bnrepro.models.dropout import without_dropout


class JaxLooker(Looker):
    """Looks at `state`; see `Looker`."""

    state: State
    _placement: Placement
    _table: tuple[Any, Any] | None
    _forward: Callable[..., Any]
    _forward_all: Callable[..., Any]

    @abstractmethod
    def _paths(self) -> list[str]:
        """The paths of all variables of `state`, in its order."""

    def forward(self, images: Any) -> Any:
        return self._forward(self.state, self._placement.split(images))

    def _infer(self, state: State, images: Any) -> Any:
        trainable, non_trainable, _ = state
        batch = self.assembler.assemble(images, jnp.arange(len(images)), {})
        return self.network.model.stateless_call(trainable, non_trainable, batch, training=False)[0]

    def infer_all(self, state: State, batches: Any) -> Any:
        """Class scores of `_evaluation_batches`, one after the other."""
        scores = lax.map(lambda images: self._infer(state, images), batches)
        return scores.reshape(-1, scores.shape[-1])

    def compile_scoring(self) -> None:
        if self._scores_at_once(self.dataset.evaluation):
            self.score(self.dataset.evaluation)
        else:
            super().compile_scoring()

    def scores(self, split: Split) -> Iterator[tuple[np.ndarray, Any]]:
        if not self._scores_at_once(split):
            yield from super().scores(split)
            return
        rows = self.inference_batches(len(split.labels)).ravel()
        yield rows, self._forward_all(self.state, self._evaluation_batches)

    def _tallies(self, split: Split) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        if not self._scores_at_once(split):
            yield from super()._tallies(split)
            return
        labels, counted = self._evaluation_targets
        for _, scores in self.scores(split):
            yield self.fetch(self._tally(labels, scores, counted))

    def _scores_at_once(self, split: Split) -> bool:
        """Whether the split lies on an accelerator, where one program goes over all of it.

        A call for each batch costs an accelerator more time in copies and launches than in work.
        """
        return self._keeps(split)

    @cached_property
    def _evaluation_batches(self) -> Any:
        """The evaluation split on the device, (batches, batch, height, width, channels) uint8."""
        split = self.dataset.evaluation
        rows = self.inference_batches(len(split.labels))
        return jax.device_put(self._placement.split(read_images(split, rows), axis=1))

    @cached_property
    def _evaluation_targets(self) -> tuple[Any, Any]:
        """Labels of `_evaluation_batches` one after the other, and which of them count."""
        count = len(self.dataset.evaluation.labels)
        rows = self.inference_batches(count).ravel()
        labels = self.dataset.evaluation.labels[rows]
        return self.to_device(labels), self.to_device(np.arange(len(rows)) < count)

    def population_statistics(self, num_batches: int) -> list[tuple[np.ndarray, np.ndarray]]:
        if not (self.on_accelerator and self._table):
            return super().population_statistics(num_batches)
        rows = self._placement.split(self.population_batches(num_batches), axis=1)
        averages = self.fetch(self._average_moments(self.state, rows, self._table[0]))
        return [(mean, variance) for mean, variance in averages]

    @cached_property
    def _average_moments(self) -> Callable[..., list[tuple[Any, Any]]]:
        """Algorithm 2's pass as one program."""
        return self.compiled(self.average_moments)

    def average_moments(self, state: State, rows: Any, table: Any) -> list[tuple[Any, Any]]:
        """E[x] and Var[x] of `population_statistics` over the images at `rows` of `table`."""
        terms = lax.map(lambda batch: self.watch_moments(state, table[batch]), rows)
        return jax.tree.map(lambda term: term.mean(axis=0), terms)

    def watch(self, program: Callable[..., list[Any]], images: Any) -> list[Any]:
        return program(self.state, images)

    def watcher(
        self, tensors: list[Any], reduce: Callable[[list[Any]], list[Any]]
    ) -> Callable[[State, Any], list[Any]]:
        """A program that computes inner values of the network in batch mode and reduces them."""
        watched = keras.Model(self.network.model.inputs, tensors)

        def watch(state: State, images: Any) -> list[Any]:
            values = dict(zip(self._paths(), jax.tree.leaves(state), strict=True))
            trainable = [values[f"model/{v.path}"] for v in watched.trainable_variables]
            non_trainable = [values[f"model/{v.path}"] for v in watched.non_trainable_variables]
            batch = self.assembler.assemble(images, jnp.arange(len(images)), {})
            with without_dropout():
                inner, _ = watched.stateless_call(trainable, non_trainable, batch, training=True)
            # Keras gives a single tensor without its list.
            return reduce(keras.tree.flatten(inner))

        return self.compiled(watch)
