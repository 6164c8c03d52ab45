"""Normalizations in small mini-batches (D1), and in ones that are no sample of the data (D1b).

Batch normalization's statistics are those of a mini-batch: of few examples they are noisy, and of
few classes they are others than those of all images, which inference has to assume. Layer and group
normalization look at one image (Wu and He 2018, arXiv 1803.08494); batch renormalization corrects
what the mini-batch says towards its moving averages (Ioffe 2017, arXiv 1702.03275). Every network
sees equally many images, at rates in proportion to the mini-batch, so that descent without any
normalization is about the same in each. In the second part a mini-batch of 8 has two images each of
four classes (`shuffle=class_pairs`). Groups are of 8 maps or units: one of two units knows which of
them is larger, and nothing else.

The images are the digits of 8 x 8, the network is the small cnn at a quarter of its width: images
in mini-batches of two are the dearest ones of the laboratory. Rates are the specification's, the
length is what that costs; there was no pilot.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bnrepro.config.composition import Composition, compose
from bnrepro.engine import Engine
from bnrepro.lab.setting import advance, begin
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = "Which normalization works in mini-batches that are small, or no sample of the data?"

_NETWORKS = {
    "batch": ("bn=x1",),
    "renorm": ("bn=x1", "normalization=batch_renorm"),
    "group": ("bn=x1", "normalization=group", "group_size=8"),
    "layer": ("bn=x1", "normalization=layer"),
    "none": ("bn=none",),
}
# What is judged has all seeds, at the sizes that are judged; the rest is shown with three.
_JUDGED, _FEWER_SEEDS = {("batch", 2), ("batch", 32), ("group", 2), ("group", 32), ("renorm", 2)}, 3
_PAIRED, _PAIR_BATCH = ("batch", "renorm"), 8
_ORDERS = {"shuffled": "within_shards", "class pairs": "class_pairs"}
# At mini-batches of 32.
_RATE, _RATE_BATCH = 0.05, 32
# Training images of the population statistics, in the mini-batches of the training.
_STATISTICS = 1024


@dataclass(frozen=True)
class Setting:
    """How much is computed."""

    seeds: tuple[int, ...]
    batches: tuple[int, ...]
    examples: int


SETTINGS = {
    PUBLISHED_SCALE: Setting(tuple(range(6)), (2, 8, 32), 8_000),
    SMOKE: Setting((0, 1), (2, 32), 1_600),
}


class Row(NamedTuple):
    """One network after its training: accuracies on all test images, and on those it trained on.

    `population` is with Algorithm 2's statistics, for batch normalization alone.
    """

    seed: int
    network: str
    order: str
    batch: int
    accuracy: float  # as it infers: with moving averages, where there are such
    population: float
    train_accuracy: float  # in mini-batches, over the last quarter of the steps


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `sizes.csv` and `orders.csv` in `folder`."""
    size = SETTINGS[scale]
    sizes = [
        row
        for network in _NETWORKS
        for batch in size.batches
        for row in _trained(size, network, batch, "shuffled", _seeds(size, network, batch))
    ]
    orders = [
        row
        for network in _PAIRED
        for order in _ORDERS
        for row in _trained(size, network, _PAIR_BATCH, order, size.seeds)
    ]
    write_table(folder / "sizes.csv", Row._fields, sizes)
    write_table(folder / "orders.csv", Row._fields, orders)


def _seeds(size: Setting, network: str, batch: int) -> tuple[int, ...]:
    return size.seeds if (network, batch) in _JUDGED else size.seeds[:_FEWER_SEEDS]


def _trained(
    size: Setting, network: str, batch: int, order: str, seeds: tuple[int, ...]
) -> Iterator[Row]:
    """The networks of all seeds, in one engine: it compiles once."""
    steps = size.examples // batch
    first, *others = (_composition(network, batch, order, steps, seed) for seed in seeds)
    engine = build_engine(first)
    initial = engine.variables()
    for seed, composition in zip(seeds, (first, *others), strict=True):
        begin(engine, composition, initial)
        advance(engine, 0, steps - steps // 4)
        right = advance(engine, steps - steps // 4, steps) / (steps // 4 * batch)
        _, accuracy = engine.score(engine.dataset.evaluation)
        yield Row(seed, network, order, batch, accuracy, _with_population(engine), right)


def _composition(network: str, batch: int, order: str, steps: int, seed: int) -> Composition:
    words = [
        *("model=cnn", "model.width=0.25", "data=digits", f"batch_size={batch}", "threads=1"),
        *(f"learning_rate={_RATE * batch / _RATE_BATCH}", f"train_steps={steps}", f"seed={seed}"),
        *(f"shuffle={_ORDERS[order]}", *_NETWORKS[network]),
    ]
    return compose(words)


def _with_population(engine: Engine) -> float:
    """The test accuracy with Algorithm 2's statistics, of mini-batches in the training's order.

    Not a number where nothing is normalized by a mini-batch as Algorithm 2 knows it.
    """
    if not engine.network.batch_normalizations:
        return float("nan")
    statistics = engine.population_statistics(_STATISTICS // engine.order.batch_size)
    with engine.inferring_with(statistics):
        return engine.score(engine.dataset.evaluation)[1]
