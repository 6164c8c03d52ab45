"""One mini-batch's part of the population statistics (https://arxiv.org/abs/1502.03167)."""

from typing import Any

import keras
from keras import ops

from bnrepro.normalization.moments import mean_of_parts, statistics_rows


def batch_moments(layers: list[keras.layers.Layer], inputs: list[Any]) -> list[tuple[Any, Any]]:
    """(batch_mean, unbiased batch_variance) of each batch normalization's input.

    Algorithm 2, step 10: the population's mean and variance are the averages of these over many
    training mini-batches. The unbiased variance is the mini-batch's times m/(m-1), m being the
    number of values averaged: batch for a unit or a single activation, batch * height * width for
    a feature map (section 3.2); infinite or not a number where m is 1. Where statistics go over
    parts of a mini-batch, each part counts as one. Shapes are those of `layer.moving_mean`.
    """
    return [_moments(layer, values) for layer, values in zip(layers, inputs, strict=True)]


def _moments(layer: keras.layers.Layer, values: Any) -> tuple[Any, Any]:
    rows = statistics_rows(layer, ops.cast(values, layer.variable_dtype))  # (parts, m, statistics)
    mean, variance = ops.moments(rows, axes=1, keepdims=True)
    m = ops.cast(ops.shape(rows)[1], layer.variable_dtype)
    return mean_of_parts(mean), mean_of_parts(variance * (m / (m - 1)))
