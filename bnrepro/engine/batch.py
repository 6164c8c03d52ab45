"""Turns uint8 images on the device into the float batch of a network, in backend-neutral ops.

Runs inside the compiled program: the host sends only indices and distortion parameters.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from bnrepro.config import Recipe
from bnrepro.data import Split
from bnrepro.models.scaling import standardize

# Luma weights of ITU-R BT.601, for the grey image that saturation fades to.
_LUMA = (0.299, 0.587, 0.114)
# Enough images for a mean and a deviation per channel to three digits.
_SCALING_EXAMPLES = 10_000


def read_images(split: Split, indices: np.ndarray) -> np.ndarray:
    """The uint8 images at `indices`, (n, height, width, channels), from memory or from a stream."""
    images = split.images
    return images[indices] if isinstance(images, np.ndarray) else images.read(indices)


@dataclass(frozen=True)
class Assembler:
    """Selects, distorts and scales: `(pixel / 255 - mean) / deviation`, per channel."""

    mean: np.ndarray  # (channels,) float64
    deviation: np.ndarray  # (channels,) float64
    crop_padding: int
    dtype: str

    @classmethod
    def from_config(cls, config: Recipe, train: Split) -> "Assembler":
        """An assembler with the training images' mean and deviation, where `config` asks for it."""
        channels = train.images.shape[-1]
        mean, deviation = np.zeros(channels), np.ones(channels)
        if config.input_normalization:
            some = np.arange(min(len(train.labels), _SCALING_EXAMPLES))
            mean, deviation = _mean_and_deviation(read_images(train, some))
            deviation = np.where(deviation > 0, deviation, 1.0)
        return cls(mean, deviation, config.data.crop_padding, config.dtype)

    def assemble(self, table: Any, indices: Any, distortions: dict[str, Any]) -> Any:
        """The float batch, (batch, height, width, channels), of rows `indices` of `table`.

        `table` is uint8, (examples, height, width, channels); `distortions` has one value per
        example under the names of `data.distortion.draw`; what is absent is not done.
        """
        images = ops.cast(self._gather(table, indices, distortions), self.dtype) / 255.0
        if "contrast" in distortions:
            images = self._distort_colours(images, distortions)
        return standardize(images, self.mean, self.deviation, self.dtype)

    def _gather(self, table: Any, indices: Any, distortions: dict[str, Any]) -> Any:
        """Select, crop and mirror in one gather; a crop past the border repeats the edge."""
        if not distortions.keys() & {"offset_y", "flip"}:
            return ops.take(table, indices, axis=0)
        _, height, width, channels = table.shape
        rows = ops.arange(height, dtype="int32")[None, :]
        columns = ops.arange(width, dtype="int32")[None, :]
        if "flip" in distortions:
            columns = ops.where(distortions["flip"][:, None], width - 1 - columns, columns)
        if "offset_y" in distortions:
            shift_y = distortions["offset_y"][:, None] - self.crop_padding
            shift_x = distortions["offset_x"][:, None] - self.crop_padding
            rows = ops.clip(rows + shift_y, 0, height - 1)
            columns = ops.clip(columns + shift_x, 0, width - 1)
        pixels = (indices[:, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
        return ops.take(ops.reshape(table, (-1, channels)), pixels, axis=0)

    def _distort_colours(self, images: Any, distortions: dict[str, Any]) -> Any:
        """Photometric distortions of images in [0, 1] (of Howard 2013's kind), clipped to it."""

        def per_example(name: str) -> Any:
            return ops.cast(distortions[name], self.dtype)[:, None, None, None]

        # Not `ops.mean`: under JAX it computes in float32 whatever it is given.
        mean = ops.sum(images, axis=(1, 2, 3), keepdims=True) / math.prod(images.shape[1:])
        images = (images - mean) * per_example("contrast") + mean + per_example("brightness")
        if images.shape[-1] == 3:
            luma = ops.sum(images * ops.cast(np.array(_LUMA), self.dtype), axis=-1, keepdims=True)
            images = luma + (images - luma) * per_example("saturation")
        return ops.clip(images, 0.0, 1.0)


def _mean_and_deviation(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation per channel of uint8 images scaled to [0, 1].

    From the counts of the 256 values, image by image: exact, and without a wider copy of them all.
    """
    values = np.arange(256) / 255
    channels = [
        sum(np.bincount(plane.ravel(), minlength=256) for plane in channel)
        for channel in np.moveaxis(images, -1, 0)
    ]
    shares = np.array(channels) / images[..., 0].size
    mean = shares @ values
    return mean, np.sqrt((shares * (values - mean[:, None]) ** 2).sum(axis=1))
