"""Section 3.3: batch normalization does not see the scale of the weights before it.

    BN((aW)u) = BN(Wu)
    d BN((aW)u) / du = d BN(Wu) / du
    d BN((aW)u) / d(aW) = (1/a) d BN(Wu) / dW

They are exact for epsilon = 0. With epsilon, scaling the weights by a is scaling epsilon by 1/a^2:
BN((aW)u; epsilon) = BN(Wu; epsilon / a^2). Since the loss does not change along W, the gradient is
orthogonal to it, and a step of gradient descent can only lengthen W.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bnrepro.lab.descent import HiddenLayerNetwork
from bnrepro.lab.setting import batch_normalization, digits, random, relative_error
from bnrepro.lab.tables import write_table
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "C2.output": Criterion(
        "C2",
        "BN(aWu) against BN(Wu), a = 0.1 to 100, epsilon = 0: largest relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "C2.gradient_of_input": Criterion(
        "C2",
        "gradient to u through BN(aWu) against that through BN(Wu): largest relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "C2.gradient_of_weights": Criterion(
        "C2",
        "a times the gradient of aW against the gradient of W: largest relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "C2.epsilon": Criterion(
        "C2",
        "epsilon = 1e-3, 1e-5: largest error of BN(aWu) against the exact law "
        "BN(Wu; epsilon / a^2)",
        "at most",
        ROUNDING_BOUND,
    ),
    "C2.orthogonal": Criterion(
        "C2",
        "gradient of each unit's weights: largest cosine with these weights",
        "at most",
        ROUNDING_BOUND,
    ),
    "C2.growth": Criterion(
        "C2",
        "|W|^2 after a step of gradient descent against |W|^2 + rate^2 |gradient|^2: "
        "largest relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "C2.monotone": Criterion(
        "C2", "share of 100 steps of gradient descent in which |W| grows", "exactly", 1
    ),
}

_SCALES, _EPSILONS = (0.1, 1.0, 10.0, 100.0), (0.0, 1e-5, 1e-3)
_EXAMPLES, _INPUTS, _UNITS = 64, 20, 8
_STEPS, _LEARNING_RATE = 100, 0.5


class LawErrors(NamedTuple):
    """Relative errors of weights at scale a against the same weights at scale 1."""

    output: float
    gradient_of_input: float
    gradient_of_weights: float
    law_of_epsilon: float  # output against that of epsilon / a^2


COLUMNS = ("epsilon", "a", *LawErrors._fields)


def verdicts(folder: Path) -> list[Verdict]:
    """C2; writes `weight_scale.csv`, the relative errors of the laws."""
    errors = {(epsilon, a): law_errors(epsilon, a) for epsilon in _EPSILONS for a in _SCALES}
    rows = [(*setting, *values) for setting, values in errors.items()]
    write_table(folder / "weight_scale.csv", COLUMNS, rows)
    exact = LawErrors(*np.max([errors[0.0, a] for a in _SCALES], axis=0))
    law_of_epsilon = np.max([each.law_of_epsilon for each in errors.values()])
    broken = errors[1e-3, 0.1].output
    cosine, growth_error, growing = follow_weights()
    return [
        judge(
            CRITERIA["C2.output"], exact.output, f"with epsilon = 1e-3 and a = 0.1: {broken:.2g}"
        ),
        judge(CRITERIA["C2.gradient_of_input"], exact.gradient_of_input),
        judge(CRITERIA["C2.gradient_of_weights"], exact.gradient_of_weights),
        judge(CRITERIA["C2.epsilon"], law_of_epsilon),
        judge(CRITERIA["C2.orthogonal"], cosine),
        judge(CRITERIA["C2.growth"], growth_error),
        judge(CRITERIA["C2.monotone"], growing),
    ]


def law_errors(epsilon: float, a: float) -> LawErrors:
    """Errors at scale a against scale 1: output, both gradients; and the law of epsilon."""
    inputs = random("weight scale u", _EXAMPLES, _INPUTS)
    weights = random("weight scale W", _INPUTS, _UNITS) / np.sqrt(_INPUTS)
    output, to_input, to_weights = differentiate(inputs, weights, epsilon)
    scaled, scaled_to_input, scaled_to_weights = differentiate(inputs, a * weights, epsilon)
    expected = normalized(inputs @ weights, epsilon / a**2)
    return LawErrors(
        relative_error(scaled, output),
        relative_error(scaled_to_input, to_input),
        relative_error(a * scaled_to_weights, to_weights),
        relative_error(scaled, expected),
    )


def differentiate(
    inputs: np.ndarray, weights: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BN(Wu), and the gradients of a fixed linear function of it with respect to u and W."""
    layer, direction = batch_normalization(epsilon), random("weight scale dy", _EXAMPLES, _UNITS)
    u, kernel = tf.constant(inputs), tf.constant(weights)
    with tf.GradientTape() as tape:
        tape.watch([u, kernel])
        output = layer(tf.matmul(u, kernel), training=True)
        value = tf.reduce_sum(output * direction)
    to_input, to_weights = tape.gradient(value, [u, kernel])
    return output.numpy(), to_input.numpy(), to_weights.numpy()


def normalized(values: np.ndarray, epsilon: float) -> np.ndarray:
    """Algorithm 1's x-hat in NumPy, (examples, units)."""
    return (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + epsilon)


def follow_weights() -> tuple[float, float, float]:
    """Gradient descent on the digits, step by step.

    Returns the largest |cosine| between a unit's weights and their gradient, the largest relative
    error of |W|^2 + rate^2 |gradient|^2 for the next |W|^2, and the share of steps in which |W|^2
    grew.
    """
    images, labels = digits(300)
    network = HiddenLayerNetwork(images, labels, _UNITS, batch_normalization(), use_bias=False)
    kernel = network.hidden.kernel
    cosines, errors, growths = [], [], []
    for _ in range(_STEPS):
        before = kernel.numpy()
        gradient = network.gradients()[1][0]
        network.descend(_LEARNING_RATE, 1)
        lengths = np.linalg.norm(before, axis=0) * np.linalg.norm(gradient, axis=0)
        cosines.append(np.abs((before * gradient).sum(axis=0) / lengths).max())
        expected = (before**2).sum() + _LEARNING_RATE**2 * (gradient**2).sum()
        after = (kernel.numpy() ** 2).sum()
        errors.append(abs(after / expected - 1))
        growths.append(after - (before**2).sum())
    return float(max(cosines)), float(max(errors)), float(np.mean(np.array(growths) > 0))
