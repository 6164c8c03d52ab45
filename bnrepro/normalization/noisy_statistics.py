"""Statistics of a whole mini-batch, made as noisy as those of parts of it."""

from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig
from bnrepro.normalization.batch import BatchNormalization
from bnrepro.normalization.moments import moments, parts_of
from bnrepro.normalization.noise import LayerSeed


@keras.saving.register_keras_serializable("bnrepro")
class NoisyStatisticsBatchNormalization(BatchNormalization):
    """Batch normalization over n values that are also moved and scaled at random, part by part.

    Training: parts of `noise_batch` examples, m values of a unit each, get

        ((x - mean) / sqrt(variance + epsilon) - d) / s,    gamma and beta as always,
        d ~ N(0, 1/m - 1/n),    ln s ~ N(c, (1/m - 1/n) / 2),    E s^2 = (1 - 1/m) / (1 - 1/n)

    Mean and variance are those of the whole mini-batch, which the gradient goes through; d and s
    are drawn for each part and unit. This is by how much mean and deviation of a part differ from
    those of the mini-batch when values are independent and normal (the law X7, after Luo et al.
    2018, https://arxiv.org/abs/1809.00846), so that it is ghost batch normalization in which
    nothing depends on who is in a part. Moving averages take the noisy statistics; inference: batch
    normalization. Without `noise_batch` it is batch normalization.
    """

    def __init__(self, noise_batch: int | None = None, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.noise_batch = noise_batch
        self.seed = seed
        self.seed_generator = LayerSeed(seed, self.name)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if self.noise_batch is None or not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        number = self.moving_mean.shape[0]
        rows = parts_of(ops.cast(inputs, self.variable_dtype), number, self.noise_batch)
        mean, variance = moments(rows, (0, 1))
        shift, scale = self._drawn(rows)
        self._move(
            self.moving_mean,
            ops.reshape(mean + ops.sqrt(variance) * _mean_of_parts(shift), (number,)),
        )
        self._move(
            self.moving_variance,
            ops.reshape(variance * _mean_of_parts(ops.square(scale)), (number,)),
        )
        outputs = ((rows - mean) * ops.rsqrt(variance + self.epsilon) - shift) / scale
        if self.scale:
            outputs = outputs * self.gamma
        outputs = outputs + self.beta if self.center else outputs
        return ops.cast(ops.reshape(outputs, (-1, *inputs.shape[1:])), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "noise_batch": self.noise_batch, "seed": self.seed}

    def _drawn(self, rows: Any) -> tuple[Any, Any]:
        """(d, s) of each part and unit, (parts, 1, units), for rows (parts, m, units)."""
        parts, m, units = ops.shape(rows)
        one = 1 / ops.cast(m, rows.dtype)
        all_of_them = 1 / ops.cast(m * parts, rows.dtype)
        share = one - all_of_them
        center = ops.log((1 - one) / (1 - all_of_them)) / 2 - share / 2
        shift, spread = (
            keras.random.normal((parts, 1, units), dtype=rows.dtype, seed=self.seed_generator)
            for _ in range(2)
        )
        return ops.sqrt(share) * shift, ops.exp(center + ops.sqrt(share / 2) * spread)


def _mean_of_parts(each: Any) -> Any:
    return ops.mean(each, axis=0, keepdims=True)


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`, with the noise of its `statistics_batch`, drawn by the run's seed."""
    options = {
        "momentum": config.batch_normalization.momentum,
        "noise_batch": config.batch_normalization.statistics_batch,
        "seed": config.seed,
    }
    return NoisyStatisticsBatchNormalization, options
