"""Section 3.2: in a convolution, a feature map is normalized as a whole.

Mean and variance are over the mini-batch and all locations of a map, with one gamma and one beta
for the map, so that normalization commutes with shifts as convolution does.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from bnrepro.lab.setting import batch_normalization, draw_state, random
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "C8.parameters": Criterion(
        "C8", "learned parameters of batch normalization, per feature map", "exactly", 2
    ),
    "C8.joint": Criterion(
        "C8",
        "output against normalization over batch and locations jointly: largest error",
        "at most",
        ROUNDING_BOUND,
    ),
    "C8.shift": Criterion(
        "C8",
        "circular convolution and batch normalization of a shifted image against the shifted "
        "output: largest error",
        "at most",
        ROUNDING_BOUND,
    ),
    "C8.per_activation": Criterion(
        "C8", "the same with normalization per activation: largest error", "at least", 0.01
    ),
}

_BATCH, _SIZE, _CHANNELS, _MAPS, _KERNEL_SIZE = 16, 8, 3, 6, 3
_SHIFT = (2, 3)


def verdicts(_: Path) -> list[Verdict]:
    """C8."""
    joint = prepared("per_feature_map")
    per_activation = prepared("per_activation")
    parameters = number_of_parameters(joint) / _MAPS
    others = number_of_parameters(per_activation) / _MAPS
    return [
        judge(CRITERIA["C8.parameters"], parameters, f"{others:.0f} per activation"),
        judge(CRITERIA["C8.joint"], joint_error(joint)),
        judge(CRITERIA["C8.shift"], shift_error(joint)),
        judge(CRITERIA["C8.per_activation"], shift_error(per_activation)),
    ]


def prepared(statistics: str) -> keras.layers.Layer:
    """A layer whose gammas and betas differ from each other."""
    layer = batch_normalization(statistics=statistics)
    layer.build((_BATCH, _SIZE, _SIZE, _MAPS))
    draw_state(layer)
    return layer


def number_of_parameters(layer: keras.layers.Layer) -> int:
    """How many numbers are learned."""
    return sum(int(np.prod(variable.shape)) for variable in layer.trainable_variables)


def joint_error(layer: keras.layers.Layer) -> float:
    """Largest difference from Algorithm 1 over the m' = m p q values of each map, in NumPy."""
    values = random("feature maps", _BATCH, _SIZE, _SIZE, _MAPS)
    flat = values.reshape(-1, _MAPS)  # (m', maps)
    normalized = (flat - flat.mean(axis=0)) / flat.std(axis=0)
    expected = np.asarray(layer.gamma) * normalized + np.asarray(layer.beta)
    output = np.asarray(layer(values, training=True)).reshape(-1, _MAPS)
    return float(np.abs(output - expected).max())


def shift_error(layer: keras.layers.Layer) -> float:
    """Largest difference between shifting the images and shifting the output."""
    images = random("images to shift", _BATCH, _SIZE, _SIZE, _CHANNELS)
    output = convolve_and_normalize(np.roll(images, _SHIFT, axis=(1, 2)), layer)
    expected = np.roll(convolve_and_normalize(images, layer), _SHIFT, axis=(1, 2))
    return float(np.abs(output - expected).max())


def convolve_and_normalize(images: np.ndarray, layer: keras.layers.Layer) -> np.ndarray:
    """A circular convolution, then the layer: there is no border to break the law."""
    kernel = random("kernel", _KERNEL_SIZE, _KERNEL_SIZE, _CHANNELS, _MAPS)
    margin = _KERNEL_SIZE - 1
    wrapped = np.pad(images, ((0, 0), (0, margin), (0, margin), (0, 0)), mode="wrap")
    maps = tf.nn.convolution(wrapped, kernel, padding="VALID")
    return np.asarray(layer(maps, training=True))
