"""Mean and variance that may be differentiated more than once."""

import math
from typing import Any

import keras
from keras import ops


def moments(values: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and biased variance over `axes`, which are kept with size 1.

    Keras's own, under TensorFlow, take the mean within the variance for a constant. That changes
    nothing in a first derivative, where the deviations from the mean sum to 0, but a second one is
    wrong; and `ops.mean` under JAX computes in float32 whatever it is given.
    """
    count = math.prod(ops.shape(values)[axis] for axis in axes)
    mean = ops.sum(values, axes, keepdims=True) / count
    return mean, ops.sum(ops.square(values - mean), axes, keepdims=True) / count


def statistics_rows(layer: keras.layers.Layer, values: Any) -> Any:
    """What a batch normalization's statistics are over: (parts, rows, statistics).

    As many statistics as the layer has: for each feature map, or for each activation. One part
    unless its layer has a `statistics_batch`: then as many consecutive examples to a part.

    Raises:
        ValueError: if the batch is known and is no multiple of `statistics_batch`.
    """
    number = layer.moving_mean.shape[0]
    size = getattr(layer, "statistics_batch", None)
    if size is None:
        return ops.reshape(values, (1, -1, number))
    return parts_of(values, number, size)


def parts_of(values: Any, number: int, size: int) -> Any:
    """Parts of `size` consecutive examples, (parts, rows, statistics), of `number` statistics.

    Raises:
        ValueError: if the batch is known and is no multiple of `size`.
    """
    batch, *shape = values.shape
    if batch is not None and batch % size:
        raise ValueError(f"a batch of {batch}: expected a multiple of statistics_batch={size}")
    return ops.reshape(values, (-1, size * math.prod(shape) // number, number))


def mean_of_parts(each: Any) -> Any:
    """The mean over the parts, (statistics,), of (parts, 1, statistics)."""
    count = ops.cast(ops.shape(each)[0], each.dtype)
    return ops.sum(each, (0, 1)) / count


def transformed(layer: keras.layers.Layer, rows: Any, mean: Any, variance: Any) -> Any:
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` with a batch normalization's own."""
    outputs = (rows - mean) * ops.rsqrt(variance + layer.epsilon)
    if layer.scale:
        outputs = outputs * layer.gamma
    return outputs + layer.beta if layer.center else outputs


class TwiceDifferentiable(keras.layers.Layer):
    """A batch normalization's own formula over its own variables, without updates of any.

    Training: `gamma * (x - mean) / sqrt(variance + epsilon) + beta` with the mini-batch's mean and
    variance (Algorithm 1 of https://arxiv.org/abs/1502.03167); inference: with the moving averages.
    Second derivatives are right under both backends, which those of the layer itself are not:
    Keras's stop a gradient, and the backward pass of `feature_maps` is written by hand.
    """

    def __init__(self, layer: keras.layers.BatchNormalization) -> None:
        super().__init__(name=f"{layer.name}_twice")
        self.layer = layer

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        layer = self.layer
        rows = statistics_rows(layer, ops.cast(inputs, layer.variable_dtype))
        if training:
            mean, variance = moments(rows, (1,))
        else:
            mean, variance = layer.moving_mean, layer.moving_variance
        outputs = transformed(layer, rows, mean, variance)
        return ops.cast(ops.reshape(outputs, (-1, *inputs.shape[1:])), layer.compute_dtype)
