"""Batch normalization whose statistics are kept for every activation, not for every feature map."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("bnrepro")
class PerActivationBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization of each activation by its own mean and variance over the mini-batch.

    Training (Algorithm 1): `gamma * (x - batch_mean) / sqrt(batch_variance + epsilon) + beta`.
    Inference: the same with the moving averages in place of the mini-batch's statistics.

    Statistics, gamma and beta are over axis 0 alone: one value for each of the
    height * width * channels activations of a convolution, flattened. Used in section 4.2.3 of
    https://arxiv.org/abs/1502.03167 ("non-convolutional" batch normalization).
    """

    def build(self, input_shape: tuple[Any, ...]) -> None:
        super().build((None, math.prod(input_shape[1:])))
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        flat = ops.reshape(inputs, (-1, self.moving_mean.shape[0]))  # (batch, activations)
        outputs = super().call(flat, training=training)
        return ops.reshape(outputs, (-1, *inputs.shape[1:]))
