"""Where normalizations are the same, and what each example sees of the others.

The formulas in NumPy, with epsilon = 0, beside the project's layers.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from bnrepro.lab.laws.calculus import gradient, in_training
from bnrepro.lab.setting import batch_normalization, draw_state, random
from bnrepro.normalization.batch_renorm import BatchRenormalization
from bnrepro.normalization.group import GroupNormalization
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    f"X9.{key}": Criterion("X9", words, "at most", ROUNDING_BOUND)
    for key, words in (
        ("one_group", "one group against layer normalization: largest error"),
        ("single_maps", "a group a channel against instance normalization: largest error"),
        ("single_image", "batch normalization of one image against it: largest error"),
        ("alone", "layer, group, instance: change of an example when the others change"),
        ("renorm_batch", "renormalization, r = 1, d = 0, against batch normalization"),
        ("renorm_inference", "renormalization, unclipped, against inference: largest error"),
        (
            "renorm_gradient",
            "its gradient against r times batch normalization's, relative to the largest",
        ),
    )
} | {
    "X9.batch": Criterion(
        "X9", "batch normalization: change of an example when the others change", "at least", 0.01
    )
}

_SHAPE = (6, 4, 3, 8)
_GROUP_SIZES = {"layer": None, "group": 2, "instance": 1}


class Renormalization(BatchRenormalization):
    """Batch renormalization with limits that stay, and statistics unlike the mini-batch's."""

    def __init__(self, r_max: float, d_max: float) -> None:
        super().__init__(train_steps=1, epsilon=0.0)
        self._limits = r_max, d_max
        self.build(_SHAPE)
        draw_state(self)
        self.moving_sigma.assign(np.exp(random("law: sigma", _SHAPE[-1]) / 2))

    def limits(self, step: Any) -> tuple[Any, Any]:
        return self._limits


def verdicts() -> list[Verdict]:
    """X9."""
    images = random("law: images", *_SHAPE) * np.arange(1, 9) + 1
    single = images[:1]
    alone = max(dependence(grouped(size), images) for size in _GROUP_SIZES.values())
    values, expected, slopes = renormalized(images)
    return [
        judge(CRITERIA["X9.one_group"], _difference(grouped(None), images, (1, 2, 3))),
        judge(CRITERIA["X9.single_maps"], _difference(grouped(1), images, (1, 2))),
        judge(
            CRITERIA["X9.single_image"],
            _difference(prepared(batch_normalization()), single, (1, 2)),
        ),
        judge(CRITERIA["X9.alone"], alone),
        judge(CRITERIA["X9.batch"], dependence(prepared(batch_normalization()), images)),
        judge(
            CRITERIA["X9.renorm_batch"], _difference(Renormalization(1.0, 0.0), images, (0, 1, 2))
        ),
        judge(CRITERIA["X9.renorm_inference"], float(np.abs(values - expected).max())),
        judge(CRITERIA["X9.renorm_gradient"], slopes),
    ]


def grouped(size: int | None) -> keras.layers.Layer:
    """Group normalization with groups of that many feature maps."""
    return prepared(GroupNormalization(group_size=size, epsilon=0.0))


def prepared(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A layer with gammas and betas that differ from each other."""
    layer.build(_SHAPE)
    draw_state(layer)
    return layer


def dependence(layer: keras.layers.Layer, images: np.ndarray) -> float:
    """By how much the first example's output changes when all others are others."""
    others = np.concatenate([images[:1], 2 * images[1:] + 1])
    normalize = in_training(layer)
    before, after = (np.asarray(normalize(batch)) for batch in (images, others))
    return float(np.abs(after[0] - before[0]).max())


def renormalized(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Unclipped renormalization in training, what it infers, and the error of its gradient."""
    layer = Renormalization(np.inf, np.inf)
    direction = random("law: upstream", *_SHAPE)
    plain = prepared(batch_normalization())
    plain.gamma.assign(layer.gamma)
    to_images, to_plain = (along(each, direction, images) for each in (layer, plain))
    r = images.std(axis=(0, 1, 2)) / np.asarray(layer.moving_sigma)
    error = np.abs(to_images - r * to_plain).max() / np.abs(to_images).max()
    trained = np.asarray(in_training(layer)(images))
    return trained, np.asarray(layer(images, training=False)), float(error)


def along(layer: keras.layers.Layer, direction: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The gradient by the images of the layer's outputs times a direction."""
    normalize = in_training(layer)
    return gradient(lambda values: ops.sum(normalize(values) * direction), images)


def _difference(layer: keras.layers.Layer, images: np.ndarray, axes: tuple[int, ...]) -> float:
    """Largest difference from the normalization over `axes`, with the layer's gamma and beta."""
    mean, deviation = images.mean(axis=axes, keepdims=True), images.std(axis=axes, keepdims=True)
    expected = (images - mean) / deviation * np.asarray(layer.gamma) + np.asarray(layer.beta)
    return float(np.abs(np.asarray(in_training(layer)(images)) - expected).max())
