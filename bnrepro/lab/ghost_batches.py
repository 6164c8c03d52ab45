"""G2: statistics over parts of a mini-batch (ghost batches), the gradient over all of it.

Rate, number of steps and mini-batches stay; only over whom the statistics go changes (Hoffer et al.
2017, arXiv 1705.08741). Two controls take that apart. `noise` normalizes by the whole mini-batch
and draws the noise that statistics of so few examples would have (X7): what it does is noise,
whoever is in the mini-batch. `fixed` lets the same examples share a mini-batch and a part of it in
every epoch: an example is normalized over as few, but never sees others. The network without
normalization, with mini-batches drawn anew and fixed, says what a fixed order does by itself.

It is a fully connected network on 1,024 images of MNIST, which mini-batches of 256 go through in
four steps: convolutions do not train as one program on a CPU. At scale=gpu it is the small cnn on
CIFAR-10, in mini-batches of 512. One rate for all, the best of three with statistics over whole
mini-batches, chosen on seeds of its own; without normalization likewise.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bnrepro.config import Recipe
from bnrepro.data import Split
from bnrepro.lab import grid
from bnrepro.lab.dropout import FEWER_RATES, RATES, RATES_OF_CNN
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
    "Does batch normalization regularize because an example is seen together with others, and is "
    "it the noise of their statistics that does it?"
)

# Which network of `little_data`, and what its recipe has beside that.
_KINDS = {
    "ghosts": ("batch normalization", ()),
    "noise": ("batch normalization", ("normalization=noisy_statistics",)),
    "fixed": ("batch normalization", ("shuffle=shards",)),
    "plain": ("plain", ()),
    "plain, fixed": ("plain", ("shuffle=shards",)),
}


class Setting(NamedTuple):
    """What is trained at a scale; as many networks choose a rate as are trained with it.

    The first of `sizes` is the whole mini-batch; `controlled` are those at which there are controls
    with batch normalization.
    """

    seeds: Sequence[int]
    choosing_seeds: Sequence[int]
    rates: Mapping[str, Sequence[float]]
    sizes: Sequence[int]
    controlled: Sequence[int]
    words: Sequence[str]


SETTINGS = {
    PUBLISHED_SCALE: Setting(
        (0, 1, 2, 3, 4, 5),
        (100, 101),
        RATES,
        (256, 64, 16, 8, 4),
        (16, 4),
        ("data=mnist", "data.train_examples=1024", *lasting(300), "batch_size=256"),
    ),
    SMOKE: Setting(
        (0, 1),
        (100,),
        FEWER_RATES,
        (64, 16, 4),
        (16,),
        ("data=digits", "data.train_examples=512", *lasting(60), "batch_size=64"),
    ),
    GPU: Setting(
        (0, 1, 2, 3, 4, 5),
        (100, 101),
        RATES_OF_CNN,
        (512, 128, 32, 8, 4),
        (32, 8),
        (*CNN, "data.train_examples=5120", *lasting(1500), "batch_size=512"),
    ),
}


class Tried(NamedTuple):
    """One network that chose a rate, by its accuracy on the images held out."""

    network: str
    rate: float
    seed: int
    held_out_accuracy: float


# A row a network after its training; `size` is how many examples statistics go over.
COLUMNS = ("kind", "size", "rate", "seed", *Outcome._fields)


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `rates.csv` and `sizes.csv` in `folder`, a row a network, and `setting.csv`."""
    setting = SETTINGS[scale]
    held_out = left_out(*setting.words)
    tried: list[Tried] = []
    rows: list[tuple[object, ...]] = []
    for network in WITH_OR_WITHOUT:
        program = grid.Program()
        own = list(_tried(program, network, setting, held_out))
        rate = best_rate(own)
        tried += own
        for kind, size in _with_whole_batches(network, setting):
            rows += _rows(program, kind, size, rate, setting)
    for kind, sizes in (("ghosts", setting.sizes[1:]), ("noise", setting.controlled)):
        for size in sizes:
            program = grid.Program()
            rows += _rows(program, kind, size, rate, setting)
            if kind == "ghosts" and size in setting.controlled:
                rows += _rows(program, "fixed", size, rate, setting)
    write_table(folder / "rates.csv", Tried._fields, tried)
    write_table(folder / "sizes.csv", COLUMNS, rows)
    write_setting(folder, *setting.words)


def _with_whole_batches(network: str, setting: Setting) -> list[tuple[str, int]]:
    """What trains by the program of the network that chose the rate."""
    whole = setting.sizes[0]
    if network == "plain":
        return [("plain", whole), ("plain, fixed", whole)]
    return [("ghosts", whole), ("fixed", whole)]


def best_rate(tried: Sequence[Tried]) -> float:
    """The rate of the best accuracies."""
    return best((one.rate, one.held_out_accuracy) for one in tried)


def recipe(kind: str, size: int, rate: float, seed: int, setting: Setting) -> Recipe:
    """What trains one of the networks; statistics over all of a mini-batch are said as such."""
    network, words = _KINDS[kind]
    parts = "null" if size == setting.sizes[0] else str(size)
    return grid.recipe(
        *NETWORK,
        *setting.words,
        WITH_OR_WITHOUT[network],
        *words,
        f"batch_normalization.statistics_batch={parts}",
        f"learning_rate={rate}",
        f"seed={seed}",
    )


def _tried(
    program: grid.Program, network: str, setting: Setting, held_out: Split
) -> Iterator[Tried]:
    kind = "plain" if network == "plain" else "ghosts"
    each = [(rate, seed) for rate in setting.rates[network] for seed in setting.choosing_seeds]
    whole = setting.sizes[0]
    trained = program.train([recipe(kind, whole, *one, setting) for one in each])
    for (rate, seed), one in zip(each, trained, strict=True):
        yield Tried(network, rate, seed, accuracy_on(one, held_out))


def _rows(
    program: grid.Program, kind: str, size: int, rate: float, setting: Setting
) -> Iterator[tuple[object, ...]]:
    recipes = [recipe(kind, size, rate, seed, setting) for seed in setting.seeds]
    for seed, one in zip(setting.seeds, program.train(recipes), strict=True):
        yield (kind, size, rate, seed, *outcome(one))
