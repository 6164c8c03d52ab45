"""How loss and gradient change along the gradient, on the batch that comes next.

Santurkar et al. 2018 (https://arxiv.org/abs/1805.11604), section 3.2: with g the gradient at the
weights w, the loss L(w - a g) ("variation of the loss"), the change of the gradient
|g(w - a g) - g| ("gradient predictiveness") and the greatest of them by the distance moved,
|g(w - a g) - g| / (a |g|) ("effective beta-smoothness"), over steps a from 1/2 to 4 learning rates.

Paper: how many steps a, and how spaced, is not said. Ours: 8 of equal ratios.

An absolute measure of smoothness moves with the scale of the weights: before batch normalization
kernels may be multiplied by any number, the network is the same, gradients are smaller by that
number and curvatures by its square. So beside it: the same with those kernels alone, and with them
ten times as large; and what has no unit, at steps that are a share of the weights' norm. Beside it,
too, as far along a random direction that is filter-normalized (Li et al. 2018), of which the paper
says that it shows the same.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.config.randomness import generator
from bnrepro.config.schedules import learning_rates
from bnrepro.engine import Engine, build_probe
from bnrepro.engine.probe import Batch, Probe
from bnrepro.engine.weights import filter_normalized
from bnrepro.measures.geometric import GeometricMeasure, next_batch
from bnrepro.measures.measure import Rows, in_six_digits

# In learning rates; along the kernels alone three of them are enough to see a factor.
LENGTHS = tuple(np.geomspace(0.5, 4.0, 8).tolist())
FEW_LENGTHS = tuple(np.geomspace(0.5, 4.0, 3).tolist())
# Distances as shares of the norm of what is moved.
RELATIVE = (0.001, 0.01, 0.1)
FACTOR = 10


class Move(NamedTuple):
    """Weights moved along their gradient or another direction: which, from where, by how much."""

    name: str
    point: np.ndarray  # (size,)
    moved: np.ndarray  # (size,) bool
    lengths: np.ndarray  # (lengths,), multiples of the direction
    direction: np.ndarray | None = None  # (size,); the gradient at `point` where there is none


class Landscape(GeometricMeasure):
    """A row per move: the ranges over its lengths, in mode `batch`; not finite where they end so.

    `lowest_loss` and `highest_loss` do not include `loss`, that of the weights as they are; norms
    and changes are of the part of the gradient and of the weights that is moved.
    """

    name = "landscape"
    columns = (
        "move",
        "step",
        "loss",
        "weight_norm",
        "gradient_norm",
        "lowest_loss",
        "highest_loss",
        "least_change",
        "greatest_change",
        "beta",
        "least_cosine",
    )
    _probe: Probe | None = None

    def prepare(self, engine: Engine) -> None:
        self.rows(engine, 0)

    def rows(self, engine: Engine, step: int) -> Rows:
        rate = float(learning_rates(engine.config, step, step + 1)[0])
        around = Surroundings(self._probe_of(engine), next_batch(engine, step))
        moves = list(around.moves(rate, normalized_kernels(engine)))
        noise = generator(engine.config.seed, "landscape", step).standard_normal
        moves.append(around.random_move(rate, noise(len(moves[0].point))))
        return [[move.name, step, *in_six_digits(row)] for move, row in around.looked(moves)]

    def _probe_of(self, engine: Engine) -> Probe:
        # Its compiled programs serve all measurements.
        if self._probe is None:
            self._probe = build_probe(engine)
        return self._probe


class Surroundings:
    """What lies around a network's weights along the gradient, on one batch."""

    def __init__(self, probe: Probe, batch: Batch) -> None:
        self._probe, self._batch = probe, batch
        self._point = probe.point.astype(np.float64)

    @cached_property
    def _here(self) -> tuple[float, np.ndarray]:
        """The loss and its gradient at the weights as they are."""
        losses, gradients = self._asked([self._point])
        return float(losses[0]), gradients[0]

    def moves(self, rate: float, kernels: list[str]) -> Iterator[Move]:
        """All moves of one measurement; `kernels` are the paths of those before a normalization."""
        _, gradient = self._here
        everything = np.ones(len(self._point), bool)
        yield Move("gradient", self._point, everything, rate * np.array(LENGTHS))
        for share in RELATIVE:
            length = share * np.linalg.norm(self._point) / np.linalg.norm(gradient)
            yield Move(f"relative {share:g}", self._point, everything, np.array([length]))
        if kernels:
            layout = self._probe.layout
            chosen = np.zeros(layout.size, bool)
            for each in layout.parameters:
                chosen[each.start : each.stop] = each.path in kernels
            larger = np.where(chosen, FACTOR * self._point, self._point)
            for name, point in (("kernels", self._point), (f"kernels times {FACTOR}", larger)):
                yield Move(name, point, chosen, rate * np.array(FEW_LENGTHS))

    def random_move(self, rate: float, noise: np.ndarray) -> Move:
        """As far as the gradient's move, along the direction made of `noise`, (size,)."""
        _, gradient = self._here
        direction = filter_normalized(self._probe.layout, self._point, noise)
        share = np.linalg.norm(gradient) / np.linalg.norm(direction)
        everything = np.ones(len(self._point), bool)
        return Move("random", self._point, everything, rate * share * np.array(LENGTHS), direction)

    def looked(self, moves: list[Move]) -> Iterator[tuple[Move, list[float]]]:
        """The values of each move, in the order of the columns."""
        losses, gradients = self._asked([move.point for move in moves])
        directions = [
            move.moved * gradient if move.direction is None else move.direction
            for move, gradient in zip(moves, gradients, strict=True)
        ]
        ends = [
            move.point - length * direction
            for move, direction in zip(moves, directions, strict=True)
            for length in move.lengths
        ]
        end_losses, end_gradients = self._asked(ends)
        begin = 0
        for move, loss, gradient, direction in zip(
            moves, losses, gradients, directions, strict=True
        ):
            rows = slice(begin, begin + len(move.lengths))
            begin = rows.stop
            distances = move.lengths * np.linalg.norm(direction)
            own = (loss, gradient, distances)
            yield move, _values(move, *own, end_losses[rows], end_gradients[rows])

    def _asked(self, points: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        losses, gradients = self._probe.gradients(np.stack(points), self._batch, "batch")
        return losses.astype(np.float64), gradients.astype(np.float64)


def _values(
    move: Move,
    loss: float,
    gradient: np.ndarray,
    distances: np.ndarray,
    losses: np.ndarray,
    gradients: np.ndarray,
) -> list[float]:
    own, others = gradient[move.moved], gradients[:, move.moved]
    norm = float(np.linalg.norm(own))
    with np.errstate(all="ignore"):
        changes = np.linalg.norm(others - own, axis=1)
        cosines = others @ own / (np.linalg.norm(others, axis=1) * norm)
        beta = np.max(changes / distances)
    return [
        float(loss),
        float(np.linalg.norm(move.point[move.moved])),
        norm,
        float(np.fmin.reduce(losses)),
        float(np.max(losses)),
        float(np.fmin.reduce(changes)),
        float(np.max(changes)),
        float(beta),
        float(np.min(cosines)),
    ]


def normalized_kernels(engine: Engine) -> list[str]:
    """The paths of the kernels whose outputs batch normalization takes, whatever their scale is."""
    if engine.config.placement != "before" or engine.config.normalization == "mean_only":
        return []
    units = [
        layer.name.removesuffix("_normalization") for layer in engine.network.batch_normalizations
    ]
    weights = engine.network.model.trainable_variables
    return [each.path for each in weights if each.path.removesuffix("/kernel") in units]


def build(config: RunConfig) -> Landscape:
    """The measure with the options of `config`."""
    return Landscape(config.landscape.every, config.landscape.measurements)
