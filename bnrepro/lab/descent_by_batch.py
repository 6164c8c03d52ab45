"""F3: batch, mini-batch and stochastic gradient descent, over updates, examples and seconds.

One hidden layer of 32 ReLU units on 2,048 images: few enough that every update can see them all.
There is no batch normalization: of one example the variance is 0.
"""

import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config import Recipe
from bnrepro.engine import Engine
from bnrepro.lab import grid
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "Which descent gets further, that over all examples, over mini-batches or over one example at "
    "a time: by updates, by examples seen, and by time?"
)

_COMMON = (
    "model=mlp", "model.hidden_layers=1", "model.width=0.32", "activation=relu", "initializer=he",
    "optimizer=sgd", "bn=none",
)  # fmt: skip
_OBSERVATIONS = 24


class Descent(NamedTuple):
    """One size of mini-batches: its length in updates, and its rate."""

    batch_size: int
    updates: int
    rate: float


class Setting(NamedTuple):
    """What is trained at a scale of the laboratory."""

    seeds: Sequence[int]
    descents: Sequence[Descent]
    words: Sequence[str]


SETTINGS = {
    PUBLISHED_SCALE: Setting(
        (0, 1, 2, 3, 4, 5),
        (Descent(1, 16384, 0.01), Descent(32, 1280, 0.316), Descent(2048, 200, 1.0)),
        ("data=mnist", "data.train_examples=2048"),
    ),
    SMOKE: Setting(
        (0, 1),
        (Descent(1, 2000, 0.01), Descent(32, 200, 0.1), Descent(512, 50, 0.3)),
        ("data=digits", "data.train_examples=512"),
    ),
}
# Of each size the seven rates of which the pilot chose the one whose loss ended lowest, and its
# seed; `pilot.csv` beside the published tables is what it gave.
PILOT_RATES = {
    1: (0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0),
    32: (0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0),
    2048: (0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0),
}
PILOT_SEED = 100


class Row(NamedTuple):
    """One network after some updates: its loss on all training images, and seconds of a core.

    `fluctuation` is the deviation of successive mini-batches' losses over the last tenth of the
    updates, and stands in a network's last row alone.
    """

    batch_size: int
    rate: float
    seed: int
    updates: int
    examples: int
    seconds: float
    loss: float
    fluctuation: float


COLUMNS = Row._fields


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `descents.csv` in `folder`, a row a network and observation, and `setting.csv`."""
    setting = SETTINGS[scale]
    grid.write(folder, "descents.csv", COLUMNS, rows(setting), *_COMMON, *setting.words)


def rows(setting: Setting) -> Iterator[Row]:
    """Every size of mini-batches and seed, each network by itself: its time counts."""
    for descent in setting.descents:
        recipes = [recipe(descent, descent.rate, seed, setting.words) for seed in setting.seeds]
        yield from _rows(descent, recipes, block=1)


def pilot(words: Sequence[str]) -> Iterator[Row]:
    """All rates of each size on the pilot's seed, together: their seconds say nothing."""
    for descent in SETTINGS[PUBLISHED_SCALE].descents:
        tried = PILOT_RATES[descent.batch_size]
        recipes = [recipe(descent, rate, PILOT_SEED, words) for rate in tried]
        yield from _rows(descent, recipes, block=len(recipes))


def recipe(descent: Descent, rate: float, seed: int, words: Sequence[str]) -> Recipe:
    """What trains one of the networks."""
    return grid.recipe(
        *_COMMON,
        *words,
        f"batch_size={descent.batch_size}",
        f"train_steps={descent.updates}",
        f"learning_rate={rate}",
        f"seed={seed}",
    )


def _rows(descent: Descent, recipes: Sequence[Recipe], block: int) -> Iterator[Row]:
    watch = _Watch()
    steps = _steps(descent.updates)
    for trained in grid.train(recipes, block, watch.observe, steps):
        began = trained.seen[0][0]
        for step, (seconds, loss) in trained.seen.items():
            is_last = step == descent.updates
            yield Row(
                descent.batch_size,
                trained.config.learning_rate,
                trained.config.seed,
                step,
                step * descent.batch_size,
                seconds - began,
                loss,
                _fluctuation(trained.losses) if is_last else math.nan,
            )


class _Watch:
    """Looks at the loss, and at the time of this process without what looking takes."""

    def __init__(self) -> None:
        self._looking = 0.0

    def observe(self, engine: Engine) -> tuple[float, float]:
        """(seconds of a core so far, loss on all training images)."""
        began = time.process_time()
        seen = began - self._looking
        loss, _ = engine.score(engine.dataset.train)
        self._looking += time.process_time() - began
        return seen, loss


def _steps(updates: int) -> list[int]:
    """About equally far from each other by ratios."""
    shown = np.geomspace(1, updates, _OBSERVATIONS).round().astype(int)
    return [0, *sorted({int(step) for step in shown})]


def _fluctuation(losses: np.ndarray) -> float:
    last = losses[-max(3, len(losses) // 10) :]
    return float(np.diff(last).std())
