"""Batch normalization whose outputs are moved and scaled at random, otherwise in every step."""

import zlib
from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig
from bnrepro.normalization.batch import BatchNormalization

# Section 2.1's constants (appendix A.2.1): how far a unit's mean moves, up to how much its values
# are scaled, and how far the examples of a step differ in both.
MEAN, SCALE, EACH_MEAN, EACH_SCALE = 0.5, 1.25, 0.1, 0.1


class _LayerSeed(keras.random.SeedGenerator):
    """The numbers of one layer: those of other layers that begin with the same seed differ."""

    def __init__(self, seed: int, layer: str) -> None:
        super().__init__(seed, name=f"{layer}_seed")
        self._offset = zlib.crc32(layer.encode()) & 0xFFFFF

    def next(self, ordered: bool = True) -> Any:
        state = super().next(ordered)
        return state + ops.convert_to_tensor([self._offset, 0], dtype=state.dtype)


@keras.saving.register_keras_serializable("bnrepro")
class NoisyBatchNormalization(BatchNormalization):
    """Batch normalization with unstable distributions (https://arxiv.org/abs/1805.11604).

    Training: `s * y + m`, y being batch normalization's output, with, for each unit j and step,

        m_j ~ U(-0.5, 0.5)      m ~ U(m_j - 0.1, m_j + 0.1) for each example and place
        s_j ~ U(1, 1.25)        s ~ N(s_j, 0.1)             likewise

    Inference: batch normalization. The noise does not enter the statistics of its own layer, but
    moving averages and Algorithm 2's statistics of the layers behind it; a probe's are free of it.

    Paper: not said whether the noise stands before or after gamma and beta, whether 0.1 is the
    deviation or the variance of s, and whether there is noise at inference. Ours: after; the
    deviation; none.
    """

    def __init__(self, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed
        self.seed_generator = _LayerSeed(seed, self.name)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        outputs = super().call(inputs, training=training, mask=mask)
        if not training:
            return outputs
        scale, shift = self._noise(ops.shape(outputs))
        noisy = ops.cast(outputs, self.variable_dtype) * scale + shift
        return ops.cast(noisy, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}

    def _noise(self, shape: tuple[Any, ...]) -> tuple[Any, Any]:
        """s and m of one step, of the outputs' shape."""
        unit_shift = self._uniform(shape[-1:], -MEAN, MEAN)
        unit_scale = self._uniform(shape[-1:], 1.0, SCALE)
        shift = unit_shift + self._uniform(shape, -EACH_MEAN, EACH_MEAN)
        spread = keras.random.normal(
            shape, 0.0, EACH_SCALE, dtype=self.variable_dtype, seed=self.seed_generator
        )
        return unit_scale + spread, shift

    def _uniform(self, shape: tuple[Any, ...], low: float, high: float) -> Any:
        return keras.random.uniform(
            shape, low, high, dtype=self.variable_dtype, seed=self.seed_generator
        )


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`, whose noise is of the run's seed."""
    options = {"momentum": config.batch_normalization.momentum, "seed": config.seed}
    return NoisyBatchNormalization, options
