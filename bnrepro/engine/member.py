"""One run of a group: it trains with the others, and answers with them what is asked of it."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from bnrepro.config import Recipe
from bnrepro.data import Split
from bnrepro.engine.jax import JaxEngine
from bnrepro.engine.jax_loop import Constants, State
from bnrepro.engine.tally import mean_score, norms, tally
from bnrepro.engine.together import Question, Together
from bnrepro.models import initial_states

# Side by side, with labels that all members share, XLA for CPUs gives wrong losses for 10,000
# images (JAX 0.10.2).
tally_in_turn = jax.custom_batching.sequential_vmap(tally)


class Member(JaxEngine):
    """An engine of its own between two segments, of the network, data and programs of another.

    What is asked after each evaluation is asked of all members together; everything else, and
    whatever is asked of a member whose variables were assigned, of it alone.
    """

    def __init__(self, first: JaxEngine, config: Recipe, together: Together) -> None:
        """It stands at the beginning of `config`, as `first` does at that of its own."""
        vars(self).update(vars(first))
        self.config = config
        self.order = first.build_order(config)
        self.compile_gradients()
        self.state = self._beginning(first)
        self._together = together

    def compile_scoring(self) -> None:
        if self._is_scored_together(self.dataset.evaluation):
            self.score(self.dataset.evaluation)
        else:
            super().compile_scoring()

    def population_score(self, num_batches: int) -> tuple[float, float]:
        if not self._is_scored_together(self.dataset.evaluation):
            return super().population_score(num_batches)

        def score(state: State, rows: Any, images: Any, *evaluation: Any) -> tuple[Any, Any, Any]:
            averages = self.average_moments(state, rows, images)
            return self._score(self._inferring(state, averages), (), *evaluation)

        question = Question(
            ("population", num_batches),
            score,
            (self._images_and_labels[0], self._evaluation_batches, *self._evaluation_targets),
            lambda one: one.population_batches(num_batches),
        )
        return mean_score([self._ask(question)], len(self.dataset.evaluation.labels))

    def _tallies(self, split: Split) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        if not self._is_scored_together(split):
            yield from super()._tallies(split)
            return
        evaluation = self._evaluation_batches, *self._evaluation_targets
        yield self._ask(Question("score", self._score, evaluation))

    def _watch_first(self, num_examples: int, program: Callable[..., list[Any]]) -> list[Any]:
        if not self._is_asked_together:
            return super()._watch_first(num_examples, program)

        def watch(state: State, _: Any, images: Any) -> list[Any]:
            return program(state, images)

        images = self.first_images(num_examples)
        watched: list[Any] = self._ask(Question((program, num_examples), watch, (images,)))
        return watched

    def _norms_of_weights(self) -> np.ndarray:
        if not self._is_asked_together:
            return super()._norms_of_weights()
        found: np.ndarray = self._ask(Question("weights", lambda state, _: norms(state[0])))
        return found

    def _norms_of_gradients(self, step: int) -> np.ndarray:
        if not self._is_asked_together:
            return super()._norms_of_gradients(step)

        def differentiate(state: State, own: Any, images: Any, labels: Any) -> Any:
            indices, distortions, l2 = own
            given = l2 if self.config.l2 else self.config.l2
            return norms(self._differentiate(state, images, labels, indices, distortions, given)[0])

        question = Question(
            "gradients",
            differentiate,
            self._images_and_labels,
            lambda one: _inputs_of_loss(one, step),
            step,
        )
        found: np.ndarray = self._ask(question)
        return found

    def _beginning(self, first: JaxEngine) -> State:
        """The state in which a run of its config begins; what has no seed is as in `first`."""
        _, non_trainable, optimizer = first.state
        model = self.network.model
        states = initial_states(model, self.config.seed)
        return (
            [jnp.asarray(value) for value in self.initial_weights()],
            [
                jnp.asarray(states[each.path]) if each.path in states else jnp.copy(value)
                for each, value in zip(model.non_trainable_variables, non_trainable, strict=True)
            ],
            jax.tree.map(jnp.copy, optimizer),
        )

    @property
    def _is_asked_together(self) -> bool:
        return self._together.holds(self.state)

    def _is_scored_together(self, split: Split) -> bool:
        return self._is_asked_together and self._lies_in_memory(split)

    def _ask(self, question: Question) -> Any:
        self.on_batch(0, 1)
        return self._together.ask(self.state, question)

    def _score(self, state: State, _: Any, batches: Any, labels: Any, counted: Any) -> Any:
        return tally_in_turn(labels, self.infer_all(state, batches), counted)

    @property
    def _images_and_labels(self) -> tuple[Any, Any]:
        """The training split on the device; a group refuses what does not lie in memory."""
        return cast(tuple[Any, Any], self._table)

    def _inferring(self, state: State, statistics: list[tuple[Any, Any]]) -> State:
        """The state in which each batch normalization infers with its (mean, variance)."""
        trainable, non_trainable, optimizer = state
        layers = self.network.batch_normalizations
        given = {}
        for layer, (mean, variance) in zip(layers, statistics, strict=True):
            given[layer.moving_mean.path] = mean
            given[layer.moving_variance.path] = variance
        variables = self.network.model.non_trainable_variables
        moved = [
            given[variable.path].astype(value.dtype) if variable.path in given else value
            for variable, value in zip(variables, non_trainable, strict=True)
        ]
        return trainable, moved, optimizer


def _inputs_of_loss(engine: JaxEngine, step: int) -> tuple[Any, Any, Any]:
    """Indices, distortions and L2's weight of update `step + 1`."""
    inputs = engine.inputs(step, step + 1)
    distortions = {name: values[0] for name, values in inputs.distortions.items()}
    l2 = np.asarray(Constants.of(engine.config).l2, engine.assembler.dtype)
    return inputs.indices[0], distortions, l2
