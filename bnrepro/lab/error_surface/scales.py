"""E1: features of unequal scale, and features whose mean is not zero.

For two centred, uncorrelated features with deviations 1 and s >= 1 the condition number is s^2. For
deviations of 1 and means mu, with a bias, the extreme eigenvalues solve
`lambda^2 - (2 + |mu|^2) lambda + 1 = 0`, and the condition number is the square of the larger one
(LeCun, Kanter and Solla, Second order properties of error surfaces, NIPS 1990, for both effects).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bnrepro.lab.error_surface import features
from bnrepro.lab.error_surface.steps import Row, measure

DEVIATIONS = (1.0, 3.0, 10.0, 30.0, 100.0)
SQUARED_MEANS = (0.0, 1.0, 5.0, 50.0)
_NORMALIZATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "raw": lambda raw: raw,
    "divided by its deviation": features.scaled,
    "batch normalization": features.batch_normalized,
    "standardized": features.standardized,
    "whitened": features.whitened,
}
_KEEPS_MEANS = ("raw", "divided by its deviation")


def scale_law(deviation: float) -> float:
    """The condition number for deviations 1 and `deviation`, at least 1."""
    return deviation**2


def mean_law(squared_mean: float) -> float:
    """The condition number for deviations of 1 and means of that squared length."""
    trace = 2 + squared_mean
    return ((trace + math.sqrt(trace**2 - 4)) / 2) ** 2


def scales(seeds: Sequence[int]) -> Iterator[Row]:
    """A row per seed, deviation of the second feature and normalization."""
    for seed in seeds:
        for deviation in DEVIATIONS:
            sample = features.draw(seed, "scales", (1.0, deviation))
            yield from _rows(seed, deviation, sample, {"raw": scale_law(deviation)})


def means(seeds: Sequence[int]) -> Iterator[Row]:
    """A row per seed, squared length of the features' means and normalization."""
    for seed in seeds:
        for squared in SQUARED_MEANS:
            each = math.sqrt(squared / 2)
            sample = features.draw(seed, "means", means=(each, each))
            yield from _rows(seed, squared, sample, dict.fromkeys(_KEEPS_MEANS, mean_law(squared)))


def _rows(
    seed: int, setting: float, sample: tuple[np.ndarray, np.ndarray], laws: dict[str, float]
) -> Iterable[Row]:
    raw, targets = sample
    for name, normalize in _NORMALIZATIONS.items():
        yield measure(seed, setting, name, laws.get(name, 1.0), normalize(raw), targets)
