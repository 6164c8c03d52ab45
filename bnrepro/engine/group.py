"""Many runs as one program: the JAX engine's step under `jax.vmap`, inside one compiled loop.

Small networks leave an accelerator mostly idle. Runs of the same shapes that differ in their seed
or in numbers train together, each with its own weights, batches, distortions, rates and constants;
the images are shared. One member's weights never enter another's: a divergence stays where it is.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bnrepro.config import DENSE_MODELS, ConfigError, Recipe
from bnrepro.engine.contract import Inputs, Segment, locate_divergence
from bnrepro.engine.jax import Constants, JaxEngine, State, repeat
from bnrepro.models import initial_random_state, initial_weights


class Group:
    """Trains several engines in step; between two segments each is an engine of its own."""

    def __init__(self, first: JaxEngine, configs: list[Recipe]) -> None:
        """`configs` are the members' recipes, the first one that of `first`.

        Raises:
            ConfigError: for convolutions on a CPU, which a compiled loop makes ten times slower;
                for streamed images, of which each member would need others at the same time.
        """
        if not isinstance(first.dataset.train.images, np.ndarray):
            raise ConfigError(
                f"{len(configs)} runs as one program share images in memory, and these do not fit "
                "there; run them one by one with `bnrepro sweep`"
            )
        if not first.loops:
            raise ConfigError(
                f"{len(configs)} runs with model={first.config.model.name} as one program on a "
                f"CPU: expected model={' or '.join(DENSE_MODELS)}, or a GPU; run them one by one "
                "with `bnrepro sweep`"
            )
        self.engines = [first, *(_twin(first, config) for config in configs[1:])]
        self._constants = _constants(configs, first.assembler.dtype)
        # What other members begin with.
        self._first = copy(first)
        self._first.state = first.copy_state()
        self._step = jax.vmap(first.step, in_axes=(0, None, None, 0, 0, 0, 0))
        self._train_all = jax.jit(self._loop, donate_argnums=0)

    def begin(self, configs: list[Recipe]) -> None:
        """Put as many other members in the places of these, at their beginnings.

        The program stays, so that nothing is compiled: few members at a time train faster on a CPU,
        whose cache holds them, than all at once.

        Raises:
            ValueError: for another number of members.
        """
        if len(configs) != len(self.engines):
            raise ValueError(f"{len(configs)} members: expected {len(self.engines)}")
        self.engines = [_twin(self._first, config) for config in configs]
        self._constants = _constants(configs, self._first.assembler.dtype)

    def compile(self) -> None:
        """Compile the program that trains all; nothing is trained."""
        inputs = [engine.inputs(0, 1) for engine in self.engines]
        self._run(self._stacked(), inputs, 0)

    def train(self, start: int, stop: int, places: Sequence[int]) -> list[Segment]:
        """Make the updates number `start + 1` to `stop` of the members at `places`.

        The program always trains all; the other members are left as they were.
        """
        inputs = [engine.inputs(start, stop) for engine in self.engines]
        states, losses, corrects = self._run(self._stacked(), inputs, stop - start)
        ends = _unstacked(states, len(self.engines))
        segments = []
        for place in places:
            steps, at = stop - start, None
            if not _is_finite(ends[place]):
                steps, ends[place] = self._locate(place, inputs, steps)
                at = start + steps
            segments.append(Segment(losses[place, :steps], corrects[place, :steps], at))
        for place in places:
            self.engines[place].state = ends[place]
        return segments

    def _locate(self, place: int, inputs: list[Inputs], steps: int) -> tuple[int, State]:
        """The exact step of one member's divergence, and its state there."""

        def end_after(steps: int) -> State:
            states, _, _ = self._run(self._stacked(), inputs, steps)
            return _unstacked(states, len(self.engines))[place]

        found = locate_divergence(lambda steps: _is_finite(end_after(steps)), steps)
        return found, end_after(found)

    def _run(
        self, states: State, inputs: list[Inputs], steps: int
    ) -> tuple[State, np.ndarray, np.ndarray]:
        """The states after `steps` updates, and (members, steps) losses and hits."""
        length = self.engines[0].segment_steps
        padded = [one.padded(length).arguments for one in inputs]
        table, labels = padded[0][:2]
        # (steps, members, ...): the loop takes a row a step.
        own = jax.tree.map(lambda *arrays: np.stack(arrays, 1), *(one[2:] for one in padded))
        states, losses, corrects = self._train_all(
            states, table, labels, *own, self._constants, steps
        )
        return states, np.asarray(losses)[:steps].T, np.asarray(corrects)[:steps].T

    def _loop(
        self, states: State, table: Any, labels: Any, indices: Any, rates: Any, distortions: Any,
        constants: Constants, steps: Any,
    ) -> tuple[State, Any, Any]:  # fmt: skip
        """The compiled program: `steps` updates of every member."""

        def advance(states: State, indices: Any, rates: Any, here: Any) -> tuple[State, Any, Any]:
            return self._step(states, table, labels, indices, rates, here, constants)

        return repeat(advance, states, (indices, rates, distortions), steps)

    def _stacked(self) -> State:
        return jax.tree.map(lambda *arrays: jnp.stack(arrays), *(e.state for e in self.engines))


def _constants(configs: list[Recipe], dtype: str) -> Constants:
    """The members' numbers, (members,) each."""
    return jax.tree.map(
        lambda *numbers: jnp.asarray(numbers, dtype), *(Constants.of(config) for config in configs)
    )


def _unstacked(states: State, count: int) -> list[State]:
    return [jax.tree.map(lambda array, at=place: array[at], states) for place in range(count)]


def _is_finite(state: State) -> bool:
    return all(bool(jnp.isfinite(weight).all()) for weight in state[0])


def _twin(first: JaxEngine, config: Recipe) -> JaxEngine:
    """An engine of the same network and data, with the initial state and batches of `config`."""
    twin = copy(first)
    twin.config = config
    twin.order = first.build_order(config)
    twin.compile_gradients()
    trainable, non_trainable, optimizer = first.state
    model = first.network.model
    weights = [jnp.asarray(value) for value in initial_weights(model, config)]
    random = {state.path for state in first.network.random_states}
    twin.state = (
        weights,
        [
            jnp.asarray(initial_random_state(each.path, config.seed))
            if each.path in random
            else jnp.copy(value)
            for each, value in zip(model.non_trainable_variables, non_trainable, strict=True)
        ],
        jax.tree.map(jnp.copy, optimizer),
    )
    return twin
