"""Batch normalization whose outputs are moved and scaled at random, otherwise in every step."""

from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig
from bnrepro.normalization.batch import BatchNormalization
from bnrepro.normalization.noise import LayerSeed, moved_and_scaled


@keras.saving.register_keras_serializable("bnrepro")
class NoisyBatchNormalization(BatchNormalization):
    """Batch normalization with unstable distributions (https://arxiv.org/abs/1805.11604).

    Training: `noise.moved_and_scaled` of batch normalization's output; inference: batch
    normalization. The noise does not enter the statistics of its own layer, but moving averages and
    Algorithm 2's statistics of the layers behind it; a probe's are free of it.

    Paper: not said whether the noise stands before or after gamma and beta, and whether there is
    noise at inference. Ours: after; none.
    """

    def __init__(self, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed
        self.seed_generator = LayerSeed(seed, self.name)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        outputs = super().call(inputs, training=training, mask=mask)
        if not training:
            return outputs
        noisy = moved_and_scaled(outputs, self.seed_generator, self.variable_dtype)
        return ops.cast(noisy, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`, whose noise is of the run's seed."""
    options = {"momentum": config.batch_normalization.momentum, "seed": config.seed}
    return NoisyBatchNormalization, options
