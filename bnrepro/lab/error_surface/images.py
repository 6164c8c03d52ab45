"""E2 on images: the surface of least squares on classes, over pixels raw and normalized.

Every class is a target of 0 and 1 of one linear unit; all units have the same Hessian. Along its
eigenvector k descent from weights of 0 leaves `(1 - rate lambda_k)^(2 t)` of the excess loss, so
that the steps to an aim are found without making them.
"""

import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.data.source import DataError
from bnrepro.lab.error_surface import features

# The first images of the training split.
NUM_IMAGES = 10_000
# Of the mean eigenvalue of the correlation matrix, which is 1: added before whitening.
RIDGE = 1e-3
# Eigenvalues below this share of the largest are directions in which the images do not vary.
_LEAST = 1e-9
# Of the least loss, above which it is still further to go.
_AIM = 0.01
# Data set, and the side of squares of pixels that are averaged: 3,073 weights would take minutes.
_DATA = {"digits": 1, "mnist": 1, "cifar10": 2}


class Row(NamedTuple):
    """One data set under one normalization; `values` vary between its images."""

    data: str
    images: int
    values: int
    normalization: str
    condition: float
    steps: int


COLUMNS = Row._fields


def rows() -> Iterator[Row]:
    """A row per data set and normalization; a data set that is not here is left out, and said."""
    for name, side in _DATA.items():
        try:
            split = data.load(compose([f"data={name}"]).config.data).train
        except DataError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        images = np.asarray(split.images)[:NUM_IMAGES] / 255
        yield from _of_data(name, averaged(images, side), split.labels[:NUM_IMAGES])


def averaged(images: np.ndarray, side: int) -> np.ndarray:
    """Means of squares of pixels, (examples, values), of (examples, height, width, channels)."""
    count, height, width, channels = images.shape
    squares = images.reshape(count, height // side, side, width // side, side, channels)
    return squares.mean(axis=(2, 4)).reshape(count, -1)


def _of_data(name: str, pixels: np.ndarray, labels: np.ndarray) -> Iterator[Row]:
    pixels = pixels[:, pixels.std(axis=0) > 0]
    targets = np.eye(labels.max() + 1)[labels]
    normalized = {
        "raw": pixels,
        "batch normalization": features.batch_normalized(pixels),
        "standardized": features.standardized(pixels),
        "ZCA": whitened(pixels),
    }
    for normalization, inputs in normalized.items():
        spectrum = Spectrum.of(inputs, targets)
        kept = spectrum.eigenvalues
        condition = float(kept[-1] / kept[0])
        count, values = pixels.shape
        yield Row(name, count, values, normalization, condition, spectrum.steps())


def whitened(pixels: np.ndarray) -> np.ndarray:
    """ZCA of the standardized pixels, with the ridge."""
    standard = features.standardized(pixels)
    values, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
    return standard @ (vectors / np.sqrt(values.clip(0) + RIDGE)) @ vectors.T


class Spectrum(NamedTuple):
    """The eigenvalues that are not 0, ascending, the excess loss along each of their vectors at
    weights of 0, and the least loss."""

    eigenvalues: np.ndarray
    excess: np.ndarray
    least: float

    @classmethod
    def of(cls, inputs: np.ndarray, targets: np.ndarray) -> "Spectrum":
        """Of inputs (examples, values) with a bias, and targets (examples, units)."""
        inputs = np.column_stack([inputs, np.ones(len(inputs))])
        values, vectors = np.linalg.eigh(inputs.T @ inputs / len(inputs))
        kept = values > _LEAST * values[-1]
        slopes = vectors[:, kept].T @ (inputs.T @ targets) / len(inputs)
        excess = 0.5 * np.sum(slopes**2, axis=1) / values[kept]
        whole = 0.5 * np.mean(np.sum(targets**2, axis=1))
        return cls(values[kept], excess, float(whole - excess.sum()))

    def excess_after(self, steps: float) -> float:
        """Of descent at 1 / largest eigenvalue, at which no direction overshoots."""
        shares = 1 - self.eigenvalues / self.eigenvalues[-1]
        return float(np.sum(shares ** (2 * steps) * self.excess))

    def steps(self) -> int:
        """Until the loss is at most 1 % above the least one."""
        few, many = 0, 1
        while self.excess_after(many) > _AIM * self.least:
            few, many = many, 2 * many
        while many - few > 1:
            middle = (few + many) // 2
            if self.excess_after(middle) > _AIM * self.least:
                few = middle
            else:
                many = middle
        return many
