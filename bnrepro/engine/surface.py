"""The loss around a network's weights, along random filter-normalized directions and between two.

Li et al. 2018 (https://arxiv.org/abs/1712.09913), sections 4 and 5: L(w + a d) over a line, and
L(w + a d + b e) over a plane; every filter of d and e is as long as that of w, and biases, gammas
and betas do not move. The loss is the cross-entropy on fixed training images, without L2 and
undistorted. What batch normalization normalizes by is the probe's mode; theirs is `frozen`.

Section 3: (1 - a) w + a v, between two solutions and beyond them, where the moving means and
variances lie on the line too, since those of w say nothing of v.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.data import Split
from bnrepro.engine.batch import read_images
from bnrepro.engine.contract import Engine
from bnrepro.engine.probe import Batch, Probe
from bnrepro.engine.segment import Arrays
from bnrepro.engine.weights import filter_normalized

# The points of one compiled call, and how many numbers they hold at most.
_POINTS_A_CALL, _NUMBERS_A_CALL = 8, 2**24


class Surroundings:
    """The weights of an engine and what lies around them, on images that its seed chose."""

    def __init__(self, engine: Engine, probe: Probe, examples: int) -> None:
        """`examples` training images, fewer where there are no more."""
        self._probe = probe
        self._seed = engine.config.seed
        self._point = probe.point.astype(np.float64)
        split = engine.dataset.train
        count = min(examples, len(split.labels))
        chosen = generator(self._seed, "surface/images").permutation(len(split.labels))[:count]
        chosen = np.sort(chosen)
        self.batch = Batch(read_images(split, chosen), split.labels[chosen])

    def direction(self, number: int) -> np.ndarray:
        """The random direction of that number, filter-normalized, (size,).

        The same noise in every network of a seed and of equal shapes.
        """
        noise = generator(self._seed, "surface/direction", number).standard_normal
        return filter_normalized(self._probe.layout, self._point, noise(len(self._point)))

    def line(self, direction: np.ndarray, lengths: np.ndarray, mode: str) -> np.ndarray:
        """The loss at w + a d for each a of `lengths`, (lengths,)."""
        return self.losses(lengths[:, None], direction[None], mode)

    def plane(self, directions: np.ndarray, lengths: np.ndarray, mode: str) -> np.ndarray:
        """The loss at w + a d + b e, (a, b), for each pair of `lengths`; `directions`: (2, size).

        The first index is that of the first direction.
        """
        first, second = np.meshgrid(lengths, lengths, indexing="ij")
        steps = np.stack([first.ravel(), second.ravel()], axis=1)
        return self.losses(steps, directions, mode).reshape(len(lengths), len(lengths))

    def curvature(self, mode: str, iterations: int = 20) -> tuple[float, np.ndarray]:
        """The curvature that is largest in size at the weights, and its direction, (size,).

        By power iteration from a random direction of length 1: the direction is turned by the
        Hessian so many times, and the curvature is that along it, d.H d.
        """
        noise = generator(self._seed, "surface/curvature").standard_normal(len(self._point))
        direction = noise / np.linalg.norm(noise)
        turned = self._hessian(direction, mode)
        for _ in range(iterations):
            direction = turned / np.linalg.norm(turned)
            turned = self._hessian(direction, mode)
        return float(direction @ turned), direction

    def _hessian(self, direction: np.ndarray, mode: str) -> np.ndarray:
        point, along = self._point[None], direction[None]
        return self._probe.hessian_products(point, along, self.batch, mode)[0].astype(np.float64)

    def losses(self, steps: np.ndarray, directions: np.ndarray, mode: str) -> np.ndarray:
        """The loss at w + sum over k of a_k d_k, (points,).

        `steps` are the a, (points, k), `directions` the d, (k, size). One compiled program has them
        all, some at a time.
        """
        return np.concatenate(list(self._in_calls(steps, directions, mode)))[: len(steps)]

    def _in_calls(
        self, steps: np.ndarray, directions: np.ndarray, mode: str
    ) -> Iterator[np.ndarray]:
        count = max(1, min(_POINTS_A_CALL, _NUMBERS_A_CALL // len(self._point)))
        # Every call has as many points: another number would be another program.
        whole = np.resize(steps, (-(-len(steps) // count) * count, steps.shape[1]))
        for start in range(0, len(whole), count):
            points = self._point + whole[start : start + count] @ directions
            yield self._probe.losses(points, self.batch, mode).astype(np.float64)


def solution(engine: Engine) -> Arrays:
    """The weights of an engine's network with its moving means and variances, as they stand."""
    network = engine.network
    moving = [
        variable
        for layer in network.batch_normalizations
        for variable in (layer.moving_mean, layer.moving_variance)
    ]
    paths = [f"model/{each.path}" for each in (*network.model.trainable_variables, *moving)]
    return engine.variables(paths)


def between(first: Arrays, second: Arrays, share: float) -> Arrays:
    """(1 - share) first + share second: one of them to the bit where `share` is 0 or 1."""
    return {
        path: ((1 - share) * start.astype(np.float64) + share * second[path]).astype(start.dtype)
        for path, start in first.items()
    }


def scores_between(
    engine: Engine,
    first: Arrays,
    second: Arrays,
    shares: Sequence[float],
    split: Split,
    statistics_batches: int | None = None,
) -> np.ndarray:
    """(mean cross-entropy, accuracy) on a split at each point between two solutions, (shares, 2).

    Inference is with the moving averages of the point, which lie on the line as weights do; beyond
    the solutions a variance may fall below 0, and the scores are nan. With `statistics_batches` it
    is with Algorithm 2's statistics at the point, over so many training mini-batches. The engine is
    left as it stood.
    """
    before = engine.variables(first)
    try:
        return np.array(
            [
                _score(engine, between(first, second, share), split, statistics_batches)
                for share in shares
            ]
        )
    finally:
        engine.assign(before)


def _score(
    engine: Engine, state: Arrays, split: Split, statistics_batches: int | None
) -> tuple[float, float]:
    engine.assign(state)
    if statistics_batches is None:
        return engine.score(split)
    with engine.inferring_with(engine.population_statistics(statistics_batches)):
        return engine.score(split)
