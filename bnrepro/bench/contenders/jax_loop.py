"""A compiled JAX loop over Keras's layers with nothing observed."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bnrepro.bench.contenders.task import Contender, Task, of_own_layers, whole_segments
from bnrepro.engine.loss import cross_entropy

_SEGMENT_STEPS = 500

# Weights, velocities, moving statistics.
State = tuple[list[Any], list[Any], list[Any]]


class JaxLoop(Contender):
    """What a person would write for speed alone: one jitted program over donated buffers.

    As in the engine a loop is compiled, but for convolutions on a CPU: there it is one step per
    call.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        network = task.network()
        self._model = of_own_layers(network.model)
        self._images = jnp.asarray(task.scaled)
        self._labels = jnp.asarray(task.dataset.train.labels)
        weights = [jnp.copy(variable.value) for variable in self._model.trainable_variables]
        velocities = [jnp.zeros_like(weight) for weight in weights] if task.momentum else []
        others = [jnp.copy(variable.value) for variable in self._model.non_trainable_variables]
        self._state: State = weights, velocities, others
        self._loops = network.is_dense or jax.default_backend() != "cpu"
        self._segment = jax.jit(self._loop, donate_argnums=0)
        self._single = jax.jit(self._update, donate_argnums=0)
        self._step = 0

    def losses(self, steps: int) -> list[float]:
        return [float(self._advance(1)) for _ in range(steps)]

    def train(self, steps: int) -> float:
        started = time.perf_counter()
        for done in range(0, steps, _SEGMENT_STEPS):
            loss = self._advance(min(_SEGMENT_STEPS, steps - done))
        jax.block_until_ready((self._state, loss))
        return time.perf_counter() - started

    def whole(self, steps: int) -> int:
        return whole_segments(steps, _SEGMENT_STEPS) if self._loops else steps

    def _advance(self, steps: int) -> Any:
        """Make up to a segment of updates; the loss of the last batch."""
        indices = self._task.order.indices(self._step, self._step + steps)
        self._step += steps
        if self._loops:
            padding = np.repeat(indices[-1:], _SEGMENT_STEPS - steps, axis=0)
            padded = np.concatenate([indices, padding])
            self._state, loss = self._segment(
                self._state, self._images, self._labels, padded, steps
            )
            return loss
        for rows in indices:
            self._state, loss = self._single(self._state, self._images, self._labels, rows)
        return loss

    def _loop(
        self, state: State, images: Any, labels: Any, indices: Any, steps: Any
    ) -> tuple[State, Any]:
        def body(step: Any, carry: tuple[State, Any]) -> tuple[State, Any]:
            return self._update(carry[0], images, labels, indices[step])

        return lax.fori_loop(0, steps, body, (state, jnp.float32(0)))

    def _update(self, state: State, images: Any, labels: Any, rows: Any) -> tuple[State, Any]:
        weights, velocities, others = state
        batch, targets = jnp.take(images, rows, axis=0), jnp.take(labels, rows)

        def compute_loss(weights: list[Any]) -> tuple[Any, list[Any]]:
            logits, updated = self._model.stateless_call(weights, others, batch, training=True)
            return cross_entropy(targets, logits), updated

        (loss, others), gradients = jax.value_and_grad(compute_loss, has_aux=True)(weights)
        rate, momentum = self._task.config.peak_learning_rate, self._task.momentum
        changes = [-rate * gradient for gradient in gradients]
        if momentum:
            changes = [
                momentum * velocity + change
                for velocity, change in zip(velocities, changes, strict=True)
            ]
            velocities = changes
        weights = [weight + change for weight, change in zip(weights, changes, strict=True)]
        return (weights, velocities, list(others)), loss
