"""G1: dropout, weight decay and batch normalization on little data, each with and without.

Dropout stands before the classifier, behind the last normalization, as in the paper's network; or
between the hidden layers too, before the next normalization, whose moving averages then are of
what dropout has widened (X12; Li et al. 2018, arXiv 1801.05134).

Convolutions do not train as one program on a CPU, and so many networks one by one would take hours;
fully connected ones on 1,000 images of MNIST take minutes. At scale=gpu it is the small cnn on
CIFAR-10. Each cell has its own best of three rates, chosen on seeds of their own.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config import Recipe
from bnrepro.data import Split
from bnrepro.lab import grid
from bnrepro.lab.little_data import (
    CNN,
    NETWORK,
    WITH_OR_WITHOUT,
    Outcome,
    accuracy_on,
    best,
    lasting,
    left_out,
    outcome,
    write_setting,
)
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import GPU, PUBLISHED_SCALE, SMOKE

QUESTION = (
    "What is dropout worth on little data, with and without batch normalization, and what does it "
    "cost to drop before batch normalization?"
)

# Around the rates that `rate_sensitivity` found best with ReLU and SGD; those of the cnn around the
# one that its file has.
RATES = {"plain": (0.1, 0.3, 1.0), "batch normalization": (0.3, 1.0, 3.0)}
FEWER_RATES = {network: rates[:2] for network, rates in RATES.items()}
RATES_OF_CNN = {"plain": (0.02, 0.05, 0.1), "batch normalization": (0.05, 0.2, 0.5)}
_DROPOUTS, _DECAYS = (0.0, 0.2, 0.5), (0.0, 5e-4)
_PLACES = {"classifier": ("dropout",), "everywhere": ("dropout", "hidden_dropout")}


class Cell(NamedTuple):
    """What is trained with all seeds, at the best of its rates."""

    network: str
    place: str
    dropout: float
    l2: float


CELLS = (
    *(
        Cell(network, "classifier", dropout, l2)
        for l2, network, dropout in product(_DECAYS, WITH_OR_WITHOUT, _DROPOUTS)
    ),
    *(Cell("batch normalization", "everywhere", dropout, 0.0) for dropout in _DROPOUTS[1:]),
)


class Setting(NamedTuple):
    """What is trained at a scale; as many networks choose a rate as are trained with it.

    `rates` are those of the network without batch normalization and with it.
    """

    seeds: Sequence[int]
    choosing_seeds: Sequence[int]
    rates: Mapping[str, Sequence[float]]
    words: Sequence[str]


SETTINGS = {
    PUBLISHED_SCALE: Setting(
        (0, 1, 2, 3, 4, 5),
        (100, 101),
        RATES,
        ("data=mnist", "data.train_examples=1000", *lasting(500), "batch_size=50"),
    ),
    SMOKE: Setting(
        (0, 1),
        (100,),
        FEWER_RATES,
        ("data=digits", "data.train_examples=500", *lasting(100), "batch_size=50"),
    ),
    GPU: Setting(
        (0, 1, 2, 3, 4, 5),
        (100, 101),
        RATES_OF_CNN,
        (*CNN, "data.train_examples=5000", *lasting(3000), "batch_size=50"),
    ),
}


class Tried(NamedTuple):
    """One network that chose a rate, by its accuracy on the images held out."""

    network: str
    place: str
    dropout: float
    l2: float
    rate: float
    seed: int
    held_out_accuracy: float


class Shift(NamedTuple):
    """What dropout has made of the statistics; nan without batch normalization, or if it diverged.

    `moving_loss` is that on the test images with moving averages. `variance_ratio` is of the moving
    variances over Algorithm 2's, the median over the units of all hidden layers but the first,
    which nothing is dropped before.
    """

    moving_loss: float
    variance_ratio: float


# A row a network after its training.
COLUMNS = (*Cell._fields, "rate", "seed", *Shift._fields, *Outcome._fields)


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `rates.csv` and `cells.csv` in `folder`, a row a network, and `setting.csv`."""
    setting = SETTINGS[scale]
    held_out = left_out(*setting.words)
    tried: list[Tried] = []
    rows: list[tuple[object, ...]] = []
    for cell in CELLS:
        program = grid.Program()
        tried += _tried(program, cell, setting, held_out)
        rate = best_rate(tried, cell)
        recipes = [recipe(cell, rate, seed, setting) for seed in setting.seeds]
        trained = zip(setting.seeds, program.train(recipes), strict=True)
        rows += [(*cell, rate, seed, *shift(one), *outcome(one)) for seed, one in trained]
    write_table(folder / "rates.csv", Tried._fields, tried)
    write_table(folder / "cells.csv", COLUMNS, rows)
    write_setting(folder, *setting.words)


def shift(trained: grid.Trained) -> Shift:
    """How far moving averages are from Algorithm 2's; to be asked before the next block begins."""
    engine = trained.engine
    layers = engine.network.batch_normalizations
    if trained.diverged_at is not None or not layers:
        return Shift(math.nan, math.nan)
    anew = engine.population_statistics(engine.order.steps_per_epoch)
    paths = [f"model/{layer.moving_variance.path}" for layer in layers]
    moving = engine.variables(paths)
    ratios = [moving[path] / variance for path, (_, variance) in zip(paths, anew, strict=True)]
    return Shift(trained.score()[0], float(np.median(np.concatenate(ratios[1:]))))


def best_rate(tried: Sequence[Tried], cell: Cell) -> float:
    """The rate of the cell's best accuracies."""
    return best(
        (one.rate, one.held_out_accuracy)
        for one in tried
        if Cell(one.network, one.place, one.dropout, one.l2) == cell
    )


def recipe(cell: Cell, rate: float, seed: int, setting: Setting) -> Recipe:
    """What trains one of the networks."""
    dropping = [f"{key}={cell.dropout}" for key in _PLACES[cell.place]]
    return grid.recipe(
        *NETWORK,
        *setting.words,
        WITH_OR_WITHOUT[cell.network],
        *dropping,
        f"l2={cell.l2}",
        f"learning_rate={rate}",
        f"seed={seed}",
    )


def _tried(program: grid.Program, cell: Cell, setting: Setting, held_out: Split) -> Iterator[Tried]:
    each = [(rate, seed) for rate in setting.rates[cell.network] for seed in setting.choosing_seeds]
    trained = program.train([recipe(cell, *one, setting) for one in each])
    for (rate, seed), one in zip(each, trained, strict=True):
        yield Tried(*cell, rate, seed, accuracy_on(one, held_out))
