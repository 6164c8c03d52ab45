"""B4: the path of a training, seen in the plane in which it moves most, and what that proves.

Li et al. 2018 (https://arxiv.org/abs/1712.09913), section 7: random planes do not show a training's
path, since it is all but orthogonal to them; the first two principal components of the weights
along the path do, and have most of its variation. Theirs is the decomposition of the differences
from the last weights; the library that they call takes the mean away first. Both are here.

A control belongs to it. A walk whose steps know nothing of each other has 6 / (pi^2 k^2) of its
variation in the k-th component, in many dimensions and with its mean taken away: 61 and 15 percent
in the first two (Antognini and Sohl-Dickstein 2018, https://arxiv.org/abs/1806.08805). So each path
stands beside such a walk of equal steps, and beside one whose steps are as long as the path's own.

Digits, and a network of two hidden layers of 50 ReLU units, by plain descent at one rate, which is
ours, without a pilot. At scale=gpu it is the small cnn on CIFAR-10.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.composition import Composition, compose
from bnrepro.config.randomness import generator
from bnrepro.engine import build_probe
from bnrepro.engine.surface import Surroundings
from bnrepro.lab.setting import advance, begin
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import GPU, PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = "Does a training move in a plane, more than a walk without an aim does?"

NETWORKS = {"plain": ("bn=none",), "batch normalization": ("bn=x1",)}
_COMMON = ("activation=relu", "initializer=he", "learning_rate=0.1", "threads=1")
_SMALL = ("model=mlp", "model.hidden_layers=2", "model.width=0.5", "data=digits", "batch_size=60")
# Beside the path the loss is asked of with statistics computed anew.
_MODE = "population"
# The margin around the path in its plane, as a share of its extent.
_MARGIN = 0.25


@dataclass(frozen=True)
class Setting:
    """How much is computed: `snapshots` after the first weights, at equal steps."""

    seeds: tuple[int, ...]
    snapshots: int
    steps: int
    plane_points: int
    examples: int
    words: tuple[str, ...] = _SMALL


SETTINGS = {
    PUBLISHED_SCALE: Setting(tuple(range(6)), 30, 600, 21, 512),
    SMOKE: Setting((0, 1), 10, 100, 7, 128),
    GPU: Setting(
        tuple(range(6)), 30, 12_000, 51, 10_000, ("model=cnn", "data=cifar10", "batch_size=128")
    ),
}


class Shares(NamedTuple):
    """How much of a path's variation its first two components have.

    `path` is the training's own, or that of a control. Of the differences from the mean, and of
    those from the last weights.
    """

    network: str
    seed: int
    path: str
    first: float
    second: float
    first_from_end: float
    second_from_end: float


class PathPoint(NamedTuple):
    """A snapshot in the plane of its path, relative to the last one, in Euclidean length."""

    network: str
    seed: int
    step: int
    first: float
    second: float


class PlanePoint(NamedTuple):
    """The loss on fixed training images in that plane."""

    network: str
    first: float
    second: float
    loss: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `shares.csv`, `paths.csv`, `planes.csv` and `setting.csv` in `folder`."""
    setting = SETTINGS[scale]
    shares: list[Shares] = []
    places: list[PathPoint] = []
    planes: list[PlanePoint] = []
    for network in NETWORKS:
        for seed, points, around in _trained(setting, network):
            shares += _shares(network, seed, points)
            components = principal(points - points.mean(axis=0))[1][:2]
            seen = (points - points[-1]) @ components.T
            steps = np.linspace(0, setting.steps, len(points)).astype(int).tolist()
            places += [
                PathPoint(network, seed, step, *place)
                for step, place in zip(steps, seen.tolist(), strict=True)
            ]
            if seed == setting.seeds[0]:
                planes += _plane(setting, network, around, components, seen)
    write_table(folder / "shares.csv", Shares._fields, shares)
    write_table(folder / "paths.csv", PathPoint._fields, places)
    write_table(folder / "planes.csv", PlanePoint._fields, planes)
    config = compose([*_COMMON, *setting.words]).config
    write_table(folder / "setting.csv", ("data", "model"), [(config.data.name, config.model.name)])


def principal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shares of the components of `rows`, (points, size), and the components, (k, size).

    A component's sign is that which makes the first row's coordinate positive.
    """
    _, lengths, components = np.linalg.svd(rows, full_matrices=False)
    signs = np.where(components @ rows[0] < 0, -1.0, 1.0)
    return lengths**2 / (lengths**2).sum(), components * signs[:, None]


def walk(lengths: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """A walk of steps that long in directions of their own, (steps + 1, size), from 0."""
    directions = random.standard_normal((len(lengths), size))
    steps = directions * (lengths / np.linalg.norm(directions, axis=1))[:, None]
    return np.concatenate([np.zeros((1, size)), np.cumsum(steps, axis=0)])


def _shares(network: str, seed: int, points: np.ndarray) -> Iterator[Shares]:
    """Of the path and of both controls."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    size = points.shape[1]
    random = generator(seed, f"training_path/{network}")
    paths = {
        "training": points,
        "equal steps": walk(np.ones_like(lengths), size, random),
        "its own lengths": walk(lengths, size, random),
    }
    for name, rows in paths.items():
        centered, _ = principal(rows - rows.mean(axis=0))
        from_end, _ = principal(rows - rows[-1])
        yield Shares(network, seed, name, *centered[:2].tolist(), *from_end[:2].tolist())


def _trained(setting: Setting, network: str) -> Iterator[tuple[int, np.ndarray, Surroundings]]:
    """The weights along the training of each seed, (snapshots + 1, size), in one engine."""
    first, *others = (_composition(setting, network, seed) for seed in setting.seeds)
    engine = build_engine(first)
    probe = build_probe(engine)
    initial = engine.variables()
    every = setting.steps // setting.snapshots
    for composition in (first, *others):
        begin(engine, composition, initial)
        points = [probe.point]
        for start in range(0, setting.steps, every):
            advance(engine, start, start + every)
            points.append(probe.point)
        seed = composition.config.seed
        yield seed, np.stack(points).astype(float), Surroundings(engine, probe, setting.examples)


def _composition(setting: Setting, network: str, seed: int) -> Composition:
    own = (f"train_steps={setting.steps}", f"seed={seed}")
    return compose([*_COMMON, *setting.words, *NETWORKS[network], *own])


def _plane(
    setting: Setting,
    network: str,
    around: Surroundings,
    components: np.ndarray,
    seen: np.ndarray,
) -> Iterator[PlanePoint]:
    """The loss over a square around the path."""
    margin = _MARGIN * np.ptp(seen)
    places = np.linspace(seen.min() - margin, seen.max() + margin, setting.plane_points)
    losses = around.plane(components, places, _MODE)
    for place in np.ndindex(losses.shape):
        first, second = (float(places[each]) for each in place)
        yield PlanePoint(network, first, second, float(losses[place]))
