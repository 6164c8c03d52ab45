"""Distributions made unstable on purpose: units that are moved and scaled at random in every step.

Santurkar et al. 2018 (https://arxiv.org/abs/1805.11604), section 2.1 and appendix A.2.1.
"""

import zlib
from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig

# How far a unit's mean moves, up to how much its values are scaled, and how far the examples of a
# step differ in both.
MEAN, SCALE, EACH_MEAN, EACH_SCALE = 0.5, 1.25, 0.1, 0.1


class LayerSeed(keras.random.SeedGenerator):
    """The numbers of one layer: those of other layers that begin with the same seed differ."""

    def __init__(self, seed: int, layer: str) -> None:
        super().__init__(seed, name=f"{layer}_seed")
        self._offset = zlib.crc32(layer.encode()) & 0xFFFFF

    def next(self, ordered: bool = True) -> Any:
        state = super().next(ordered)
        return state + ops.convert_to_tensor([self._offset, 0], dtype=state.dtype)


def moved_and_scaled(values: Any, seed: LayerSeed, dtype: str) -> Any:
    """`s * values + m`, with, for each unit j (the last axis) and step,

        m_j ~ U(-0.5, 0.5)      m ~ U(m_j - 0.1, m_j + 0.1) for each example and place
        s_j ~ U(1, 1.25)        s ~ N(s_j, 0.1)             likewise

    Paper: not said whether 0.1 is the deviation or the variance of s. Ours: the deviation.
    """
    shape = ops.shape(values)

    def uniform(shape: tuple[Any, ...], low: float, high: float) -> Any:
        # Of the layer's type already: under TensorFlow, Keras rounds plain numbers to float32.
        bounds = (ops.convert_to_tensor(bound, dtype=dtype) for bound in (low, high))
        return keras.random.uniform(shape, *bounds, dtype=dtype, seed=seed)

    unit_shift = uniform(shape[-1:], -MEAN, MEAN)
    unit_scale = uniform(shape[-1:], 1.0, SCALE)
    shift = unit_shift + uniform(shape, -EACH_MEAN, EACH_MEAN)
    spread = keras.random.normal(shape, 0.0, EACH_SCALE, dtype=dtype, seed=seed)
    return ops.cast(values, dtype) * (unit_scale + spread) + shift


@keras.saving.register_keras_serializable("bnrepro")
class Noise(keras.layers.Layer):
    """That noise alone, for a network without normalization; at inference the identity."""

    def __init__(self, seed: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed
        self.seed_generator = LayerSeed(seed, self.name)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return inputs
        noisy = moved_and_scaled(inputs, self.seed_generator, self.variable_dtype)
        return ops.cast(noisy, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`, whose noise is of the run's seed."""
    return Noise, {"seed": config.seed}
