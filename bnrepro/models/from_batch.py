"""Weight normalization's data-dependent initialization, layer by layer in one pass."""

from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.models.graph import Call, undisturbed, walk
from bnrepro.models.weight_normalization import WeightNormalized
from bnrepro.normalization.moments import moments


def from_batch(model: keras.Model, weights: list[np.ndarray], images: Any) -> list[np.ndarray]:
    """`weights`, with gains and biases by which sums have mean 0 and variance 1 on `images`.

    https://arxiv.org/abs/1602.07868, section 3: with t = v.x / |v|, the gain becomes `1 / s[t]` and
    the bias `-mean[t] / s[t]`, for each weight-normalized layer as it sees the images after those
    before it. Normalizations are in training mode, dropout is off, nothing is updated. Where a
    normalization takes the bias's place only the scale is fitted. A unit that is the same for all
    images keeps its scale.

    Args:
        model: whose layers compute; its own variables are not read but for statistics.
        weights: values of `model.trainable_variables`, whose biases are 0.
        images: a mini-batch as the model takes it.
    """
    fits: list[tuple[WeightNormalized, Any, Any]] = []

    def called(layer: keras.layers.Layer) -> Call | None:
        if not isinstance(layer, WeightNormalized):
            return undisturbed(layer)

        def fit(inputs: Any) -> Any:
            outputs, mean, deviation = Standardize(layer.use_bias)(layer(inputs))
            fits.append((layer, mean, deviation))
            return outputs

        return fit

    inputs = walk(model, called).model.inputs
    if not fits:
        return weights
    values = {v.path: value for v, value in zip(model.trainable_variables, weights, strict=True)}
    found = _found(keras.Model(inputs, [fit[1:] for fit in fits]), values, images)
    for (layer, *_), (mean, deviation) in zip(fits, found, strict=True):
        values[layer.gain.path] = values[layer.gain.path] / deviation
        if layer.use_bias:
            values[layer.bias.path] = -mean / deviation
    return list(values.values())


class Standardize(keras.layers.Layer):
    """(outputs of variance 1, and mean 0 if it is to take it; mean; deviation) on a mini-batch.

    Mean and deviation are over all axes but the last.
    """

    def __init__(self, centers: bool) -> None:
        super().__init__()
        self._centers = centers

    def call(self, inputs: Any) -> tuple[Any, Any, Any]:
        values = ops.cast(inputs, self.variable_dtype)
        rows = ops.reshape(values, (-1, inputs.shape[-1]))
        mean, variance = (each[0] for each in moments(rows, (0,)))
        deviation = ops.sqrt(ops.where(variance > 0, variance, 1.0))
        outputs = ((values - mean) if self._centers else values) / deviation
        return ops.cast(outputs, self.compute_dtype), mean, deviation

    def compute_output_spec(self, inputs: Any) -> tuple[Any, Any, Any]:
        # By itself Keras would trace the call, with as many rows as nobody knows yet.
        outputs = keras.KerasTensor(inputs.shape, self.compute_dtype)
        mean, deviation = (
            keras.KerasTensor(inputs.shape[-1:], self.variable_dtype) for _ in range(2)
        )
        return outputs, mean, deviation


def _found(model: keras.Model, values: dict[str, np.ndarray], images: Any) -> list[Any]:
    """What the model gives with these weights in training, as NumPy's arrays."""
    outputs, _ = model.stateless_call(
        [values[variable.path] for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
        images,
        training=True,
    )
    return keras.tree.map_structure(np.asarray, outputs)
