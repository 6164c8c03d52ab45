"""A compiled TensorFlow loop over Keras's layers with nothing observed."""

import time
from typing import Any

import numpy as np
import tensorflow as tf

from bnrepro.bench.contenders.task import Contender, Task, of_own_layers, whole_segments
from bnrepro.engine.loss import cross_entropy

_XLA_SEGMENT_STEPS = 500
_GRAPH_SEGMENT_STEPS = 25


class TensorFlowLoop(Contender):
    """What a person would write for speed alone: one program, plain tensors, the bare update rule.

    Compiled as the engine compiles: by XLA but for convolutions on a CPU.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        network = task.network()
        self._model = of_own_layers(network.model)
        self._images = tf.constant(task.scaled)
        self._labels = tf.constant(task.dataset.train.labels)
        self._weights = [variable.value for variable in self._model.trainable_variables]
        zeros = [tf.Variable(tf.zeros_like(weight)) for weight in self._weights]
        self._velocities = zeros if task.momentum else []
        xla = network.is_dense or bool(tf.config.list_physical_devices("GPU"))
        self._segment_steps = _XLA_SEGMENT_STEPS if xla else _GRAPH_SEGMENT_STEPS
        self._loop = tf.function(self._segment, jit_compile=xla, autograph=False)
        self._step = 0

    def losses(self, steps: int) -> list[float]:
        return [self._advance(1) for _ in range(steps)]

    def train(self, steps: int) -> float:
        started = time.perf_counter()
        for done in range(0, steps, self._segment_steps):
            self._advance(min(self._segment_steps, steps - done))
        return time.perf_counter() - started

    def whole(self, steps: int) -> int:
        return whole_segments(steps, self._segment_steps)

    def _advance(self, steps: int) -> float:
        """Make up to a segment of updates; the loss of the last batch."""
        indices = self._task.order.indices(self._step, self._step + steps)
        self._step += steps
        missing = self._segment_steps - steps
        padded = np.concatenate([indices, np.repeat(indices[-1:], missing, axis=0)])
        return float(self._loop(tf.constant(padded), tf.constant(steps)))

    def _segment(self, indices: Any, steps: Any) -> Any:
        def body(step: Any, _: Any) -> tuple[Any, Any]:
            return step + 1, self._update(indices[step])

        start = tf.constant(0), tf.constant(0.0)
        return tf.while_loop(lambda step, _: step < steps, body, start, parallel_iterations=1)[1]

    def _update(self, rows: Any) -> Any:
        images, labels = tf.gather(self._images, rows), tf.gather(self._labels, rows)
        with tf.GradientTape() as tape:
            loss = cross_entropy(labels, self._model(images, training=True))
        gradients = tape.gradient(loss, self._weights)
        rate, momentum = self._task.config.peak_learning_rate, self._task.momentum
        if not momentum:
            for weight, gradient in zip(self._weights, gradients, strict=True):
                weight.assign_sub(rate * gradient)
        for weight, velocity, gradient in zip(
            self._weights, self._velocities, gradients, strict=bool(momentum)
        ):
            weight.assign_add(velocity.assign(momentum * velocity - rate * gradient))
        return loss
