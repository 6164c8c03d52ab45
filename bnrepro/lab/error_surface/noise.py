"""E3: what noise in the gradient leaves of descent at a constant rate, and of one that decays.

On a loss of curvature h, with noise of variance s^2 in the gradient, a step multiplies the expected
squared error by `(1 - rate h)^2` and adds `rate^2 s^2`. At a constant rate it ends at
`rate s^2 / (h (2 - rate h))`. With `1 / (h (t + 1))` at step t from 0 on it is `s^2 / (h^2 T)`
after T steps, exactly: the weights are the mean of T guesses (Robbins and Monro 1951).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bnrepro.config.randomness import generator

CURVATURE, DEVIATION = 2.0, 1.0
CONSTANT_RATES = (0.05, 0.5)
STEPS = (1, 3, 10, 30, 100, 300, 1000)
# The mean square of so many has a relative deviation of 0.7 %; of 10,000 it would be 1.4 %, and
# some of a hundred of them would be off by 3 % by chance.
_REPLICAS = 40_000
_START = 1.0


class Row(NamedTuple):
    """Over replicas, after some steps; `rate` is nan where it decays."""

    seed: int
    schedule: str
    rate: float
    step: int
    squared_error: float
    law: float


COLUMNS = Row._fields


def rows(seeds: Sequence[int]) -> Iterator[Row]:
    """A row per seed, schedule and some of the steps."""
    for seed in seeds:
        errors = {rate: np.full(_REPLICAS, _START) for rate in (*CONSTANT_RATES, np.nan)}
        for step in range(1, STEPS[-1] + 1):
            random = generator(seed, "error surface/noise", step)
            noise = DEVIATION * random.standard_normal(_REPLICAS)
            for rate, error in errors.items():
                used = 1 / (CURVATURE * step) if np.isnan(rate) else rate
                error -= used * (CURVATURE * error + noise)
            if step in STEPS:
                for rate, error in errors.items():
                    schedule = "1/t" if np.isnan(rate) else "constant"
                    squared = float(np.mean(error**2))
                    yield Row(seed, schedule, rate, step, squared, law(rate, step))


def law(rate: float, step: int) -> float:
    """The expected squared error after `step` steps; the rate decays where it is nan."""
    if np.isnan(rate):
        return DEVIATION**2 / (CURVATURE**2 * step)
    left = (1 - rate * CURVATURE) ** (2 * step)
    floor = rate * DEVIATION**2 / (CURVATURE * (2 - rate * CURVATURE))
    return left * _START**2 + (1 - left) * floor
