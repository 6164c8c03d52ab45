"""The loss around a network's weights, along random filter-normalized directions.

Li et al. 2018 (https://arxiv.org/abs/1712.09913), sections 4 and 5: L(w + a d) over a line, and
L(w + a d + b e) over a plane; every filter of d and e is as long as that of w, and biases, gammas
and betas do not move. The loss is the cross-entropy on fixed training images, without L2 and
undistorted. What batch normalization normalizes by is the probe's mode; theirs is `frozen`.
"""

from collections.abc import Iterator

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.engine.batch import read_images
from bnrepro.engine.contract import Engine
from bnrepro.engine.probe import Batch, Probe
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
