"""Moving averages beside statistics that are computed anew, over a training (D2).

Both say what batch normalization infers with. A moving average of momentum a holds what the layer
saw some 1 / (1 - a) steps ago, and of its first value, mean 0 and variance 1, a^t is left after t
steps (law X8); Algorithm 2 averages over mini-batches at the weights as they are (section 3.1; as
"precise BN" Wu and Johnson 2021, arXiv 2105.07576). The weights do not depend on either.

Figure 1's network on grey images. A pilot on seed 100 timed it; nothing was chosen by it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.composition import compose
from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images
from bnrepro.lab.setting import advance
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = "How far are moving averages from the statistics that they stand for, and when?"

# Momentum 0.99 is judged, on all seeds; the others are shown, on the first three.
MOMENTA, JUDGED = (0.5, 0.9, 0.99, 0.999), 0.99
_FEWER_SEEDS = 3
_CONSTANT, _DECAYED = SCHEDULES = ("constant", "cosine")
# Algorithm 2 averages over so many mini-batches of 60, and the third panel over so many images.
_BATCHES, _COUNTS = 50, (60, 300, 1020, 3000, 10020)


@dataclass(frozen=True)
class Setting:
    """How much is computed: words of the config, seeds, and the steps of all of it."""

    words: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: int

    @property
    def evaluated(self) -> list[int]:
        """Every fortieth part of the steps over the first fifth, every fifth part then."""
        fine, coarse = self.steps // 40, self.steps // 5
        return [*range(fine, coarse, fine), *range(coarse, self.steps + 1, coarse)]


SETTINGS = {
    PUBLISHED_SCALE: Setting(("data=mnist",), tuple(range(6)), 2000),
    SMOKE: Setting(("data=digits",), (0, 1), 400),
}


class Row(NamedTuple):
    """One network at one step, on the test images."""

    seed: int
    momentum: float
    schedule: str
    step: int
    train_accuracy: float  # in mini-batches, over the steps since the row before
    moving: float  # accuracy with the moving averages
    recomputed: float


class CountRow(NamedTuple):
    """The accuracy with statistics of some training images."""

    seed: int
    step: int
    images: int
    accuracy: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `accuracies.csv` and `counts.csv` in `folder`."""
    size = SETTINGS[scale]
    rows: list[Row] = []
    counts: list[CountRow] = []
    for seed, momentum, schedule in _plan(size):
        engine = _engine(size, seed, momentum, schedule)
        is_counted = (momentum, schedule) == (JUDGED, _CONSTANT)
        start = 0
        for step in size.evaluated:
            right = advance(engine, start, step) / ((step - start) * engine.order.batch_size)
            rows.append(Row(seed, momentum, schedule, step, right, *_accuracies(engine)))
            if is_counted and step in (size.steps // 20, size.steps):
                counts += _by_count(engine, seed, step)
            start = step
    write_table(folder / "accuracies.csv", Row._fields, rows)
    write_table(folder / "counts.csv", CountRow._fields, counts)


def _plan(size: Setting) -> Iterator[tuple[int, float, str]]:
    for seed in size.seeds:
        for momentum in MOMENTA if seed < _FEWER_SEEDS else (JUDGED,):
            yield seed, momentum, _CONSTANT
        yield seed, JUDGED, _DECAYED


def _engine(size: Setting, seed: int, momentum: float, schedule: str) -> Engine:
    words = [
        *("model=mlp", "bn=x1", "threads=1", f"seed={seed}", f"train_steps={size.steps}"),
        *(f"batch_normalization.momentum={momentum}", f"schedule={schedule}", *size.words),
        *([f"schedule.decay_steps={size.steps}"] if schedule == _DECAYED else []),
    ]
    return build_engine(compose(words))


def _accuracies(engine: Engine) -> tuple[float, float]:
    """On the test images, with moving averages and with statistics computed anew."""
    split = engine.dataset.evaluation
    _, moving = engine.score(split)
    with engine.inferring_with(engine.population_statistics(_BATCHES)):
        return moving, engine.score(split)[1]


def _by_count(engine: Engine, seed: int, step: int) -> Iterator[CountRow]:
    """By the number of training images, in the seed's own mini-batches, of the statistics."""
    train = engine.dataset.train
    for count in _COUNTS:
        rows = engine.population_batches(count // engine.order.batch_size)
        statistics = engine.statistics_over(read_images(train, batch) for batch in rows)
        with engine.inferring_with(statistics):
            yield CountRow(
                seed, step, int(np.size(rows)), engine.score(engine.dataset.evaluation)[1]
            )
