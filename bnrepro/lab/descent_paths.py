"""F3's picture: descent over all examples, mini-batches or one, on the contours of two weights.

Logistic regression on the first two principal components of 2,048 images, scaled to a deviation of
1 for the first: whether a digit is at least 5. The mean of the labels is taken out by a bias that
stays as it is. The loss is convex and the classes overlap, so that there is one minimum, which
Newton's method finds. Every path begins where both directions have the same share of the loss.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro import data
from bnrepro.config import DataConfig
from bnrepro.config.composition import compose
from bnrepro.data.order import BatchOrder
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "Which way does descent take over the contours of a loss, by the gradient of all examples, of "
    "a mini-batch or of a single one?"
)

SEEDS = {PUBLISHED_SCALE: (0, 1, 2, 3, 4, 5), SMOKE: (0, 1)}
WORDS = {
    PUBLISHED_SCALE: ("data=mnist", "data.train_examples=2048"),
    SMOKE: ("data=digits", "data.train_examples=512"),
}
# Examples in a mini-batch, all for 0, with the rate in units of 1 / the largest curvature at the
# minimum, and how often all examples are gone through.
DESCENTS = ((1, 0.02, 1), (32, 0.5, 4), (0, 1.0, 32))
# How far from the minimum a path begins, in deviations of a quadratic of these curvatures.
_DISTANCE = 1.0
_GRID, _MARGIN = 41, 0.35
# Of a path so many points are kept.
_MOST_POINTS = 512
_NEWTON_STEPS = 30


class End(NamedTuple):
    """A descent after every example was seen once: its loss above that of the minimum."""

    batch_size: int
    rate: float
    seed: int
    updates: int
    excess: float


class Point(NamedTuple):
    """A place on a path, of the first seed."""

    batch_size: int
    update: int
    weight_1: float
    weight_2: float
    loss: float


@dataclass(frozen=True)
class Problem:
    """Logistic regression: `features` (examples, 2), `signs` (examples,) of -1 and 1."""

    features: np.ndarray
    signs: np.ndarray
    bias: float

    def loss(self, weights: np.ndarray) -> float:
        """The mean loss over all examples."""
        return float(np.logaddexp(0, -self._margins(weights, self.features, self.signs)).mean())

    def gradient(self, weights: np.ndarray, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The gradient of the mean loss over some examples, (2,)."""
        features, signs = self.features[rows], self.signs[rows]
        slopes = -signs / (1 + np.exp(self._margins(weights, features, signs)))
        return np.asarray(slopes @ features / len(features))

    def hessian(self, weights: np.ndarray) -> np.ndarray:
        """The curvatures of the mean loss over all examples, (2, 2)."""
        shares = 1 / (1 + np.exp(-self._margins(weights, self.features, self.signs)))
        weighted = self.features * (shares * (1 - shares))[:, None]
        return np.asarray(weighted.T @ self.features / len(self.features))

    def minimum(self) -> np.ndarray:
        """The weights of the least loss, by Newton's method."""
        weights = np.zeros(2)
        for _ in range(_NEWTON_STEPS):
            weights = weights - np.linalg.solve(self.hessian(weights), self.gradient(weights))
        return weights

    def _margins(self, weights: np.ndarray, features: np.ndarray, signs: np.ndarray) -> np.ndarray:
        return np.asarray(signs * (features @ weights + self.bias))


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `ends.csv`, `paths.csv` and `surface.csv` in `folder`, and `setting.csv`."""
    config = compose(list(WORDS[scale])).config.data
    problem = problem_of(config)
    seeds = SEEDS[scale]
    walked = {seed: [path(problem, *each, seed) for each in DESCENTS] for seed in seeds}
    write_table(folder / "setting.csv", ("data", "images"), [(config.name, len(problem.signs))])
    write_table(folder / "ends.csv", End._fields, _ends(problem, walked))
    points = list(_points(problem, walked[seeds[0]]))
    write_table(folder / "paths.csv", Point._fields, points)
    write_table(folder / "surface.csv", ("weight_1", "weight_2", "loss"), _surface(problem, points))


def problem_of(config: DataConfig) -> Problem:
    """The regression on the images of a data set."""
    split = data.load(config).train
    pixels = np.asarray(split.images, np.float64).reshape(len(split.labels), -1) / 255
    centered = pixels - pixels.mean(axis=0)
    _, _, directions = np.linalg.svd(centered, full_matrices=False)
    # A principal direction has no sign of its own.
    turned = directions[:2] * np.sign(directions[:2].sum(axis=1, keepdims=True))
    components = centered @ turned.T
    signs = np.where(np.asarray(split.labels) >= 5, 1.0, -1.0)
    share = (signs > 0).mean()
    return Problem(components / components[:, 0].std(), signs, float(np.log(share / (1 - share))))


def start(problem: Problem) -> np.ndarray:
    """Where every path begins: as far along both directions, by the curvatures at the minimum."""
    minimum = problem.minimum()
    curvatures, directions = np.linalg.eigh(problem.hessian(minimum))
    return minimum + directions @ (_DISTANCE / np.sqrt(curvatures))


def path(
    problem: Problem, batch_size: int, share: float, passes: int, seed: int
) -> tuple[int, float, np.ndarray]:
    """(examples in a batch, rate, the weights after each update from 0 on)."""
    count = len(problem.signs)
    size = batch_size or count
    rate = share / float(np.linalg.eigvalsh(problem.hessian(problem.minimum())).max())
    weights = [start(problem)]
    for rows in BatchOrder(count, size, "within_shards", seed).indices(0, passes * count // size):
        weights.append(weights[-1] - rate * problem.gradient(weights[-1], rows))
    return size, rate, np.array(weights)


Walked = list[tuple[int, float, np.ndarray]]


def _ends(problem: Problem, walked: dict[int, Walked]) -> Iterator[End]:
    least = problem.loss(problem.minimum())
    for seed, paths in walked.items():
        for size, rate, weights in paths:
            updates = len(problem.signs) // size
            yield End(size, rate, seed, updates, problem.loss(weights[updates]) - least)


def _points(problem: Problem, walked: Walked) -> Iterator[Point]:
    for size, _, weights in walked:
        last = len(weights) - 1
        for update in sorted({*range(0, last, -(-last // _MOST_POINTS)), last}):
            first, second = map(float, weights[update])
            yield Point(size, update, first, second, problem.loss(weights[update]))


def _surface(problem: Problem, points: Sequence[Point]) -> Iterator[tuple[float, float, float]]:
    """The loss on a grid around all paths, and the minimum."""
    places = np.array([[point.weight_1, point.weight_2] for point in points])
    places = np.vstack([places, problem.minimum()])
    low, high = places.min(axis=0), places.max(axis=0)
    margin = _MARGIN * (high - low).max()
    first, second = np.linspace(low - margin, high + margin, _GRID).T
    for weight_1 in first:
        for weight_2 in second:
            weights = np.array([weight_1, weight_2])
            yield float(weight_1), float(weight_2), problem.loss(weights)
