"""F1: what a learning rate that is off costs, by optimizer, with and without batch normalization.

The network is that of the paper's figure 1, 3 hidden layers of 100 units, with sigmoid and with
ReLU; its kernels are drawn with deviations that suit either. Rates are constant.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bnrepro.config import Recipe
from bnrepro.lab import grid
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "Over how many decades of the learning rate does a network train as well as at its best rate, "
    "with each optimizer, with and without batch normalization?"
)

# The exponent of ten of the smallest rate of an optimizer: half decades from there on, chosen by
# the pilot so that best rates lie inside. RMSprop and Adam divide by the gradient's size, so that
# their rates are lengths of steps; the pilot began theirs at -5 and found the upper end cut off.
SMALLEST_RATES = {
    "sgd": -2.0,
    "momentum": -3.0,
    "nesterov": -3.0,
    "adagrad": -3.0,
    "rmsprop": -4.0,
    "adam": -4.0,
}
NUM_RATES = 9
NETWORKS = {"plain": "bn=none", "batch normalization": "bn=x1"}
# Activation: initial weights.
ACTIVATIONS = {"sigmoid": "glorot", "relu": "he"}


# Those that a criterion judges; the others are beside them, on fewer seeds.
_JUDGED = ("sgd", "momentum", "adam")


class Setting(NamedTuple):
    """What is trained at a scale."""

    seeds: Sequence[int]
    seeds_beside: Sequence[int]
    words: Sequence[str]


SETTINGS = {
    PUBLISHED_SCALE: Setting(
        (0, 1, 2, 3, 4, 5), (0, 1, 2), ("data=mnist", "train_steps=400", "batch_size=60")
    ),
    SMOKE: Setting((0, 1), (0,), ("data=digits", "train_steps=60", "batch_size=60")),
}
# Chose the windows of rates; `pilot.csv` beside the published tables is what it gave.
PILOT = Setting((100,), (100,), ("data=mnist", "train_steps=150", "batch_size=60"))


class Row(NamedTuple):
    """One network after its training; what a network that diverged lacks is nan.

    Norms are of all hidden kernels together, before the first step and after the last.
    """

    activation: str
    optimizer: str
    network: str
    rate: float
    seed: int
    accuracy: float
    train_loss: float
    norm_before: float
    norm_after: float
    diverged_at: float


COLUMNS = Row._fields


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `rates.csv` in `folder`, a row a network, and `setting.csv`."""
    setting = SETTINGS[scale]
    grid.write(folder, "rates.csv", COLUMNS, rows(setting), "model=mlp", *setting.words)


def rows(setting: Setting) -> Iterator[Row]:
    """Every activation, optimizer and network: all rates and seeds of it are one program."""
    for activation, optimizer, network in product(ACTIVATIONS, SMALLEST_RATES, NETWORKS):
        seeds = setting.seeds if optimizer in _JUDGED else setting.seeds_beside
        recipes = [
            recipe(activation, optimizer, network, rate, seed, setting.words)
            for seed in seeds
            for rate in rates(optimizer)
        ]
        observed_at = (0, recipes[0].train_steps)
        for trained in grid.train(recipes, NUM_RATES, grid.kernel_norm, observed_at):
            yield _row(activation, optimizer, network, trained)


def rates(optimizer: str) -> list[float]:
    """The rates of an optimizer, in ascending order, three digits each."""
    smallest = SMALLEST_RATES[optimizer]
    return [float(f"{10 ** (smallest + place / 2):.3g}") for place in range(NUM_RATES)]


def recipe(
    activation: str,
    optimizer: str,
    network: str,
    rate: float,
    seed: int,
    words: Sequence[str],
) -> Recipe:
    """What trains one of the networks."""
    return grid.recipe(
        "model=mlp",
        *words,
        f"activation={activation}",
        f"initializer={ACTIVATIONS[activation]}",
        f"optimizer={optimizer}",
        NETWORKS[network],
        f"learning_rate={rate}",
        f"seed={seed}",
    )


def _row(activation: str, optimizer: str, network: str, trained: grid.Trained) -> Row:
    config, nan = trained.config, float("nan")
    return Row(
        activation,
        optimizer,
        network,
        config.learning_rate,
        config.seed,
        trained.score()[1],
        trained.last_loss,
        trained.seen[0],
        trained.seen.get(config.train_steps, nan),
        nan if trained.diverged_at is None else float(trained.diverged_at),
    )
