"""What batch normalization does in a deep residual network, and what else does it (D4, D7).

At initialization the values that a plain residual network adds up double their variance with every
block, and the first step of a large rate throws the loss off by orders of magnitude (Bjorck et al.
2018, arXiv 1806.02375). With batch normalization the variance grows by the same amount a block, and
a larger rate is borne. Networks without it begin with branches that add nothing: SkipInit (De and
Smith 2020, arXiv 2002.10444), the same with weights that keep the variance within a branch at 1
(scaled weight standardization, Brock et al. 2021, arXiv 2101.08692), and Fixup (Zhang et al. 2019,
arXiv 1901.09321).

The networks have 56 layers at half of their width, the images are the digits of 8 x 8. A pilot
on seeds 100 and 101 chose the number of steps and, where networks cease to train, finer rates.
At scale=gpu they have 110 layers and their whole width, on CIFAR-10.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.composition import Composition, compose
from bnrepro.engine import build_probe
from bnrepro.engine.batch import read_images
from bnrepro.engine.probe import Batch
from bnrepro.lab.setting import begin
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import GPU, PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = "What does batch normalization do in a deep residual network, and what else does it?"

NETWORKS = {
    "plain": ("bn=none",),
    "batch normalization": ("bn=x1",),
    "SkipInit": ("bn=none", "model.residual=skipinit"),
    "Fixup": ("bn=none", "model.residual=fixup"),
    "scaled weights": (
        "bn=none",
        "model.residual=skipinit",
        "reparametrization=scaled_weight_standardization",
    ),
}
_SMALL = ("model.width=0.5", "data=digits", "batch_size=64")
# Of one step from the initial weights, 33 in quarter decades.
_ONE_STEP_RATES = np.logspace(-7, 1, 33)
# Ends the name of a block's last convolution, whose values are those of the sum.
_LAST = "convolution_2"
# Training accuracy is over the last tenth of the steps.
_LAST_SHARE = 0.1


@dataclass(frozen=True)
class Setting:
    """How much is computed; `blocks` in each of the three stages."""

    seeds: tuple[int, ...]
    blocks: int
    rates: tuple[float, ...]
    steps: int
    words: tuple[str, ...] = _SMALL


SETTINGS = {
    PUBLISHED_SCALE: Setting(tuple(range(6)), 9, (0.001, 0.01, 0.05, 0.1, 0.2, 0.4), 200),
    SMOKE: Setting((0, 1), 2, (0.01, 0.1), 40),
    GPU: Setting(
        seeds=tuple(range(6)),
        blocks=18,
        rates=(0.001, 0.01, 0.05, 0.1, 0.2, 0.4),
        steps=4_000,
        words=("model.width=1", "data=cifar10", "batch_size=128"),
    ),
}
# Chose steps and rates; `pilot.csv` beside the published tables is what it gave.
PILOT = Setting((100, 101), 9, (0.001, 0.01, 0.03, 0.1, 0.3, 1.0), 200)


class StepRow(NamedTuple):
    """The loss after one step of plain descent from the initial weights, over that before it.

    On the same mini-batch, normalized by itself; not a number where it overflows.
    """

    seed: int
    network: str
    rate: float
    relative_loss: float


class BlockRow(NamedTuple):
    """How far the values behind one block vary at initialization: the maps' mean deviation.

    Over the mini-batch and all places; before the activation. Block 0 is the first convolution.
    """

    seed: int
    network: str
    block: int
    deviation: float


class TrainedRow(NamedTuple):
    """Training accuracy over the last tenth of the steps; not a number where it diverged."""

    seed: int
    network: str
    rate: float
    accuracy: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `first_steps.csv`, `blocks.csv`, `trained.csv` and `setting.csv` in `folder`."""
    size = SETTINGS[scale]
    steps: list[StepRow] = []
    blocks: list[BlockRow] = []
    rows: list[TrainedRow] = []
    for network in map(partial(_Network, size), NETWORKS):
        for seed in size.seeds:
            network.begin(seed, size.rates[0])
            batch = network.first_batch()
            steps += network.first_steps(batch)
            blocks += network.blocks(batch)
        rows += trained(network)
    write_table(folder / "first_steps.csv", StepRow._fields, steps, digits=_DIGITS)
    write_table(folder / "blocks.csv", BlockRow._fields, blocks, digits=_DIGITS)
    write_table(folder / "trained.csv", TrainedRow._fields, rows)
    shared = _composition(size, "plain", size.seeds[0], size.rates[0]).config
    write_table(
        folder / "setting.csv",
        ("data", "train_steps", "batch_size"),
        [(shared.data.name, size.steps, shared.batch_size)],
    )


_DIGITS = {"relative_loss": 4, "deviation": 4}


def pilot(folder: Path) -> None:
    """Leave `pilot.csv` in `folder`."""
    rows = [row for name in NETWORKS for row in trained(_Network(PILOT, name))]
    write_table(folder / "pilot.csv", TrainedRow._fields, rows)


class _Network:
    """One of the networks, compiled once for all seeds and rates."""

    def __init__(self, size: Setting, name: str) -> None:
        self.size, self.name = size, name
        self.engine = build_engine(_composition(size, name, size.seeds[0], size.rates[0]))
        self._initial, self._probe = self.engine.variables(), build_probe(self.engine)

    def begin(self, seed: int, rate: float) -> None:
        """Let it have the weights and mini-batches of a seed, before the first step."""
        begin(self.engine, _composition(self.size, self.name, seed, rate), self._initial)

    def first_batch(self) -> Batch:
        """The first mini-batch of its training."""
        train, indices = self.engine.dataset.train, self.engine.order.indices(0, 1)[0]
        return Batch(read_images(train, indices), train.labels[indices])

    def first_steps(self, batch: Batch) -> Iterator[StepRow]:
        """The loss after one step from where it stands, by the step's rate."""
        point = self._probe.point
        (loss,), (gradient,) = self._probe.gradients(point[None], batch, "batch")
        moved = point - _ONE_STEP_RATES[:, None] * gradient
        losses = self._probe.losses(moved, batch, "batch")
        for rate, after in zip(_ONE_STEP_RATES, losses, strict=True):
            yield StepRow(self._seed, self.name, float(f"{rate:.3g}"), float(after / loss))

    def blocks(self, batch: Batch) -> Iterator[BlockRow]:
        """How far values vary behind each block."""
        values = self._probe.pre_activations(self._probe.point[None], batch, "batch")
        ends = [unit for unit in values if unit == "convolution_1" or unit.endswith(_LAST)]
        for block, unit in enumerate(ends):
            deviation = values[unit][0].std(axis=(0, 1, 2)).mean()
            yield BlockRow(self._seed, self.name, block, float(deviation))

    def last_accuracy(self) -> float:
        """Its training accuracy at the end of the training; not a number where it diverges."""
        hits: list[np.ndarray] = []
        last = self.engine.config.train_steps
        for start in range(0, last, self.engine.segment_steps):
            segment = self.engine.train(start, min(start + self.engine.segment_steps, last))
            if segment.diverged_at_step is not None:
                return float("nan")
            hits.append(segment.num_correct)
        ends = np.concatenate(hits)[-round(_LAST_SHARE * last) :]
        return float(ends.mean() / self.engine.order.batch_size)

    @property
    def _seed(self) -> int:
        return self.engine.config.seed


def _composition(size: Setting, network: str, seed: int, rate: float) -> Composition:
    words = ("model=resnet", "threads=1", f"model.blocks={size.blocks}")
    own = (f"train_steps={size.steps}", f"learning_rate={rate}", f"seed={seed}")
    return compose([*words, *size.words, *NETWORKS[network], *own])


def trained(network: _Network) -> Iterator[TrainedRow]:
    """A row for every seed and rate."""
    for seed, rate in product(network.size.seeds, network.size.rates):
        network.begin(seed, rate)
        yield TrainedRow(seed, network.name, rate, network.last_accuracy())
