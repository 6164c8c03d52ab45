"""Gradients that grow backward through the layers of deep networks, and who trains with them (D5).

At initialization the squared gradient grows by a factor with every layer that it passes (law X6,
Yang et al. 2019, arXiv 1902.08129): by (B - 2) / (B - 3) without an activation, by about
pi / (pi - 1) with ReLU, B examples in a mini-batch. Layers that add their inputs have a way around
each of these factors. The trained networks are `replicas` of 64 units a layer. A pilot on seeds 100
and 101 chose their rate and number of steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.lab.effective_rate import small_images
from bnrepro.lab.laws.depth import squared_gradients
from bnrepro.lab.replicas import Form, Replicas
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = "Does batch normalization make networks of any depth trainable?"

BATCHES = (4, 8, 32, 128)
# Of networks with a way around, and without normalization.
_BATCH_OF_CONTROLS = 32
_WIDTH, _MOMENTUM, _BATCH = 64, 0.9, 64
# Training accuracy is over so many last mini-batches.
_LAST = 50


@dataclass(frozen=True)
class Setting:
    """How much is computed."""

    data: str
    seeds: tuple[int, ...]
    depths: tuple[int, ...]
    rate: float
    steps: int


SETTINGS = {
    PUBLISHED_SCALE: Setting("mnist", tuple(range(6)), (10, 20, 40, 80), 0.03, 500),
    SMOKE: Setting("digits", (0, 1), (10, 20), 0.03, 100),
}


class GradientRow(NamedTuple):
    """The squared gradient of one layer over that of the last, at initialization."""

    seed: int
    network: str
    activation: str
    batch: int
    layer: int
    squared_gradient: float


class TrainingRow(NamedTuple):
    """The training accuracy of one network over its last 50 mini-batches."""

    seed: int
    network: str
    depth: int
    accuracy: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `gradients.csv` and `trained.csv` in `folder`."""
    size = SETTINGS[scale]
    gradients = [row for seed in size.seeds for row in _gradients(seed)]
    write_table(folder / "gradients.csv", GradientRow._fields, gradients, digits=_DIGITS)
    write_table(folder / "trained.csv", TrainingRow._fields, _trained(size))


_DIGITS = {"squared_gradient": 4}


def _gradients(seed: int) -> Iterator[GradientRow]:
    for activation in ("linear", "relu"):
        for batch in BATCHES:
            yield from _layers(seed, "BN", activation, batch)
    yield from _layers(seed, "BN, layers add their inputs", "relu", _BATCH_OF_CONTROLS, skips=True)
    yield from _layers(seed, "without BN", "relu", _BATCH_OF_CONTROLS, normalized=False)


def _layers(
    seed: int, network: str, activation: str, batch: int, *, normalized: bool = True,
    skips: bool = False,
) -> Iterator[GradientRow]:  # fmt: skip
    squares = squared_gradients(batch, activation, normalized, skips=skips, seed=seed)
    for layer, square in enumerate(squares / squares[-1], start=1):
        yield GradientRow(seed, network, activation, batch, layer, float(square))


def _trained(size: Setting) -> Iterator[TrainingRow]:
    (images, labels), _ = small_images(size.data)
    count = len(size.seeds)
    for depth in size.depths:
        for network, skips in (("BN", False), ("BN, layers add their inputs", True)):
            form = Form(depth, _WIDTH, skips=skips)
            rates, decays = [size.rate] * count, [0.0] * count
            replicas = Replicas(form, images, labels, size.seeds, rates, decays, _MOMENTUM, _BATCH)
            seen = [replicas.step(step).accuracy for step in range(size.steps)]
            for seed, accuracy in zip(size.seeds, np.mean(seen[-_LAST:], axis=0), strict=True):
                yield TrainingRow(seed, network, depth, float(accuracy))
