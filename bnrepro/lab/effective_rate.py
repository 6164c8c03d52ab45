"""What rate and weight decay are to a kernel before batch normalization (D3), and its growth (C3).

The loss does not change with the length of such a kernel, so that its gradient is at right angles
to it and shrinks as the kernel grows: a step turns the kernel, and eta / |w|^2 is what the rate is
in effect (van Laarhoven 2017, arXiv 1706.05350; Hoffer et al. 2018, arXiv 1803.01814). Decay does
nothing to the function; it keeps |w| small, and so the effective rate large. In equilibrium each
step turns a unit by sqrt(2 eta lambda / (1 + mu)), whatever eta and lambda are each (law X5).
Without decay |w| grows, and takes a large rate back by itself.

All networks are `replicas`: two hidden layers of 64 units. A pilot on seed 100 showed that 2,000
steps are enough for the equilibrium of the cells that are judged, and that `_REPLAYED` is one of
them; every bound is older.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.lab.error_surface.images import averaged
from bnrepro.lab.replicas import Form, Replicas, Watched
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = "What do learning rate and weight decay do to weights whose length does not matter?"

_RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
_DECAYS = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
_MOMENTUM, _BATCH = 0.9, 64
# Of the grid's cells, the one whose lengths are given to a network without decay.
_REPLAYED = (0.1, 3e-3)
# Learning rates without momentum 1, 5 and 30 times the first, and the initial scale of kernels.
_GROWTH = ((0.02, 1.0), (0.1, 1.0), (0.6, 1.0), (0.1, 10.0))
_FORM = Form(hidden_layers=2, width=64)
# Of the last steps means are taken, and curves are means over so many.
_LAST, _EVERY = 200, 50


@dataclass(frozen=True)
class Setting:
    """How much is computed."""

    data: str
    seeds: tuple[int, ...]
    steps: int


SETTINGS = {
    PUBLISHED_SCALE: Setting("mnist", tuple(range(6)), 2000),
    SMOKE: Setting("digits", (0, 1), 400),
}


class GridRow(NamedTuple):
    """One network of the grid, over its last 200 steps."""

    seed: int
    rate: float
    decay: float
    angle_1: float  # by which a unit of the first hidden layer turns in a step
    angle_2: float
    loss: float
    accuracy: float  # on test images


class RotationRow(NamedTuple):
    """By how much a unit of the second hidden layer turns in a step, over the 50 steps before."""

    seed: int
    rate: float
    decay: float
    step: int
    angle: float


class ReplayRow(NamedTuple):
    """The training loss over the 50 steps before, and the test accuracy at the end of it all."""

    seed: int
    network: str
    step: int
    loss: float
    accuracy: float


class GrowthRow(NamedTuple):
    """The kernel of the second hidden layer, and its gradient, without decay and momentum."""

    seed: int
    network: str
    rate: float
    scale: float
    step: int
    length: float
    gradient: float


Cell = tuple[int, float, float]  # seed, rate, decay


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave the tables in `folder`."""
    size = SETTINGS[scale]
    training, test = small_images(size.data)
    grid, rotation, lengths, curves = _grid(size, training, test)
    tables: dict[str, tuple[Sequence[str], list[Any]]] = {
        "grid": (GridRow._fields, grid),
        "rotation": (RotationRow._fields, rotation),
        "replay": (ReplayRow._fields, [*curves, *_replayed(size, training, test, lengths)]),
        "growth": (GrowthRow._fields, list(_growth(size, training))),
    }
    for name, (columns, rows) in tables.items():
        write_table(folder / f"{name}.csv", columns, rows)


Images = tuple[np.ndarray, np.ndarray]  # (examples, values) and labels


def small_images(name: str) -> tuple[Images, Images]:
    """Training and test images, with mean 0 and variance 1 over all pixels of the former.

    Of MNIST squares of 2 x 2 pixels are averaged.
    """
    found = data.load(compose([f"data={name}"]).config.data)
    side = 2 if name == "mnist" else 1
    pixels = [
        averaged(np.asarray(split.images) / 255, side) for split in (found.train, found.evaluation)
    ]
    mean, deviation = pixels[0].mean(), pixels[0].std()
    train, test = ((values - mean) / deviation for values in pixels)
    return (train, found.train.labels), (test, found.evaluation.labels)


def _replicas(
    training: Images, cells: Sequence[Cell], momentum: float, form: Form = _FORM,
    scales: Sequence[float] = (),
) -> Replicas:  # fmt: skip
    seeds, rates, decays = (list(each) for each in zip(*cells, strict=True))
    return Replicas(form, *training, seeds, rates, decays, momentum, _BATCH, scales)


def _grid(
    size: Setting, training: Images, test: Images
) -> tuple[list[GridRow], list[RotationRow], list[list[np.ndarray]], list[ReplayRow]]:
    """The grid; of one cell the lengths of every step, and its curves beside those without decay.

    Lengths are (seeds, 1, units) per step and hidden layer.
    """
    cells = list(product(size.seeds, _RATES, _DECAYS))
    replicas = _replicas(training, cells, _MOMENTUM)
    replayed = [n for n, cell in enumerate(cells) if cell[1:] == _REPLAYED]
    without = [n for n, cell in enumerate(cells) if cell[1:] == (_REPLAYED[0], 0.0)]
    seen, lengths = [], []
    for step in range(size.steps):
        seen.append(replicas.step(step))
        lengths.append([each[replayed] for each in replicas.unit_lengths()])
    accuracies = replicas.accuracies(*test)
    curves = [
        *_curves("decayed", size, seen, accuracies, replayed),
        *_curves("without decay", size, seen, accuracies, without),
    ]
    rows = list(_grid_rows(cells, seen[-_LAST:], accuracies))
    return rows, list(_rotation_rows(cells, seen)), lengths, curves


def _grid_rows(
    cells: Sequence[Cell], last: Sequence[Watched], accuracies: np.ndarray
) -> Iterator[GridRow]:
    angles = np.mean([each.angles for each in last], axis=0)
    losses = np.mean([each.loss for each in last], axis=0)
    for cell, of_layers, loss, accuracy in zip(cells, angles, losses, accuracies, strict=True):
        first, second = map(float, of_layers)
        yield GridRow(*cell, first, second, float(loss), float(accuracy))


def _rotation_rows(cells: Sequence[Cell], seen: Sequence[Watched]) -> Iterator[RotationRow]:
    """Of some of the cells."""
    for stop in range(_EVERY, len(seen) + 1, _EVERY):
        angles = np.mean([each.angles[:, -1] for each in seen[stop - _EVERY : stop]], axis=0)
        for cell, angle in zip(cells, angles, strict=True):
            if cell[1:] in ROTATED:
                yield RotationRow(*cell, stop, float(angle))


# Two pairs of cells with the same product of rate and decay, 6e-5 and 2e-4, and one of 6e-4.
ROTATED = ((0.02, 3e-3), (0.2, 3e-4), (0.02, 1e-2), (0.2, 1e-3), (0.2, 3e-3))


def _replayed(
    size: Setting, training: Images, test: Images, lengths: Sequence[list[np.ndarray]]
) -> Iterator[ReplayRow]:
    """Without decay, but after each step every unit's kernel has the length that decay gave it."""
    cells = [(seed, _REPLAYED[0], 0.0) for seed in size.seeds]
    replicas = _replicas(training, cells, _MOMENTUM)
    seen = []
    for step in range(size.steps):
        seen.append(replicas.step(step))
        replicas.rescale(lengths[step])
    places = range(len(cells))
    return _curves("replayed lengths", size, seen, replicas.accuracies(*test), places)


def _curves(
    network: str, size: Setting, seen: Sequence[Watched], accuracies: np.ndarray,
    places: Sequence[int],
) -> Iterator[ReplayRow]:  # fmt: skip
    """The curves of the replicas at `places`, one a seed."""
    for stop in range(_EVERY, len(seen) + 1, _EVERY):
        losses = np.mean([each.loss for each in seen[stop - _EVERY : stop]], axis=0)
        for seed, place in zip(size.seeds, places, strict=True):
            accuracy = float(accuracies[place])
            yield ReplayRow(seed, network, stop, float(losses[place]), accuracy)


def _growth(size: Setting, training: Images) -> Iterator[GrowthRow]:
    cells = [(seed, rate, 0.0) for seed in size.seeds for rate, _ in _GROWTH]
    scales = [scale for _ in size.seeds for _, scale in _GROWTH]
    shown = np.unique(np.geomspace(1, size.steps, 25).round().astype(int))
    for network, normalized in (("with BN", True), ("without BN", False)):
        form = Form(_FORM.hidden_layers, _FORM.width, normalized)
        replicas = _replicas(training, cells, 0.0, form, scales)
        for step in range(1, size.steps + 1):
            seen = replicas.step(step - 1)
            if step in shown:
                for n, (seed, rate, _) in enumerate(cells):
                    length, gradient = float(seen.lengths[n, -1]), float(seen.gradients[n, -1])
                    yield GrowthRow(seed, network, rate, scales[n], step, length, gradient)
