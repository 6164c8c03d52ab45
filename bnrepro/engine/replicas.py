"""Many runs as one program: the JAX engine's loop under `jax.vmap`.

Small networks leave an accelerator mostly idle. Runs of the same shapes that differ in their seed
or in numbers train together, each with its own weights, batches, distortions and rates; the images
are shared. One replica's weights never enter another's: a divergence stays where it is.
"""

from copy import copy
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bnrepro.config import DENSE_MODELS, ConfigError, RunConfig
from bnrepro.engine.contract import Inputs, Segment, locate_divergence
from bnrepro.engine.jax import JaxEngine, State
from bnrepro.models import initial_weights


class Replicas:
    """Trains several engines in step; between two segments each is an engine of its own."""

    def __init__(self, first: JaxEngine, configs: list[RunConfig]) -> None:
        """`configs` are the recipes that train, the first one that of `first`.

        Raises:
            ConfigError: for convolutions on a CPU, which a compiled loop makes ten times slower.
        """
        if not first.loops:
            raise ConfigError(
                f"replicas={len(configs)} with model={first.config.model.name} on a CPU: expected "
                f"model={' or '.join(DENSE_MODELS)}, or a GPU; run the seeds one by one with "
                "`bnrepro sweep`"
            )
        self.engines = [first, *(_twin(first, config) for config in configs[1:])]
        self._dead: set[int] = set()
        self._train_all = jax.jit(
            jax.vmap(first.loop, in_axes=(0, None, None, 0, 0, 0, None)), donate_argnums=0
        )

    def compile(self) -> None:
        """Compile the program that trains all; nothing is trained."""
        inputs = [engine.inputs(0, 1) for engine in self.engines]
        self._run(self._stacked(), inputs, 0)

    def train(self, start: int, stop: int) -> list[Segment]:
        """Make the updates number `start + 1` to `stop` of every replica.

        A replica that has diverged before only fills its place: its segments say so again.
        """
        inputs = [engine.inputs(start, stop) for engine in self.engines]
        states, losses, corrects = self._run(self._stacked(), inputs, stop - start)
        ends = _unstacked(states, len(self.engines))
        segments = []
        for place, (end, loss, correct) in enumerate(zip(ends, losses, corrects, strict=True)):
            steps = stop - start
            diverged = place in self._dead or not _is_finite(end)
            if diverged and place not in self._dead:
                steps, end = self._locate(place, inputs, steps)
                self._dead.add(place)
            at = start + steps if diverged else None
            segments.append(Segment(loss[:steps], correct[:steps], at))
            ends[place] = end
        for engine, end in zip(self.engines, ends, strict=True):
            engine.state = end
        return segments

    def _locate(self, place: int, inputs: list[Inputs], steps: int) -> tuple[int, State]:
        """The exact step of one replica's divergence, and its state there."""

        def end_after(steps: int) -> State:
            states, _, _ = self._run(self._stacked(), inputs, steps)
            return _unstacked(states, len(self.engines))[place]

        found = locate_divergence(lambda steps: _is_finite(end_after(steps)), steps)
        return found, end_after(found)

    def _run(
        self, states: State, inputs: list[Inputs], steps: int
    ) -> tuple[State, np.ndarray, np.ndarray]:
        length = self.engines[0].segment_steps
        padded = [one.padded(length).arguments for one in inputs]
        table, labels = padded[0][:2]
        own = jax.tree.map(lambda *arrays: np.stack(arrays), *(one[2:] for one in padded))
        states, losses, corrects = self._train_all(states, table, labels, *own, steps)
        return states, np.asarray(losses)[:, :steps], np.asarray(corrects)[:, :steps]

    def _stacked(self) -> State:
        return jax.tree.map(lambda *arrays: jnp.stack(arrays), *(e.state for e in self.engines))


def _unstacked(states: State, count: int) -> list[State]:
    return [jax.tree.map(lambda array, at=place: array[at], states) for place in range(count)]


def _is_finite(state: State) -> bool:
    return all(bool(jnp.isfinite(weight).all()) for weight in state[0])


def _twin(first: JaxEngine, config: RunConfig) -> JaxEngine:
    """An engine of the same network and data, with the initial state and batches of `config`."""
    twin = copy(first)
    twin.config = config
    twin.order = first.build_order(config)
    trainable, non_trainable, optimizer = first.state
    model = first.network.model
    weights = [jnp.asarray(value) for value in initial_weights(model, config)]
    random = {state.path for state in first.network.random_states}
    twin.state = (
        weights,
        [
            _reseeded(value, config.seed) if variable.path in random else jnp.copy(value)
            for variable, value in zip(model.non_trainable_variables, non_trainable, strict=True)
        ],
        jax.tree.map(jnp.copy, optimizer),
    )
    return twin


def _reseeded(state: Any, seed: int) -> Any:
    """The random state of a layer, such as dropout's, with which `seed` begins."""
    return jnp.asarray([seed, 0], state.dtype)
