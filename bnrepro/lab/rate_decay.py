"""F4: rates that decay, and what of it reaches the weights under batch normalization.

All schedules begin with the same rate, and those that decay end with a hundredth of it. The output
after batch normalization does not depend on the length of a kernel w, so that what a step turns it
by follows the effective rate, eta / |w|^2 (van Laarhoven 2017): weight decay shortens w meanwhile.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bnrepro.config import Recipe
from bnrepro.config.schedules import learning_rates
from bnrepro.lab import grid
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "What is a decaying learning rate worth at the end of a training, and does the effective rate "
    "of a batch-normalized network with weight decay follow it?"
)

NETWORKS = {
    "plain": ("bn=none",),
    "batch normalization": ("bn=x1",),
    "and weight decay": ("bn=x1", "l2=0.001"),
}
_LAST_SHARE = 0.01
_COMMON = ("model=mlp", "activation=relu", "initializer=he", "optimizer=sgd", "batch_size=60")
_OBSERVATIONS = 20


class Setting(NamedTuple):
    """What is trained at a scale of the laboratory; the rates are those of `NETWORKS`."""

    seeds: Sequence[int]
    steps: int
    rates: Sequence[float]
    words: Sequence[str]


# The first rates: with ReLU and SGD the best constant ones of F1's pilot without batch
# normalization, and the largest good one with it (`rate_sensitivity/pilot.csv`).
_RATES = (0.3, 1.0, 1.0)
SETTINGS = {
    PUBLISHED_SCALE: Setting((0, 1, 2, 3, 4, 5), 600, _RATES, ("data=mnist",)),
    SMOKE: Setting((0, 1), 100, _RATES, ("data=digits",)),
}


class Row(NamedTuple):
    """One network at a step; losses and accuracy only at the last one.

    `train_loss` is that of the last tenth of the mini-batches; `norm` is of all hidden kernels.
    """

    network: str
    schedule: str
    seed: int
    step: int
    rate: float
    norm: float
    train_loss: float
    accuracy: float


COLUMNS = Row._fields


def schedules(steps: int) -> dict[str, tuple[str, ...]]:
    """The words of each schedule, over so many steps."""
    share = _LAST_SHARE
    return {
        "constant": ("schedule=constant",),
        "1 / (1 + k t)": (
            "schedule=inverse_time",
            f"schedule.decay_steps={steps}",
            f"schedule.decay_rate={1 / share - 1}",
        ),
        "exponential": (
            "schedule=exponential",
            f"schedule.decay_steps={steps}",
            f"schedule.decay_rate={share}",
        ),
        # Two steps, each to a tenth.
        "step": (
            "schedule=step",
            f"schedule.decay_steps={math.ceil((steps + 1) / 3)}",
            f"schedule.decay_rate={math.sqrt(share)}",
        ),
        "cosine": (
            "schedule=cosine",
            f"schedule.decay_steps={steps}",
            f"schedule.decay_rate={share}",
        ),
    }


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `decays.csv` in `folder`, a row a network and step, and `setting.csv`."""
    setting = SETTINGS[scale]
    words = (*_COMMON, *setting.words, f"train_steps={setting.steps}")
    grid.write(folder, "decays.csv", COLUMNS, rows(setting), *words)


def rows(setting: Setting) -> Iterator[Row]:
    """Every network: all schedules and seeds of it are one program."""
    decays = schedules(setting.steps)
    steps = [round(setting.steps * part / _OBSERVATIONS) for part in range(_OBSERVATIONS + 1)]
    for (network, words), rate in zip(NETWORKS.items(), setting.rates, strict=True):
        each = list(product(setting.seeds, decays))
        recipes = [
            grid.recipe(
                *_COMMON,
                *setting.words,
                *words,
                *decays[schedule],
                f"train_steps={setting.steps}",
                f"learning_rate={rate}",
                f"seed={seed}",
            )
            for seed, schedule in each
        ]
        trained = grid.train(recipes, len(decays), grid.kernel_norm, steps)
        for (_, schedule), one in zip(each, trained, strict=True):
            yield from _of(network, schedule, one)


def _of(network: str, schedule: str, trained: grid.Trained) -> Iterator[Row]:
    """Rows of one network; of one that diverged up to there, the last with nan."""
    config, nan = trained.config, math.nan
    last = config.train_steps
    seen = trained.seen if last in trained.seen else {**trained.seen, last: nan}
    _, accuracy = trained.score()
    for step, norm in seen.items():
        is_last = step == last
        yield Row(
            network,
            schedule,
            config.seed,
            step,
            _rate(config, step),
            norm,
            trained.last_loss if is_last else nan,
            accuracy if is_last else nan,
        )


def _rate(config: Recipe, step: int) -> float:
    return float(learning_rates(config, step, step + 1)[0])
