"""One mini-batch's part of the population statistics (https://arxiv.org/abs/1502.03167)."""

from typing import Any

import keras
from keras import ops


def batch_moments(layers: list[keras.layers.Layer], inputs: list[Any]) -> list[tuple[Any, Any]]:
    """(batch_mean, unbiased batch_variance) of each batch normalization's input.

    Algorithm 2, step 10: the population's mean and variance are the averages of these over many
    training mini-batches. The unbiased variance is the mini-batch's times m/(m-1), m being the
    number of values averaged: batch for a unit or a single activation, batch * height * width for
    a feature map (section 3.2); infinite or not a number where m is 1. Shapes are those of
    `layer.moving_mean`.
    """
    return [_moments(layer, values) for layer, values in zip(layers, inputs, strict=True)]


def _moments(layer: keras.layers.Layer, values: Any) -> tuple[Any, Any]:
    # The layer's own number of statistics tells which axes are averaged.
    rows = ops.reshape(values, (-1, layer.moving_mean.shape[0]))  # (m, statistics)
    mean, variance = ops.moments(ops.cast(rows, layer.variable_dtype), axes=0)
    m = ops.cast(ops.shape(rows)[0], layer.variable_dtype)
    return mean, variance * (m / (m - 1))
