"""Section 2: normalization that the gradient step does not know of lets the bias grow for nothing.

With `x = u + b` and `x_hat = x - E[x]`, a gradient step that ignores how E[x] depends on b moves b
by `-rate * dl/dx_hat`; the next x_hat, and with it the loss, is what it was.
"""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bnrepro.lab.descent import HiddenLayerNetwork
from bnrepro.lab.setting import batch_normalization, digits, random
from bnrepro.lab.tables import write_table
from bnrepro.verdicts.criteria import ROUNDING, ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "C1.toy_bias": Criterion(
        "C1",
        "toy x = u + b: growth of b in the second half of training over that in the first",
        "at least",
        0.9,
    ),
    "C1.toy_loss": Criterion(
        "C1", "toy x = u + b: relative change of the loss", "at most", ROUNDING_BOUND
    ),
    "C1.network_bias": Criterion(
        "C1",
        "network, mean outside the gradient: growth of |b| in the second half over the first",
        "at least",
        0.5,
    ),
    "C1.network_loss": Criterion(
        "C1",
        "network, mean outside the gradient: fall of the loss in the second half",
        "at most",
        0.05,
    ),
    "C1.network_scale": Criterion(
        "C1",
        "network, mean and variance outside the gradient: growth of |W|, |b| over that with "
        "batch normalization",
        "at least",
        2.0,
    ),
    "C1.batch_normalization": Criterion(
        "C1", "the same network with batch normalization: growth of |b|", "at most", ROUNDING_BOUND
    ),
}

# So few hidden units that the loss cannot reach 0, where all gradients would end.
_HIDDEN_UNITS, _NUM_EXAMPLES = 2, 300
_STEPS, _RECORD_EVERY, _LEARNING_RATE = 12_000, 300, 0.2
_TOY_STEPS, _TOY_EXAMPLES, _TOY_RATE = 200, 64, 0.1
_EPSILON = 1e-5


class Row(NamedTuple):
    """A network after `step` updates; `bias` and `weights` are Euclidean norms."""

    network: str
    step: int
    loss: float
    bias: float
    weights: float


COLUMNS = Row._fields
# Gradient descent magnifies rounding while the loss falls fast: from the fifth digit on, sometimes
# from the fourth, these differ between processors.
_DIGITS = {"loss": 3, "weights": 3}


class NaiveNormalization(keras.layers.Layer):
    """Normalization by the mini-batch's statistics, which the gradient takes for constants.

    `x - mean`, with `scale` divided by `sqrt(variance + epsilon)`.
    """

    def __init__(self, scale: bool) -> None:
        super().__init__()
        self._scale = scale

    def call(self, inputs: Any) -> Any:
        mean, variance = ops.moments(inputs, axes=0)
        centred = inputs - ops.stop_gradient(mean)
        if self._scale:
            return centred / ops.sqrt(ops.stop_gradient(variance) + _EPSILON)
        return centred


def verdicts(folder: Path) -> list[Verdict]:
    """C1; writes `naive_normalization.csv`."""
    toy = descend_toy(NaiveNormalization(scale=False))
    networks = {
        "mean outside the gradient": NaiveNormalization(scale=False),
        "mean and variance outside": NaiveNormalization(scale=True),
        "batch normalization": batch_normalization(_EPSILON),
    }
    courses = {name: descend_network(name, layer) for name, layer in networks.items()}
    rows = [*toy, *(row for course in courses.values() for row in course)]
    write_table(folder / "naive_normalization.csv", COLUMNS, rows, digits=_DIGITS)
    centred, scaled, true = courses.values()
    return [
        judge(CRITERIA["C1.toy_bias"], late_growth(toy)),
        judge(CRITERIA["C1.toy_loss"], abs(toy[-1].loss / toy[0].loss - 1)),
        judge(
            CRITERIA["C1.network_bias"], late_growth(centred), f"|b| ends at {centred[-1].bias:.1f}"
        ),
        judge(
            CRITERIA["C1.network_loss"], late_fall(centred), f"loss ends at {centred[-1].loss:.3f}"
        ),
        judge(CRITERIA["C1.network_scale"], growth(scaled) / growth(true)),
        judge(
            CRITERIA["C1.batch_normalization"],
            abs(true[-1].bias - true[0].bias),
            f"loss ends at {true[-1].loss:.3f}",
        ),
    ]


def descend_toy(normalization: keras.layers.Layer) -> list[Row]:
    """`loss = mean((N(u + b) - u - 1)^2) / 2`, trained in b alone: no b changes it."""
    inputs = tf.constant(random("toy", _TOY_EXAMPLES, 1))
    bias = tf.Variable(0.0, dtype=tf.float64)

    @tf.function(autograph=False)
    def loss_and_gradient() -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = normalization(inputs + bias, training=True)
            loss = tf.reduce_mean((outputs - inputs - 1) ** 2) / 2
        return loss, tape.gradient(loss, bias)

    rows = []
    for step in range(_TOY_STEPS + 1):
        loss, gradient = loss_and_gradient()
        rows.append(Row("toy", step, float(loss), float(abs(bias)), 0.0))
        bias.assign_sub(_TOY_RATE * gradient)
    return rows


def descend_network(name: str, normalization: keras.layers.Layer) -> list[Row]:
    """The course of a network with one hidden layer, on a batch of digits."""
    images, labels = digits(_NUM_EXAMPLES)
    network = HiddenLayerNetwork(images, labels, _HIDDEN_UNITS, normalization)
    rows = []
    for step in range(0, _STEPS + 1, _RECORD_EVERY):
        loss, _ = network.gradients()
        bias, weights = (
            float(np.linalg.norm(values.numpy()))
            for values in (network.hidden.bias, network.hidden.kernel)
        )
        rows.append(Row(name, step, loss, bias, weights))
        if step < _STEPS:
            network.descend(_LEARNING_RATE, _RECORD_EVERY)
    return rows


def late_growth(course: list[Row]) -> float:
    """Growth of the bias in the second half of the steps over that in the first.

    0 for a bias that has been moved by rounding alone.
    """
    first, middle, last = (course[position].bias for position in (0, len(course) // 2, -1))
    return (last - middle) / (middle - first) if middle - first > ROUNDING else 0.0


def late_fall(course: list[Row]) -> float:
    """The share of the loss that the second half of the steps removes."""
    return 1 - course[-1].loss / course[len(course) // 2].loss


def growth(course: list[Row]) -> float:
    """How far the weights and the bias together have grown."""
    first, last = course[0], course[-1]
    return float(np.hypot(last.bias, last.weights) - np.hypot(first.bias, first.weights))
