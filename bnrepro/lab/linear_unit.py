"""D8: batch normalization of one linear unit, where what it does can be worked out.

Luo et al. 2019 (https://arxiv.org/abs/1809.00846): statistics of M examples in place of the
population's act as a penalty that shrinks like 1/M. Here a unit is to give back its input h, of
mean 0 and variance 1, with gain 1. With the population's statistics nothing is lost. With those of
M examples the loss is `E (h - h_hat)^2 / 2 = 1 - E s`, s being their deviation: since it varies,
h_hat is too large or too small. The best gain is then E s, less than 1: the gain is decayed.

Kohler et al. 2019 (https://arxiv.org/abs/1805.10694): least squares through batch normalization
with its best gain is to minimize `-(u.w)^2 / (2 w.S w)`, u = E[y x], S = E[x x^T]. Descent on it
with `rate = (w.S w)^2 / (L (u.w)^2)`, L being the largest eigenvalue of S, is a step of plain
descent on least squares of rate 1 / L, then the best length: after t steps the loss above its
minimum is at most `(1 - 1 / condition)^(2 t)` of what it was.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.lab.laws.calculus import in_training
from bnrepro.lab.setting import batch_normalization
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "What do statistics of few examples, and a length that is learned apart from the direction, "
    "change for one linear unit?"
)
# Values of mean 0 and variance 1.
_VALUES: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "uniform": lambda random, shape: random.uniform(-np.sqrt(3), np.sqrt(3), shape),
    "Laplace": lambda random, shape: random.laplace(0, np.sqrt(0.5), shape),
}
SIZES = (4, 8, 16, 32, 64, 128)
CONDITION, STEPS = 100.0, 600
# The first steps are kept, then every sixth; descent has arrived at a share of the first loss.
_EVERY, _ARRIVED = 6, 1e-3
LEAST_SQUARES, NORMALIZED = "least squares", "normalized, rate by length"
CONSTANT, WHITENED = "normalized, constant rate", "whitened"
_FEATURES = 10
# What whitened descent leaves is rounding.
_NOTHING = 1e-20
# A mean over so many mini-batches has a relative deviation of 1 %.
_MINI_BATCHES = 20_000
_SEEDS = {PUBLISHED_SCALE: tuple(range(6)), SMOKE: (0, 1)}


class GapRow(NamedTuple):
    """What statistics of `size` examples add to the loss, and the gain that is best with them."""

    seed: int
    values: str
    size: int
    gap: float
    best_gain: float


class DescentRow(NamedTuple):
    """The loss above its minimum."""

    seed: int
    descent: str
    step: int
    excess: float


class ArrivalRow(NamedTuple):
    """The first step with a thousandth of the loss; nan where there is none."""

    seed: int
    descent: str
    steps: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave the tables `gaps`, `descents` and `arrivals` in `folder`."""
    seeds = _SEEDS[scale]
    found = list(descents(seeds))
    write_table(folder / "gaps.csv", GapRow._fields, gaps(seeds))
    kept = (row for row in found if row.step < _EVERY or row.step % _EVERY == 0)
    write_table(folder / "descents.csv", DescentRow._fields, kept, rounding=_NOTHING)
    write_table(folder / "arrivals.csv", ArrivalRow._fields, arrivals(found))


def gaps(seeds: Sequence[int]) -> Iterator[GapRow]:
    """A row per seed, kind of values and size; each of the layer's units is a mini-batch."""
    layer = batch_normalization()
    layer.build((None, _MINI_BATCHES))
    normalize = in_training(layer)
    for seed in seeds:
        for name, draw in _VALUES.items():
            for size in SIZES:
                random = generator(seed, f"linear unit/{name}", size)
                values = draw(random, (size, _MINI_BATCHES))
                outputs = np.asarray(normalize(values))
                gap = float(((values - outputs) ** 2).mean() / 2)
                best_gain = float((values * outputs).mean() / (outputs**2).mean())
                yield GapRow(seed, name, size, gap, best_gain)


def descents(seeds: Sequence[int]) -> Iterator[DescentRow]:
    """A row per seed, descent and step; all begin with the loss of one start at its best length."""
    for seed in seeds:
        problem = Problem.drawn(seed)
        for name, descend in _DESCENTS.items():
            for step, excess in zip(range(STEPS + 1), descend(problem), strict=False):
                yield DescentRow(seed, name, step, excess)


def arrivals(rows: Iterable[DescentRow]) -> Iterator[ArrivalRow]:
    """A row per seed and descent."""
    for (seed, descent), own in groupby(rows, key=lambda row: row[:2]):
        excesses = [row.excess for row in own]
        arrived = (n for n, excess in enumerate(excesses) if excess <= _ARRIVED * excesses[0])
        yield ArrivalRow(seed, descent, next(arrived, math.nan))


class Problem(NamedTuple):
    """`E (x.w - y)^2 / 2` with a covariance of x that is diagonal, and where descent begins."""

    eigenvalues: np.ndarray  # (features,), from 1 to the condition
    minimum: np.ndarray  # (features,)
    start: np.ndarray  # (features,)

    @classmethod
    def drawn(cls, seed: int, condition: float = CONDITION) -> "Problem":
        """The minimum and the start are standard normal."""
        minimum, start = generator(seed, "linear unit/weights").standard_normal((2, _FEATURES))
        return cls(np.geomspace(1, condition, _FEATURES), minimum, start)

    def excess(self, weights: np.ndarray) -> float:
        """The loss above its minimum."""
        return float((self.eigenvalues * (weights - self.minimum) ** 2).sum() / 2)

    def gradient(self, weights: np.ndarray) -> np.ndarray:
        """Of the loss."""
        return self.eigenvalues * (weights - self.minimum)

    def gain(self, weights: np.ndarray) -> float:
        """What the weights must be multiplied by to have their best length, (u.w) / (w.S w)."""
        along = self.eigenvalues * weights
        return float((along @ self.minimum) / (along @ weights))

    def normalized_gradient(self, weights: np.ndarray) -> np.ndarray:
        """Of `-(u.w)^2 / (2 w.S w)`."""
        gain = self.gain(weights)
        return gain * self.gradient(gain * weights)

    def rate_by_length(self, weights: np.ndarray) -> float:
        """`(w.S w)^2 / (L (u.w)^2)`."""
        return 1 / (float(self.eigenvalues[-1]) * self.gain(weights) ** 2)


def _least_squares(problem: Problem) -> Iterator[float]:
    """Plain descent at its best rate."""
    weights = problem.gain(problem.start) * problem.start
    rate = 2 / (problem.eigenvalues[0] + problem.eigenvalues[-1])
    while True:
        yield problem.excess(weights)
        weights = weights - rate * problem.gradient(weights)


def _whitened(problem: Problem) -> Iterator[float]:
    """The same where all directions are as steep: each has the best rate of its own."""
    weights = problem.gain(problem.start) * problem.start
    while True:
        yield problem.excess(weights)
        weights = weights - problem.gradient(weights) / problem.eigenvalues


def _normalized(problem: Problem) -> Iterator[float]:
    weights = problem.start
    while True:
        yield problem.excess(problem.gain(weights) * weights)
        rate = problem.rate_by_length(weights)
        weights = weights - rate * problem.normalized_gradient(weights)


def _at_constant_rate(problem: Problem) -> Iterator[float]:
    """At the start's rate by length, for good: weights grow, and steps turn them less."""
    weights, rate = problem.start, problem.rate_by_length(problem.start)
    while True:
        yield problem.excess(problem.gain(weights) * weights)
        weights = weights - rate * problem.normalized_gradient(weights)


_DESCENTS: dict[str, Callable[[Problem], Iterator[float]]] = {
    LEAST_SQUARES: _least_squares,
    NORMALIZED: _normalized,
    CONSTANT: _at_constant_rate,
    WHITENED: _whitened,
}
