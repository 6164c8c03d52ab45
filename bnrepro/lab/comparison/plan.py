"""What is compared and how much of it: the networks to train, as words of a command line."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bnrepro.config.composition import Composition, compose

# What every network is trained with, but for its normalization.
_ALL = ("device=cpu", "threads=1", "data=digits", "tensorboard=false")
# The rows of the paper's table that normalize, and the multiplier of each one's rate.
ROWS = ("bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid")
_ROW = ("scale=smoke",)
# A fully connected network with ReLU, where a training takes a fraction of a second.
_DENSE = ("model=mlp", "activation=relu", "batch_size=32", "evaluate_every=50")
_RATE = 0.1
# The images that a network sees whatever its batch size is.
_IMAGES_OF_A_RUN = 12_800


@dataclass(frozen=True)
class Candidate:
    """A normalization by its word on the command line; `none` is none."""

    word: str

    @property
    def overrides(self) -> tuple[str, ...]:
        """What chooses it."""
        return ("placement=none",) if self.word == "none" else (f"normalization={self.word}",)

    @property
    def label(self) -> str:
        """How it is called on the page."""
        _, colon, own = self.word.rpartition(":")
        return own if colon else own.replace("_", " ")


@dataclass(frozen=True)
class Training:
    """One network to train: `measure` at `setting`, as `rate` at `0.1`."""

    measure: str
    setting: str
    words: tuple[str, ...]
    seed: int

    def composition(self, candidate: Candidate, backend: str) -> Composition:
        """Its config with a normalization.

        Raises:
            ConfigError: where this normalization has no such network.
        """
        chosen = (f"backend={backend}", f"seed={self.seed}", *candidate.overrides)
        return compose([*_ALL, *self.words, *chosen])


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    seeds: tuple[int, ...]
    rows: tuple[str, ...]
    row_steps: int | None  # None: those of scale=smoke
    rates: tuple[float, ...]
    scales: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    depths: tuple[int, ...]
    dense_steps: int
    timed_rounds: int

    def trainings(self) -> Iterator[Training]:
        """Every network of one normalization."""
        for seed in self.seeds:
            for row in self.rows:
                yield Training("row", row, self._row(row), seed)
            for rate in self.rates:
                yield self._dense("rate", rate, seed, f"learning_rate={rate:g}")
            for scale in self.scales:
                words = ("initializer=gaussian", f"initializer.scale={scale:g}")
                yield self._dense("initial scale", scale, seed, *words)
            for size in self.batch_sizes:
                yield self._dense("batch size", size, seed, *self._sized(size))
            for depth in self.depths:
                yield self._dense("depth", depth, seed, f"model.hidden_layers={depth}")

    def _row(self, row: str) -> tuple[str, ...]:
        steps = () if self.row_steps is None else (f"train_steps={self.row_steps}",)
        return (f"experiment={row}", *_ROW, *steps)

    def _dense(self, measure: str, setting: float, seed: int, *words: str) -> Training:
        given = {word.partition("=")[0]: word for word in (*_DENSE, *self._usual(), *words)}
        return Training(measure, f"{setting:g}", tuple(given.values()), seed)

    def _usual(self) -> tuple[str, ...]:
        return ("initializer=he", f"learning_rate={_RATE}", f"train_steps={self.dense_steps}")

    def _sized(self, size: int) -> tuple[str, ...]:
        """As many images, and a rate in proportion, so that plain descent is the same at each."""
        images = _IMAGES_OF_A_RUN * self.dense_steps // FULL.dense_steps
        steps = images // size
        return (
            f"batch_size={size}",
            f"learning_rate={_RATE * size / 32:g}",
            f"train_steps={steps}",
            f"evaluate_every={max(1, steps // 8)}",
        )


def _decades(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(float(f"{value:.2g}") for value in np.geomspace(low, high, count))


FULL = Plan(
    seeds=(0, 1, 2),
    rows=ROWS,
    row_steps=None,
    rates=_decades(1e-3, 1e2, 11),
    scales=_decades(1e-3, 1e1, 9),
    batch_sizes=(2, 4, 8, 16, 32, 64, 128),
    depths=(1, 2, 4, 8, 16, 32),
    dense_steps=400,
    timed_rounds=9,
)
QUICK = Plan(
    seeds=(0,),
    rows=ROWS[:1],
    row_steps=60,
    rates=_decades(1e-2, 1e1, 4),
    scales=_decades(1e-2, 1e0, 3),
    batch_sizes=(2, 32),
    depths=(2, 8),
    dense_steps=100,
    timed_rounds=3,
)

PLANS = {"full": FULL, "quick": QUICK}


def identity(candidate: Candidate, backend: str) -> str:
    """What makes it the same normalization: its word, with the digest of one's own.

    Raises:
        ConfigError: where it is none, saying what it may be.
    """
    config = next(QUICK.trainings()).composition(candidate, backend).config
    return config.normalization or candidate.word
