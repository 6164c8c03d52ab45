"""F2: which depths and scales of the initial weights a network trains at, with and without BN.

Kernels are drawn with deviation c / sqrt(fan-in), the classifier's too. For ReLU without
normalization each layer then multiplies the squared length of its values, and of the gradients, by
c^2 / 2 in expectation (He et al. 2015): c = sqrt(2) keeps them, MSRA's choice. Around 0 tanh is
the identity, which c = 1 keeps: Xavier's (Glorot and Bengio 2010). With batch normalization the
values do not depend on c, and the gradient by a kernel is proportional to 1 / c.

Kernels are normal. A smaller grid has uniform and orthogonal ones of the same variance: what holds
of lengths in expectation holds of the variance alone, and an orthogonal kernel keeps every length.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from bnrepro.config import Recipe
from bnrepro.lab import grid
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "At which depths and initial scales does a network train at all, with and without batch "
    "normalization, with tanh and with ReLU?"
)

SCALES = (0.25, 0.5, 1.0, math.sqrt(2), 2.0, 4.0, 8.0)
ACTIVATIONS = ("tanh", "relu")
OTHERS = ("uniform", "orthogonal")
NETWORKS = {"plain": "bn=none", "batch normalization": "bn=x1"}
_COMMON = (
    "model=mlp", "model.width=0.64", "optimizer=momentum", "learning_rate=0.05", "batch_size=60",
)  # fmt: skip


class Setting(NamedTuple):
    """What is trained at a scale of the laboratory."""

    seeds: Sequence[int]
    depths: Sequence[int]
    words: Sequence[str]
    # Of the networks whose kernels are not normal.
    other_depths: Sequence[int] = ()


SETTINGS = {
    PUBLISHED_SCALE: Setting((0, 1, 2), (1, 4, 16, 32), ("data=mnist", "train_steps=400"), (4, 16)),
    SMOKE: Setting((0,), (1, 4, 16), ("data=digits", "train_steps=60"), (4, 16)),
}
# Chose the number of steps: after 300 few networks of 4 layers were above 90 %. `pilot.csv`.
PILOT = Setting((100,), (4, 32), ("data=mnist", "train_steps=300"))


class Row(NamedTuple):
    """One network; `accuracy` is that of the last tenth of its mini-batches, nan if it diverged."""

    activation: str
    network: str
    depth: int
    scale: float
    seed: int
    accuracy: float
    diverged_at: float


COLUMNS = Row._fields


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `cells.csv` and `distributions.csv` in `folder`, a row a network, and `setting.csv`."""
    setting = SETTINGS[scale]
    grid.write(folder, "cells.csv", COLUMNS, rows(setting), *_COMMON, *setting.words)
    write_table(folder / "distributions.csv", ("distribution", *COLUMNS), other_rows(setting))


def other_rows(setting: Setting) -> Iterator[tuple[Any, ...]]:
    """Those of the distributions that are not normal, each named in front of its rows."""
    fewer = setting._replace(depths=setting.other_depths)
    for distribution in OTHERS:
        for row in rows(fewer, distribution):
            yield (distribution, *row)


def rows(setting: Setting, distribution: str = "normal") -> Iterator[Row]:
    """Every activation, network and depth: all scales and seeds of it are one program."""
    for activation, network, depth in product(ACTIVATIONS, NETWORKS, setting.depths):
        cells = list(product(setting.seeds, SCALES))
        recipes = [
            recipe(activation, network, depth, *cell, setting.words, distribution) for cell in cells
        ]
        for (_, scale), trained in zip(cells, grid.train(recipes, len(SCALES)), strict=True):
            at = trained.diverged_at
            yield Row(
                activation,
                network,
                depth,
                scale,
                trained.config.seed,
                trained.last_accuracy,
                math.nan if at is None else float(at),
            )


def recipe(
    activation: str,
    network: str,
    depth: int,
    seed: int,
    scale: float,
    words: Sequence[str],
    distribution: str = "normal",
) -> Recipe:
    """What trains one of the networks."""
    return grid.recipe(
        *_COMMON,
        *words,
        NETWORKS[network],
        f"activation={activation}",
        f"model.hidden_layers={depth}",
        *_initial_words(distribution, scale),
        f"seed={seed}",
    )


def _initial_words(distribution: str, scale: float) -> list[str]:
    """Kernels of deviation `scale` / sqrt(fan-in)."""
    if distribution == "orthogonal":
        # Columns of length 1 have entries of variance 1 / fan-in.
        return ["initializer=orthogonal", f"initializer.scale={scale!r}"]
    name = {"normal": "he", "uniform": "he_uniform"}[distribution]
    # He's variance is 2 / fan-in times this.
    return [f"initializer={name}", f"initializer.scale={scale**2 / 2!r}"]
