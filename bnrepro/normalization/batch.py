"""Batch normalization of feature maps, with a faster path on a CPU under TensorFlow."""

from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig
from bnrepro.normalization.ghost import GhostBatchNormalization
from bnrepro.normalization.per_activation import PerActivationBatchNormalization


@keras.saving.register_keras_serializable("bnrepro")
class BatchNormalization(keras.layers.BatchNormalization):
    """Algorithm 1 of https://arxiv.org/abs/1502.03167, over all axes but the last.

    Training: `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`, with the mini-batch's mean
    and biased variance per feature map (section 3.2) or unit. Inference: the same with the moving
    averages `moving = momentum * moving + (1 - momentum) * batch`.

    Keras's layer does all of this. Where TensorFlow runs convolutions op by op (no XLA, no GPU) the
    formulas are taken from `feature_maps`, which reads the activations fewer times: they are the
    same, with the backward pass of section 3 written by hand.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if mask is not None or not _is_op_by_op(inputs):
            return super().call(inputs, training=training, mask=mask)
        from bnrepro.normalization.feature_maps import normalize, transform

        values = ops.cast(inputs, self.variable_dtype)
        maps = inputs.shape[-1]
        gamma = self.gamma.value if self.scale else ops.ones(maps)
        beta = self.beta.value if self.center else ops.zeros(maps)
        if training and self.trainable:
            outputs, mean, variance = normalize(values, gamma, beta, self.epsilon)
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
            outputs = transform(values, mean, variance, gamma, beta, self.epsilon)
        return ops.cast(outputs, self.compute_dtype)

    def _move(self, average: Any, batch: Any) -> None:
        average.assign(average * self.momentum + batch * (1.0 - self.momentum))


def _is_op_by_op(inputs: Any) -> bool:
    """Whether these are float32 feature maps that TensorFlow normalizes on a CPU without XLA."""
    if keras.config.backend() != "tensorflow" or len(inputs.shape) != 4:
        return False
    import tensorflow as tf

    return inputs.dtype != tf.float64 and not tf.config.list_physical_devices("GPU")


def choose(config: RunConfig, last_hidden: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`, with statistics per feature map or per activation (section 3.2).

    Over all of a mini-batch, or over parts of it.
    """
    options: dict[str, Any] = {"momentum": config.batch_normalization.momentum}
    if config.batch_normalization.statistics_batch is not None:
        parts = config.batch_normalization.statistics_batch
        return GhostBatchNormalization, {**options, "statistics_batch": parts}
    statistics = config.batch_normalization.statistics
    per_activation = statistics == "per_activation" or (
        statistics == "per_activation_last" and last_hidden
    )
    layer = PerActivationBatchNormalization if per_activation else BatchNormalization
    return layer, options
