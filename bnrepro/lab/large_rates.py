"""Whether batch normalization's gain in a residual network is that of the rates it bears (D4b).

Bjorck et al. 2018 (https://arxiv.org/abs/1806.02375): at a rate of 1e-4 a residual network trains
alike with batch normalization and without it; the gain appears with larger rates, which only the
normalized network bears. At initialization the network without it sees the same class in every
image, so that the gradients by its outputs are alike for all examples.

Paper: 110 layers, CIFAR-10, mini-batches of 128, 165 epochs. Ours, for the time: 20 layers at half
of their width, and MNIST in mini-batches of 16. In a pilot of 200 steps with 32 images of CIFAR-10,
on seeds 100 and 101 (`pilot.csv`), nothing was learned at 1e-4, where being alike says nothing: so
images that are learned sooner, and more steps, of fewer examples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.composition import Composition, compose
from bnrepro.engine import Segment, build_probe
from bnrepro.engine.batch import read_images
from bnrepro.engine.probe import Batch
from bnrepro.lab.setting import begin
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = "Is batch normalization's gain in a residual network that of the larger rates it bears?"

NETWORKS = {"plain": "bn=none", "batch normalization": "bn=x1"}
_WORDS = ("model=resnet", "model.width=0.5", "threads=1")
# Of one map, as many as have their place in a figure: the first mini-batches together.
_MAP_EXAMPLES = 64
# Training accuracy at the end is over the last tenth of the steps.
_LAST_SHARE = 0.1


@dataclass(frozen=True)
class _Scale:
    """How much is computed: of `seeds` trainings, of `first_seeds` what is before the first step.

    Curves have a point every `every` steps; `every` divides the steps.
    """

    words: tuple[str, ...]
    seeds: tuple[int, ...]
    first_seeds: tuple[int, ...]
    rates: tuple[float, ...]
    steps: int
    every: int


_RATES = (1e-4, 1e-3, 1e-2, 1e-1)
_LAYERS = "model.blocks=3"
_DIGITS = ("data=digits", "model.blocks=1", "batch_size=32")
SCALES = {
    PUBLISHED_SCALE: _Scale(
        ("data=mnist", _LAYERS, "batch_size=16"), (0, 1, 2), tuple(range(6)), _RATES, 800, 50
    ),
    SMOKE: _Scale(_DIGITS, (0, 1), (0, 1), (1e-4, 1e-1), 40, 10),
}
# Chose images, steps and examples; `pilot.csv` beside the published tables is what it gave.
PILOT = _Scale(("data=cifar10", _LAYERS, "batch_size=32"), (100, 101), (), _RATES, 200, 50)


class OutputRow(NamedTuple):
    """One of the first training examples, at initialization: |dL/d output|, by class.

    L is the example's own cross-entropy; the 64 examples of a map are normalized together.
    """

    seed: int
    network: str
    example: int
    gradients: tuple[float, ...]


class CurveRow(NamedTuple):
    """Loss and accuracy on the training mini-batches since the point before.

    Not a number where the network diverged, which ends its curve.
    """

    seed: int
    network: str
    rate: float
    step: int
    loss: float
    accuracy: float


class EndRow(NamedTuple):
    """A training at its end: accuracies; not a number where it diverged.

    On the mini-batches of the last tenth of the steps, and on all test images, with moving
    averages.
    """

    seed: int
    network: str
    rate: float
    train_accuracy: float
    accuracy: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `outputs.csv`, `curves.csv`, `ends.csv` and `setting.csv` in `folder`."""
    size = SCALES[scale]
    outputs: list[OutputRow] = []
    rows: list[CurveRow | EndRow] = []
    for network in map(partial(_Network, size), NETWORKS):
        for seed in size.first_seeds:
            network.begin(seed, size.rates[0])
            outputs += network.outputs()
        rows += trained(network)
    _write_outputs(folder / "outputs.csv", outputs)
    curves = [row for row in rows if isinstance(row, CurveRow)]
    ends = [row for row in rows if isinstance(row, EndRow)]
    write_table(folder / "curves.csv", CurveRow._fields, curves, digits={"loss": 5})
    write_table(folder / "ends.csv", EndRow._fields, ends)
    _write_setting(folder / "setting.csv", size)


def pilot(folder: Path) -> None:
    """Leave `pilot.csv` in `folder`."""
    rows = [row for name in NETWORKS for row in trained(_Network(PILOT, name))]
    ends = [row for row in rows if isinstance(row, EndRow)]
    write_table(folder / "pilot.csv", EndRow._fields, ends)


class _Network:
    """One of the networks, compiled once for all seeds and rates."""

    def __init__(self, size: _Scale, name: str) -> None:
        self.size, self.name = size, name
        self.engine = build_engine(_composition(size, name))
        self._initial, self._probe = self.engine.variables(), build_probe(self.engine)

    def begin(self, seed: int, rate: float) -> None:
        """Let it have the weights and mini-batches of a seed, before the first step."""
        begin(self.engine, _composition(self.size, self.name, seed, rate), self._initial)

    def outputs(self) -> Iterator[OutputRow]:
        """What the first examples ask of the outputs, from where the network stands."""
        batch = self._first_examples()
        (logits,) = self._probe.logits(self._probe.point[None], batch, "batch")
        for example, row in enumerate(np.abs(output_gradients(logits, batch))):
            yield OutputRow(self.engine.config.seed, self.name, example, tuple(row.tolist()))

    def _first_examples(self) -> Batch:
        order, split = self.engine.order, self.engine.dataset.train
        indices = order.indices(0, _MAP_EXAMPLES // order.batch_size).ravel()
        return Batch(read_images(split, indices), split.labels[indices])

    def train(self) -> tuple[list[Segment], int | None]:
        """The training from where it begins, in segments, and the step at which it diverges."""
        segments: list[Segment] = []
        for start in range(0, self.size.steps, self.engine.segment_steps):
            stop = min(start + self.engine.segment_steps, self.size.steps)
            segments.append(self.engine.train(start, stop))
            if segments[-1].diverged_at_step is not None:
                break
        return segments, segments[-1].diverged_at_step


def output_gradients(logits: np.ndarray, batch: Batch) -> np.ndarray:
    """The derivative of each example's cross-entropy by its outputs, (examples, classes).

    It is the softmax minus 1 at the label.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    likely = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    return np.asarray(likely - np.eye(logits.shape[1])[batch.labels])


def trained(network: _Network) -> Iterator[CurveRow | EndRow]:
    """The curve and the end of every seed and rate."""
    size = network.size
    for seed, rate in product(size.seeds, size.rates):
        network.begin(seed, rate)
        yield from _training(network, seed, rate)


def _training(network: _Network, seed: int, rate: float) -> Iterator[CurveRow | EndRow]:
    key, size, engine = (seed, network.name, rate), network.size, network.engine
    segments, diverged_at = network.train()
    losses = np.concatenate([each.loss for each in segments]).astype(np.float64)
    hits = np.concatenate([each.num_correct for each in segments]) / engine.order.batch_size
    for stop in range(size.every, (diverged_at or size.steps + 1), size.every):
        of_point = slice(stop - size.every, stop)
        yield CurveRow(*key, stop, float(losses[of_point].mean()), float(hits[of_point].mean()))
    if diverged_at is not None:
        yield CurveRow(*key, diverged_at, np.nan, np.nan)
        yield EndRow(*key, np.nan, np.nan)
        return
    last = float(hits[-round(_LAST_SHARE * size.steps) :].mean())
    yield EndRow(*key, last, engine.score(engine.dataset.evaluation)[1])


def _composition(size: _Scale, name: str, seed: int = 0, rate: float = _RATES[0]) -> Composition:
    own = (NETWORKS[name], f"train_steps={size.steps}", f"learning_rate={rate}", f"seed={seed}")
    return compose([*_WORDS, *size.words, *own])


def _write_outputs(path: Path, rows: list[OutputRow]) -> None:
    classes = [f"class_{number}" for number in range(len(rows[0].gradients))]
    flat = [(*row[:-1], *row.gradients) for row in rows]
    write_table(path, (*OutputRow._fields[:-1], *classes), flat, digits=dict.fromkeys(classes, 3))


def _write_setting(path: Path, size: _Scale) -> None:
    config = _composition(size, "plain").config
    shared = (config.data.name, size.steps, config.batch_size, 6 * config.model.blocks + 2)
    write_table(path, ("data", "train_steps", "batch_size", "layers"), [shared])
