"""Many runs as one program: the JAX engine's step under `jax.vmap`, inside one compiled loop.

Small networks leave an accelerator mostly idle. Runs of the same shapes that differ in their seed
or in numbers train together, each with its own weights, batches, distortions, rates and constants;
the images are shared. One member's weights never enter another's: a divergence stays where it is.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bnrepro.config import DENSE_MODELS, ConfigError, Recipe
from bnrepro.engine.jax import JaxEngine
from bnrepro.engine.jax_loop import Constants, State, repeat
from bnrepro.engine.member import Member
from bnrepro.engine.segment import Inputs, Segment, locate_divergence
from bnrepro.engine.together import Together, stack


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
        first.share_programs()
        self._first = first
        self._together = Together(first.on_accelerator)
        self._place(configs)
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
        self._place(configs)

    def _place(self, configs: list[Recipe]) -> None:
        self.engines = [Member(self._first, config, self._together) for config in configs]
        self._constants = _constants(configs, self._first.assembler.dtype)
        self._together.show(self.engines)

    def compile(self) -> None:
        """Compile the program that trains all; nothing is trained."""
        inputs = [engine.inputs(0, 1) for engine in self.engines]
        self._run(self._stacked(), inputs, 0)
        # Some of them may have been given the variables of a checkpoint.
        self._together.show(self.engines)

    def train(self, start: int, stop: int, places: Sequence[int]) -> list[Segment]:
        """Make the updates number `start + 1` to `stop` of the members at `places`.

        The program always trains all; the other members are left as they were.
        """
        inputs = [engine.inputs(start, stop) for engine in self.engines]
        self._together.show([])
        states, losses, corrects = self._run(self._stacked(), inputs, stop - start)
        ends, finite = _unstacked(states), np.asarray(_are_finite(states[0]))
        segments = []
        for place in places:
            steps, at = stop - start, None
            if not finite[place]:
                steps, ends[place] = self._locate(place, inputs, steps)
                at = start + steps
            segments.append(Segment(losses[place, :steps], corrects[place, :steps], at))
        for place in places:
            self.engines[place].state = ends[place]
        self._together.show(self.engines)
        return segments

    def _locate(self, place: int, inputs: list[Inputs], steps: int) -> tuple[int, State]:
        """The exact step of one member's divergence, and its state there."""

        def end_after(steps: int) -> State:
            return self._run(self._stacked(), inputs, steps)[0]

        def finite_after(steps: int) -> bool:
            return bool(_are_finite(end_after(steps)[0])[place])

        found = locate_divergence(finite_after, steps)
        return found, _unstacked(end_after(found))[place]

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
        losses, corrects = jax.device_get((losses, corrects))
        return states, losses[:steps].T, corrects[:steps].T

    def _loop(
        self, states: State, table: Any, labels: Any, indices: Any, rates: Any, distortions: Any,
        constants: Constants, steps: Any,
    ) -> tuple[State, Any, Any]:  # fmt: skip
        """The compiled program: `steps` updates of every member."""

        def advance(states: State, indices: Any, rates: Any, here: Any) -> tuple[State, Any, Any]:
            return self._step(states, table, labels, indices, rates, here, constants)

        return repeat(advance, states, (indices, rates, distortions), steps)

    def _stacked(self) -> State:
        return stack([engine.state for engine in self.engines])


def _constants(configs: list[Recipe], dtype: str) -> Constants:
    """The members' numbers, (members,) each."""
    return jax.tree.map(
        lambda *numbers: jnp.asarray(numbers, dtype), *(Constants.of(config) for config in configs)
    )


@jax.jit
def _unstacked(states: State) -> list[State]:
    count = len(jax.tree.leaves(states)[0])
    return [jax.tree.map(lambda array, at=place: array[at], states) for place in range(count)]


@jax.jit
def _are_finite(weights: list[Any]) -> Any:
    """Whether all weights of each member are finite, (members,)."""
    every = [jnp.isfinite(one).reshape(len(one), -1).all(axis=1) for one in weights]
    return jnp.stack(every).all(axis=0)
