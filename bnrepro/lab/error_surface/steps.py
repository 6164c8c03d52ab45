"""Steps of gradient descent on the surface of some features: foretold in closed form, and counted.

What is foretold follows from the eigenvalues of the sample that is descended on. `law` is the
condition number of the population that it was drawn from, `law_steps` what follows from that.
"""

from typing import NamedTuple

import numpy as np

from bnrepro.lab.error_surface import quadratic
from bnrepro.lab.error_surface.quadratic import Surface

# A little below and above the rate at which descent stops converging, and for how many steps.
_BELOW, _ABOVE, _EDGE_STEPS = 0.99, 1.01, 100


class Row(NamedTuple):
    """One sample under one normalization; `setting` is the number that is varied."""

    seed: int
    setting: float
    normalization: str
    law: float
    law_steps: int
    condition: float
    predicted_steps: int
    counted_steps: int
    predicted_momentum_steps: int
    counted_momentum_steps: int
    # The loss after 100 steps over that before, at 0.99 and 1.01 of the largest rate.
    loss_below: float
    loss_above: float


COLUMNS = Row._fields


def measure(
    seed: int,
    setting: float,
    normalization: str,
    law: float,
    features: np.ndarray,
    targets: np.ndarray,
) -> Row:
    """The surface over weights and bias of a sample, and descents on it from the worst start.

    Raises:
        ValueError: if a descent does not shrink within a million steps.
    """
    surface = quadratic.of_features(features, targets)
    start, condition = surface.worst_start(), surface.condition
    root = np.sqrt(surface.eigenvalues[[0, -1]])
    momentum = ((root[1] - root[0]) / (root[1] + root[0])) ** 2
    plain = quadratic.count_steps(surface, start, surface.best_rate)
    heavy = quadratic.count_steps(surface, start, 4 / (root[0] + root[1]) ** 2, momentum)
    if plain is None or heavy is None:
        raise ValueError(f"{normalization}, {setting}: expected an end within a million steps")
    return Row(
        seed,
        setting,
        normalization,
        law,
        quadratic.predicted_steps(law),
        condition,
        quadratic.predicted_steps(condition),
        plain,
        quadratic.predicted_momentum_steps(condition),
        heavy,
        _growth(surface, start, _BELOW),
        _growth(surface, start, _ABOVE),
    )


def _growth(surface: Surface, start: np.ndarray, of_largest: float) -> float:
    path = quadratic.descend(surface, start, of_largest * surface.largest_rate, _EDGE_STEPS)
    return float(surface.excess(path[-1]) / surface.excess(start))
