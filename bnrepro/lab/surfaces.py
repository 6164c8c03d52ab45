"""B1 and B2: the loss around trained networks, with shortcuts and without, in three modes.

Residual networks of He et al. (2016) with batch normalization, each beside the same without its
shortcuts, and one with shortcuts and SkipInit in place of batch normalization; then the loss along
random filter-normalized directions (Li et al. 2018, https://arxiv.org/abs/1712.09913): lines for
every seed, a plane for the first. Networks of a seed share its images, order, initial kernels and
the noise that directions are made of.

Li et al. train for 300 epochs on CIFAR-10 and see the effect at 56 layers and more. Here the images
are the digits of 8 x 8 and the networks are small: what a processor makes in minutes. Momentum, L2
and the rate are ours. At this rate the deepest network without shortcuts still learns: on seed 100,
the pilot, its loss was 1.27 after the 200 steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.composition import Composition, compose
from bnrepro.engine import Engine, build_probe
from bnrepro.engine.surface import Surroundings
from bnrepro.lab.setting import advance, begin
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import GPU, PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = "Do shortcuts and batch normalization keep the loss around a solution simple?"

NETWORKS = {
    "shortcuts": ("bn=x1",),
    "no shortcuts": ("bn=x1", "model.skip=false"),
    "SkipInit": ("bn=none", "model.residual=skipinit"),
}
_COMMON = ("model=resnet", "l2=0.0005", "batch_normalization.momentum=0.9", "threads=1")
# What the loss at weights beside the trained ones is asked of; the first one is the authors'.
_MODES = ("frozen", "population", "batch")
# Of a network without batch normalization all modes are the same.
_ONLY_MODE = ("frozen",)
_PLANE_MODES = ("frozen", "population")
_STATISTICS_BATCHES = 2
# At scale=gpu, where the rate falls to a hundredth.
_STEPS_OF_60_EPOCHS = 23_400
_FALLING = (
    "schedule=cosine", "schedule.decay_rate=0.01", f"schedule.decay_steps={_STEPS_OF_60_EPOCHS}"
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """How much is computed: `points` of a line and on each side of a plane from -1 to 1."""

    seeds: tuple[int, ...]
    blocks: tuple[int, ...]
    words: tuple[str, ...]
    steps: int
    directions: int
    points: int
    plane_points: int
    examples: int


SETTINGS = {
    PUBLISHED_SCALE: Setting(
        seeds=(0, 1, 2),
        blocks=(3, 6),
        words=("data=digits", "model.width=0.5", "batch_size=64", "learning_rate=0.05"),
        steps=200,
        directions=2,
        points=17,
        plane_points=17,
        examples=256,
    ),
    SMOKE: Setting(
        seeds=(0,),
        blocks=(1, 2),
        words=("data=digits", "model.width=0.25", "batch_size=32", "learning_rate=0.05"),
        steps=40,
        directions=1,
        points=9,
        plane_points=5,
        examples=64,
    ),
    # ResNet-20, 56 and 110.
    GPU: Setting(
        seeds=(0, 1, 2),
        blocks=(3, 9, 18),
        words=("data=cifar10", "model.width=1", "batch_size=128", "learning_rate=0.05", *_FALLING),
        steps=_STEPS_OF_60_EPOCHS,
        directions=3,
        points=51,
        plane_points=51,
        examples=2_048,
    ),
}


class Trained(NamedTuple):
    """A network after its training: the loss of the last tenth of its mini-batches, and how it
    does on all test images as it infers.

    `curvature` is the largest at its weights, on the fixed training images as a mini-batch.
    """

    network: str
    layers: int
    seed: int
    train_loss: float
    test_loss: float
    accuracy: float
    curvature: float


class LinePoint(NamedTuple):
    """The loss on the fixed training images at one length along one direction."""

    network: str
    layers: int
    seed: int
    direction: int
    mode: str
    length: float
    loss: float


class PlanePoint(NamedTuple):
    """The same at one length along each of two directions."""

    network: str
    layers: int
    seed: int
    mode: str
    first: float
    second: float
    loss: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `networks.csv`, `lines.csv`, `planes.csv` and `setting.csv` in `folder`."""
    setting = SETTINGS[scale]
    networks: list[Trained] = []
    lines: list[LinePoint] = []
    planes: list[PlanePoint] = []
    for blocks, network in product(setting.blocks, NETWORKS):
        for own, engine, around in _trained(setting, network, blocks):
            networks.append(own)
            lines += _lines(setting, own, around, _modes(engine))
            if own.seed == setting.seeds[0]:
                planes += _planes(setting, own, around, _modes(engine))
    first = compose([*_COMMON, *setting.words]).config
    shared = {
        "data": first.data.name,
        "width": first.model.width,
        "train_steps": setting.steps,
        "batch_size": first.batch_size,
        "learning_rate": first.learning_rate,
        "examples": setting.examples,
    }
    write_table(folder / "setting.csv", tuple(shared), [tuple(shared.values())])
    write_table(folder / "networks.csv", Trained._fields, networks)
    write_table(folder / "lines.csv", LinePoint._fields, lines)
    write_table(folder / "planes.csv", PlanePoint._fields, planes)


def _modes(engine: Engine) -> tuple[str, ...]:
    return _MODES if engine.network.batch_normalizations else _ONLY_MODE


def _trained(
    setting: Setting, network: str, blocks: int
) -> Iterator[tuple[Trained, Engine, Surroundings]]:
    """The networks of all seeds, in one engine and asked by one probe: each compiles once."""
    first, *others = (_composition(setting, network, blocks, seed) for seed in setting.seeds)
    engine = build_engine(first)
    probe = build_probe(engine, _STATISTICS_BATCHES)
    initial = engine.variables()
    for composition in (first, *others):
        begin(engine, composition, initial)
        last = min(setting.steps // 10, engine.segment_steps)
        advance(engine, 0, setting.steps - last)
        loss = float(engine.train(setting.steps - last, setting.steps).loss.mean())
        scores = engine.score(engine.dataset.evaluation)
        around = Surroundings(engine, probe, setting.examples)
        curvature, _ = around.curvature("batch")
        own = Trained(network, 6 * blocks + 2, engine.config.seed, loss, *scores, curvature)
        yield own, engine, around


def _composition(setting: Setting, network: str, blocks: int, seed: int) -> Composition:
    own = (f"model.blocks={blocks}", f"train_steps={setting.steps}", f"seed={seed}")
    return compose([*_COMMON, *setting.words, *NETWORKS[network], *own])


def _lines(
    setting: Setting, own: Trained, around: Surroundings, modes: tuple[str, ...]
) -> Iterator[LinePoint]:
    lengths = np.linspace(-1, 1, setting.points)
    of_network = (own.network, own.layers, own.seed)
    for number, mode in product(range(setting.directions), modes):
        losses = around.line(around.direction(number), lengths, mode)
        for length, loss in zip(lengths.tolist(), losses.tolist(), strict=True):
            yield LinePoint(*of_network, number, mode, length, loss)


def _planes(
    setting: Setting, own: Trained, around: Surroundings, modes: tuple[str, ...]
) -> Iterator[PlanePoint]:
    lengths = np.linspace(-1, 1, setting.plane_points)
    directions = np.stack([around.direction(0), around.direction(1)])
    of_network = (own.network, own.layers, own.seed)
    for mode in _PLANE_MODES:
        if mode in modes:
            losses = around.plane(directions, lengths, mode)
            for place in np.ndindex(losses.shape):
                first, second = (float(lengths[each]) for each in place)
                yield PlanePoint(*of_network, mode, first, second, float(losses[place]))
