"""Batch normalization of the mean alone, made for weight normalization."""

from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig
from bnrepro.normalization.moments import moments


@keras.saving.register_keras_serializable("bnrepro")
class MeanOnlyBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization without its division, and without gamma.

    Training: `y = x - mean + beta` with the mini-batch's mean per feature map or unit, so that the
    backward pass takes the mini-batch's mean from the gradient. Inference: the same with the moving
    mean, `moving = momentum * moving + (1 - momentum) * batch`, or Algorithm 2's.
    https://arxiv.org/abs/1602.07868, section 2.3. Statistics are over all axes but the last. The
    moving variance, which all batch normalizations of Keras's have, stays as it is and is not read.

    May be differentiated twice.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        values = ops.cast(inputs, self.variable_dtype)
        if training and self.trainable:
            mean = self._batch_mean(values)
            moving = self.moving_mean * self.momentum + mean * (1.0 - self.momentum)
            self.moving_mean.assign(moving)
        else:
            mean = self.moving_mean
        outputs = values - mean
        if self.center:
            outputs = outputs + self.beta
        return ops.cast(outputs, self.compute_dtype)

    def _batch_mean(self, values: Any) -> Any:
        rows = ops.reshape(values, (-1, values.shape[-1]))
        return moments(rows, (0,))[0][0]


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`, whose outputs have the scale of its inputs."""
    options = {"momentum": config.batch_normalization.momentum, "scale": False}
    return MeanOnlyBatchNormalization, options
