"""E3: the surface over two weights, and the paths of gradient descent on it.

The bias is at its best everywhere, so that the surface is that of centred features. Every path
begins at the same loss, equally far from the minimum along both directions.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.lab.error_surface import features, quadratic
from bnrepro.lab.error_surface.quadratic import Surface

# Of the second feature, and of both.
DEVIATION, CORRELATION = 4.0, 0.6
_START_LOSS = 8.0
# The rate that is best, and shares of the one from which on descent diverges.
_RATES = {"best": None, "0.95 of the largest": 0.95, "1.05 of the largest": 1.05}
_STEPS, _BATCH_SIZE = 60, 50
_NORMALIZATIONS = {
    "raw": lambda raw: raw,
    "standardized": features.standardized,
    "batch normalization": features.batch_normalized,
    "whitened": features.whitened,
}


class SurfaceRow(NamedTuple):
    """One surface: its Hessian and minimum, and descent at its best rate."""

    seed: int
    normalization: str
    hessian_11: float
    hessian_12: float
    hessian_22: float
    minimum_1: float
    minimum_2: float
    condition: float
    predicted_steps: int
    counted_steps: int


class PathRow(NamedTuple):
    """Weights after some steps; `excess` is the loss above the least one."""

    seed: int
    normalization: str
    rate: str
    step: int
    weight_1: float
    weight_2: float
    excess: float


SURFACE_COLUMNS, PATH_COLUMNS = SurfaceRow._fields, PathRow._fields


def surfaces(seeds: Sequence[int]) -> Iterator[SurfaceRow]:
    """A row per seed and normalization.

    Raises:
        ValueError: if descent does not shrink within a million steps.
    """
    for seed, normalization, surface in _surfaces(seeds):
        (first, both), (_, second) = surface.hessian
        counted = quadratic.count_steps(surface, surface.worst_start(), surface.best_rate)
        if counted is None:
            raise ValueError(f"{normalization}: expected an end within a million steps")
        condition = surface.condition
        yield SurfaceRow(
            seed,
            normalization,
            float(first),
            float(both),
            float(second),
            float(surface.minimum[0]),
            float(surface.minimum[1]),
            condition,
            quadratic.predicted_steps(condition),
            counted,
        )


def paths(seeds: Sequence[int]) -> Iterator[PathRow]:
    """A row per seed, normalization, rate and step; with mini-batches for batch normalization."""
    for seed, normalization, surface in _surfaces(seeds):
        start = start_at(surface, _START_LOSS)
        for name, share in _RATES.items():
            rate = surface.best_rate if share is None else share * surface.largest_rate
            path = quadratic.descend(surface, start, rate, _STEPS)
            yield from _rows(seed, normalization, name, surface, path)
        if normalization == "batch normalization":
            path = _in_mini_batches(seed, start, surface.best_rate)
            yield from _rows(seed, normalization, "mini-batches", surface, path)


def start_at(surface: Surface, loss: float) -> np.ndarray:
    """The worst start's direction, followed from the minimum to that excess loss."""
    direction = surface.worst_start() - surface.minimum
    unit = float(surface.excess(surface.minimum + direction))
    return surface.minimum + direction * np.sqrt(loss / unit)


def _surfaces(seeds: Sequence[int]) -> Iterator[tuple[int, str, Surface]]:
    for seed in seeds:
        raw, targets = _sample(seed)
        for name, normalize in _NORMALIZATIONS.items():
            yield seed, name, quadratic.of_features(normalize(raw), targets, bias=False)


def _sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return features.draw(seed, "paths", (1.0, DEVIATION), correlation=CORRELATION)


def _in_mini_batches(seed: int, start: np.ndarray, rate: float) -> np.ndarray:
    """Descent on raw features that are normalized mini-batch by mini-batch, (steps + 1, 2)."""
    raw, targets = _sample(seed)
    path = [start]
    for step in range(_STEPS):
        random = generator(seed, "error surface/order", step)
        chosen = random.choice(len(raw), _BATCH_SIZE, replace=False)
        inputs = features.batch_normalized(raw[chosen])
        own = quadratic.of_features(inputs, targets[chosen], bias=False)
        path.append(path[-1] - rate * own.gradient(path[-1]))
    return np.array(path)


def _rows(
    seed: int, normalization: str, rate: str, surface: Surface, path: np.ndarray
) -> Iterator[PathRow]:
    for step, (weights, excess) in enumerate(zip(path, surface.excess(path), strict=True)):
        first, second = map(float, weights)
        yield PathRow(seed, normalization, rate, step, first, second, float(excess))
