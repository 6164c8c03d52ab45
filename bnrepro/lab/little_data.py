"""Networks that learn a few training images by heart: how they are scored, and on which images.

Where a rate is chosen, it is by training images that no network is trained on; the evaluation split
has no part in it.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from bnrepro import data
from bnrepro.data import Split
from bnrepro.data.dataset import parted
from bnrepro.engine import Engine
from bnrepro.lab import grid
from bnrepro.lab.tables import write_table

# Three hidden layers of 100 ReLU units. The rate falls to a hundredth, so that what is judged does
# not depend on where the last step went.
NETWORK = (
    *("model=mlp", "activation=relu", "initializer=he", "optimizer=sgd"),
    *("schedule=cosine", "schedule.decay_rate=0.01"),
)
# In place of it, for a GPU.
CNN = ("model=cnn", "data=cifar10")
WITH_OR_WITHOUT = {"plain": "bn=none", "batch normalization": "bn=x1"}
# What is tried: a rate, or a penalty and a rate.
Choice = TypeVar("Choice", float, tuple[float, float])
# Images for the choice of a rate.
_HELD_OUT = 5_000


class Outcome(NamedTuple):
    """What a network does after its training; nan if it diverged.

    `accuracy` is on the test images as the network infers, with moving averages where there are
    such. The other numbers are with Algorithm 2's statistics over all training images, dropout off;
    without batch normalization there is one way to infer, and `population` is `accuracy`.
    """

    accuracy: float
    population: float
    loss: float
    train_accuracy: float
    train_loss: float


def outcome(trained: grid.Trained) -> Outcome:
    """The outcome of a training; to be asked before the next block begins."""
    if trained.diverged_at is not None:
        return Outcome(*(math.nan,) * 5)
    population = with_population(trained.engine)
    is_normalized = bool(trained.engine.network.batch_normalizations)
    return Outcome(trained.score()[1] if is_normalized else population[0], *population)


def with_population(engine: Engine) -> tuple[float, float, float, float]:
    """Accuracy and loss on the test images, then on the training images.

    With Algorithm 2's statistics over all training images, where there is batch normalization.
    """
    is_normalized = engine.network.batch_normalizations
    batches = engine.order.steps_per_epoch
    statistics = engine.population_statistics(batches) if is_normalized else []
    with engine.inferring_with(statistics):
        loss, accuracy = engine.score(engine.dataset.evaluation)
        train_loss, train_accuracy = engine.score(engine.dataset.train)
    return accuracy, loss, train_accuracy, train_loss


def lasting(steps: int) -> tuple[str, str]:
    """The words of a training of so many steps."""
    return f"train_steps={steps}", f"schedule.decay_steps={steps}"


def left_out(*words: str) -> Split:
    """Training images of the data set that no network of those words is trained on."""
    config = grid.recipe(*NETWORK, *words).data
    everything = data.load(replace(config, train_examples=None)).train
    _, others = parted(everything, config.train_examples or len(everything.labels))
    return others.take(np.arange(min(_HELD_OUT, len(others.labels))))


def best(accuracies: Iterable[tuple[Choice, float]]) -> Choice:
    """What has the best sum of accuracies over its seeds; the smaller one of two that are as good.

    `accuracies` are those of single networks on images held out, each with what it tries.
    """
    sums: dict[Choice, float] = {}
    for choice, accuracy in accuracies:
        sums[choice] = sums.get(choice, 0) + accuracy
    return min(sums, key=lambda choice: (-sums[choice], choice))


def accuracy_on(trained: grid.Trained, held_out: Split) -> float:
    """The accuracy on images held out, as the network infers; 0 if it diverged."""
    return 0.0 if trained.diverged_at is not None else trained.engine.score(held_out)[1]


def write_setting(folder: Path, *words: str) -> None:
    """Leave in `setting.csv` what all networks of those words share."""
    config = grid.recipe(*NETWORK, *words)
    shared = {
        "data": config.data.name,
        "model": config.model.name,
        "train_examples": config.data.train_examples,
        "train_steps": config.train_steps,
        "batch_size": config.batch_size,
    }
    write_table(folder / "setting.csv", tuple(shared), [tuple(shared.values())])
