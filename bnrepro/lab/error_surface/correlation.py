"""E2: correlated features, which standardization leaves correlated and whitening does not.

Two standardized features of correlation rho have a Hessian with the eigenvalues 1 + rho and
1 - rho: the condition number is (1 + rho) / (1 - rho).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bnrepro.lab.error_surface import features
from bnrepro.lab.error_surface import steps as descent

CORRELATIONS = (0.0, 0.5, 0.9, 0.99, 0.999)
_WHITENINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "PCA": features.rotated_white,
    "ZCA": features.whitened,
}
_NORMALIZATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "raw": lambda raw: raw,
    "batch normalization": features.batch_normalized,
    "standardized": features.standardized,
    **_WHITENINGS,
}


class Distance(NamedTuple):
    """How far whitening takes the standardized features, root of the mean square."""

    seed: int
    setting: float
    normalization: str
    distance: float


DISTANCE_COLUMNS = Distance._fields


def law(correlation: float) -> float:
    """The condition number of standardized features of that correlation, from 0 to below 1."""
    return (1 + correlation) / (1 - correlation)


def steps(seeds: Sequence[int]) -> Iterator[descent.Row]:
    """A row per seed, correlation and normalization; raw features have deviations of 1."""
    for seed, correlation, (raw, targets) in _samples(seeds):
        for name, normalize in _NORMALIZATIONS.items():
            condition = 1.0 if name in _WHITENINGS else law(correlation)
            normalized = normalize(raw)
            yield descent.measure(seed, correlation, name, condition, normalized, targets)


def distances(seeds: Sequence[int]) -> Iterator[Distance]:
    """A row per seed, correlation and whitening."""
    for seed, correlation, (raw, _) in _samples(seeds):
        standard = features.standardized(raw)
        for name, whiten in _WHITENINGS.items():
            off = np.sqrt(np.mean((whiten(raw) - standard) ** 2))
            yield Distance(seed, correlation, name, float(off))


def _samples(
    seeds: Sequence[int],
) -> Iterator[tuple[int, float, tuple[np.ndarray, np.ndarray]]]:
    for seed in seeds:
        for correlation in CORRELATIONS:
            yield seed, correlation, features.draw(seed, "correlation", correlation=correlation)
