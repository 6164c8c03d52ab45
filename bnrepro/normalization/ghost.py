"""Batch normalization by parts of a mini-batch, each with statistics of its own."""

from typing import Any

import keras
from keras import ops

from bnrepro.normalization.moments import mean_of_parts, moments, statistics_rows, transformed


@keras.saving.register_keras_serializable("bnrepro")
class GhostBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalization over `statistics_batch` examples at a time, whatever the mini-batch.

    Training: the mini-batch is cut into parts of `statistics_batch` consecutive examples, and each
    is normalized by its own mean and biased variance (Algorithm 1 of
    https://arxiv.org/abs/1502.03167 on each part); the moving averages take the mean over the parts
    of mean and variance. Inference: as batch normalization. A mini-batch that is no multiple of
    `statistics_batch` raises an error. https://arxiv.org/abs/1705.08741, "ghost batch
    normalization"; it is also what devices do that do not exchange their statistics.

    Paper: the moving averages are of all parts in turn, the weights of later ones larger. Ours: of
    their mean, so that the order of the parts does not matter.
    """

    def __init__(self, statistics_batch: int, **options: Any) -> None:
        super().__init__(**options)
        self.statistics_batch = statistics_batch

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not (training and self.trainable):
            return super().call(inputs, training=False, mask=mask)
        rows = statistics_rows(self, ops.cast(inputs, self.variable_dtype))
        mean, variance = moments(rows, (1,))
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        outputs = transformed(self, rows, mean, variance)
        return ops.cast(ops.reshape(outputs, (-1, *inputs.shape[1:])), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "statistics_batch": self.statistics_batch}

    def _move(self, average: Any, each: Any) -> None:
        average.assign(average * self.momentum + mean_of_parts(each) * (1.0 - self.momentum))
