"""Many small networks that train as one program, each with weights, batches and numbers of its own.

Fully connected layers `y = x W`, batch normalization over the mini-batch with gamma and beta, ReLU,
and at the end logits. Every array has the replicas as its first axis. Descent with momentum,
`v <- mu v + g + lambda w`, `w <- w - eta v`; only kernels before a normalization decay (lambda),
neither gamma and beta nor the last layer.

`grid` trains what runs train, by the engine's own program; here every single step is looked into
(gradients, lengths, angles of the kernels), kernels are rescaled between two steps, and layers add
their inputs, which that program does not do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from bnrepro.config.randomness import generator
from bnrepro.data.order import BatchOrder

EPSILON = 1e-5


@dataclass(frozen=True)
class Form:
    """The form that all replicas share; `skips`: each layer but the first adds its inputs."""

    hidden_layers: int
    width: int
    normalized: bool = True
    skips: bool = False


@dataclass(frozen=True)
class Watched:
    """One step, seen on its mini-batch; all arrays begin with the replicas."""

    loss: np.ndarray  # (replicas,)
    accuracy: np.ndarray  # (replicas,)
    gradients: np.ndarray  # (replicas, hidden layers): the length of the kernel's gradient
    lengths: np.ndarray  # (replicas, hidden layers): of the kernel, after the step
    angles: np.ndarray  # (replicas, hidden layers): by which a unit turned, median over units


@dataclass
class Replicas:
    """Networks on `images`, (examples, values), and `labels`; one per seed, rate and decay.

    Replicas of one seed have the same initial weights, times their `scales`, and the same batches.
    """

    form: Form
    images: np.ndarray
    labels: np.ndarray
    seeds: Sequence[int]
    rates: Sequence[float]
    decays: Sequence[float]
    momentum: float
    batch_size: int
    scales: Sequence[float] = ()
    kernels: list[tf.Variable] = field(init=False)

    def __post_init__(self) -> None:
        self.scales = self.scales or [1.0] * len(self.seeds)
        width, classes = self.form.width, int(self.labels.max()) + 1
        fans = [self.images.shape[1], *[width] * (self.form.hidden_layers - 1)]
        self.kernels = [
            self._drawn(position, fan_in, width, self.scales)
            for position, fan_in in enumerate(fans)
        ]
        shape = (len(self.seeds), 1, width)
        self._gammas = [tf.Variable(tf.ones(shape)) for _ in fans]
        self._betas = [tf.Variable(tf.zeros(shape)) for _ in fans]
        self._last = self._drawn(len(fans), width, classes, [1.0] * len(self.seeds))
        self._bias = tf.Variable(tf.zeros((len(self.seeds), 1, classes)))
        shifted = [*self._gammas, *self._betas] if self.form.normalized else self._betas
        self._others = [*shifted, self._last, self._bias]
        self._velocities = [
            tf.Variable(tf.zeros_like(each)) for each in (*self.kernels, *self._others)
        ]
        self._images = tf.constant(self.images, tf.float32)
        self._labels = tf.constant(self.labels, tf.int32)
        count = len(self.labels)
        self._orders = {
            seed: BatchOrder(count, self.batch_size, "within_shards", seed)
            for seed in dict.fromkeys(self.seeds)
        }
        self._step = tf.function(self._update, autograph=False)

    def _drawn(
        self, position: int, inputs: int, units: int, scales: Sequence[float]
    ) -> tf.Variable:
        """He's weights, drawn by the seed."""
        drawn = [
            scale * generator(seed, f"replicas/kernel {position}").standard_normal((inputs, units))
            for seed, scale in zip(self.seeds, scales, strict=True)
        ]
        return tf.Variable(np.sqrt(2 / inputs) * np.array(drawn), dtype=tf.float32)

    def step(self, number: int) -> Watched:
        """Make update `number`, from 0 on."""
        rows = {seed: order.indices(number, number + 1)[0] for seed, order in self._orders.items()}
        indices = np.stack([rows[seed] for seed in self.seeds])
        return Watched(*(each.numpy() for each in self._step(tf.constant(indices))))

    def unit_lengths(self) -> list[np.ndarray]:
        """Per hidden layer the length of each unit's kernel, (replicas, 1, units)."""
        return [np.linalg.norm(kernel.numpy(), axis=1, keepdims=True) for kernel in self.kernels]

    def rescale(self, lengths: Sequence[np.ndarray]) -> None:
        """Give each unit's kernel the length that `unit_lengths` had."""
        for kernel, length in zip(self.kernels, lengths, strict=True):
            kernel.assign(kernel * (length / tf.norm(kernel, axis=1, keepdims=True)))

    def accuracies(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """The share of images that each replica sees rightly, normalized over all of them."""
        shared = tf.broadcast_to(
            tf.constant(images, tf.float32)[None], (len(self.seeds), *images.shape)
        )
        hits = tf.argmax(self._logits(shared), axis=2).numpy() == labels
        return hits.mean(axis=1)

    def _logits(self, values: tf.Tensor) -> tf.Tensor:
        for kernel, gamma, beta in zip(self.kernels, self._gammas, self._betas, strict=True):
            inner = tf.matmul(values, kernel)
            if self.form.normalized:
                mean, variance = tf.nn.moments(inner, axes=[1], keepdims=True)
                inner = gamma * (inner - mean) * tf.math.rsqrt(variance + EPSILON)
            activated = tf.nn.relu(inner + beta)
            adds = self.form.skips and kernel is not self.kernels[0]
            values = values + activated if adds else activated
        return tf.matmul(values, self._last) + self._bias

    def _update(self, indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        targets = tf.gather(self._labels, indices)
        weights = [*self.kernels, *self._others]
        with tf.GradientTape() as tape:
            logits = self._logits(tf.gather(self._images, indices))
            losses = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits), axis=1
            )
            total = tf.reduce_sum(losses)
        gradients = tape.gradient(total, weights)
        before = [tf.identity(kernel) for kernel in self.kernels]
        self._descend(weights, gradients)
        hits = tf.cast(tf.argmax(logits, axis=2, output_type=tf.int32) == targets, tf.float32)
        layers = range(len(self.kernels))
        return (
            losses,
            tf.reduce_mean(hits, axis=1),
            tf.stack([tf.norm(gradients[n], axis=[1, 2]) for n in layers], axis=1),
            tf.stack([tf.norm(kernel, axis=[1, 2]) for kernel in self.kernels], axis=1),
            tf.stack([_angle(before[n], self.kernels[n]) for n in layers], axis=1),
        )

    def _descend(self, weights: list[tf.Variable], gradients: list[tf.Tensor]) -> None:
        rates = tf.constant(self.rates, tf.float32)[:, None, None]
        decays = tf.constant(self.decays, tf.float32)[:, None, None]
        for n, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            if n < len(self.kernels):
                gradient = gradient + decays * weight
            velocity = self._velocities[n]
            velocity.assign(self.momentum * velocity + gradient)
            weight.assign_sub(rates * velocity)


def _angle(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
    """By which units turned, their median, (replicas,); small angles keep their digits."""
    unit = tf.math.l2_normalize(before, axis=1)
    along = tf.reduce_sum(unit * after, axis=1)
    across = tf.norm(after - unit * along[:, None], axis=1)
    angles = tf.sort(tf.atan2(across, along), axis=1)
    return angles[:, angles.shape[1] // 2]
