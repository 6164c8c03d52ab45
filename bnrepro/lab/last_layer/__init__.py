"""G3: how much of what batch normalization gains on little data the last layer alone can give.

After Dauphin and Cubuk (ICLR 2021): what grows without bound is the last layer's values. Each
variant is a network without batch normalization and one thing done about its last layer
(`networks`), beside dropout there and the whole of batch normalization.

The specification has the VGG network at an eighth of its width, 10,000 images of CIFAR-10 and 3,000
steps for each of 120 trainings: hours of a core. Here it is that network on 1,000 of these images
at half of their height and width, in 600 steps. Each variant has its own best of three rates, and
of three weights of its penalty, chosen on seeds of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from bnrepro import data, models
from bnrepro.config.composition import Composition, compose
from bnrepro.data import Split
from bnrepro.engine import Engine, optimizers
from bnrepro.engine import build as build_engine
from bnrepro.engine.batch import read_images
from bnrepro.lab.grid import Trained
from bnrepro.lab.last_layer import networks
from bnrepro.lab.little_data import (
    Outcome,
    accuracy_on,
    best,
    lasting,
    left_out,
    outcome,
    write_setting,
)
from bnrepro.lab.setting import begin
from bnrepro.lab.tables import write_table
from bnrepro.models import Network
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "How much of what batch normalization does for generalization is had by keeping the last "
    "layer alone from growing?"
)


@dataclass(frozen=True)
class Variant:
    """One thing done about the last layer; `penalties` are the weights that it may have."""

    words: Sequence[str] = ("bn=none",)
    change: Callable[[Network, float], Network] = networks.watched
    begin: Callable[[Engine], None] = lambda engine: None
    penalties: Sequence[float] = (0.0,)


_PENALTIES = (1e-3, 1e-2, 1e-1)
VARIANTS = {
    "none": Variant(),
    "INIT": Variant(begin=networks.scale_logits),
    "INIT 0": Variant(begin=networks.silence_logits),
    "EL2": Variant(change=networks.with_embedding_penalty, penalties=_PENALTIES),
    "FL2": Variant(change=networks.with_logits_penalty, penalties=_PENALTIES),
    "STD": Variant(change=networks.with_normalized_embedding),
    "dropout": Variant(("bn=none", "dropout=0.5")),
    "BN": Variant(("bn=x1",)),
}
_TRAINING = (
    *("activation=relu", "initializer=he", "optimizer=momentum", "threads=1"),
    *("schedule=cosine", "schedule.decay_rate=0.01", "input_normalization=true"),
)


@dataclass(frozen=True)
class Setting:
    """What is trained at a scale; images are of half their size where `halves`."""

    seeds: Sequence[int]
    choosing_seeds: Sequence[int]
    rates: Sequence[float]
    seen_at: Sequence[int]
    words: Sequence[str]
    halves: bool


SETTINGS = {
    PUBLISHED_SCALE: Setting(
        (0, 1, 2, 3, 4, 5),
        (100, 101),
        (0.005, 0.015, 0.05),
        (0, 50, 150, 300, 450, 600),
        (
            *("model=vgg_a", "model.width=0.125", "data=cifar10", "data.train_examples=1000"),
            *("data.flip=false", "data.crop_padding=0", *lasting(600), "batch_size=32"),
        ),
        halves=True,
    ),
    SMOKE: Setting(
        (0, 1),
        (100,),
        (0.01,),
        (0, 20, 60),
        (
            *("model=mlp", "data=digits", "data.train_examples=500"),
            *(*lasting(60), "batch_size=50"),
        ),
        halves=False,
    ),
}
# Values of h and f are seen on so many mini-batches as one, the first of each seed's training; test
# accuracy in the course of a training is on so many images, the first ones.
_SEEN_BATCHES, _SEEN_TEST = 10, 1000


class Tried(NamedTuple):
    """One network that chose rate and penalty, by its accuracy on the images held out."""

    variant: str
    penalty: float
    rate: float
    seed: int
    held_out_accuracy: float


class Seen(NamedTuple):
    """A network in the course of its training.

    `embedding` and `logits` are the mean lengths |h| and |f| over training images, in the mode in
    which it trains, dropout off. The rest is with Algorithm 2's statistics, `accuracy` on the
    first test images.
    """

    embedding: float
    logits: float
    train_loss: float
    train_accuracy: float
    accuracy: float


# A row a network after its training, and one for each look at it before.
COLUMNS = ("variant", "penalty", "rate", "seed", *Outcome._fields)
COURSE_COLUMNS = ("variant", "seed", "step", *Seen._fields)
_DIGITS = dict.fromkeys(("embedding", "logits", "train_loss"), 4)


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `rates.csv`, `variants.csv`, `course.csv` and `setting.csv` in `folder`."""
    leave(folder, SETTINGS[scale])


def leave(folder: Path, setting: Setting) -> None:
    """Leave the tables of a setting in `folder`."""
    held_out = _sized(left_out(*setting.words), setting)
    tried: list[Tried] = []
    rows: list[tuple[object, ...]] = []
    course: list[tuple[object, ...]] = []
    for name, variant in VARIANTS.items():
        trainers = [_Trainer(name, penalty, setting) for penalty in variant.penalties]
        own = [one for trainer in trainers for one in trainer.choices(held_out)]
        penalty, rate = best_penalty_and_rate(own)
        (trainer,) = (each for each in trainers if each.penalty == penalty)
        for seed in setting.seeds:
            one = trainer.train(rate, seed, setting.seen_at)
            rows.append((name, penalty, rate, seed, *outcome(one)))
            course += [(name, seed, step, *seen) for step, seen in one.seen.items()]
        tried += own
        # They grow: what is done can be looked at while the others train.
        write_table(folder / "rates.csv", Tried._fields, tried)
        write_table(folder / "variants.csv", COLUMNS, rows)
        write_table(folder / "course.csv", COURSE_COLUMNS, course, digits=_DIGITS)
    write_setting(folder, *setting.words)


def best_penalty_and_rate(tried: Sequence[Tried]) -> tuple[float, float]:
    """Penalty and rate of the best accuracies."""
    return best(((one.penalty, one.rate), one.held_out_accuracy) for one in tried)


def composition(name: str, rate: float, seed: int, setting: Setting) -> Composition:
    """What trains one of the networks, whose last layer is changed when it is built."""
    own = (f"learning_rate={rate}", f"seed={seed}", f"backend={keras.config.backend()}")
    return compose([*_TRAINING, *setting.words, *VARIANTS[name].words, *own])


def build(variant: Variant, penalty: float, composed: Composition, setting: Setting) -> Engine:
    """The engine of a variant."""
    config = composed.config.accelerated()
    dataset = data.load(config.data)
    dataset = replace(
        dataset,
        train=_sized(dataset.train, setting),
        evaluation=_sized(dataset.evaluation, setting),
    )
    _, *shape = dataset.train.images.shape
    network = models.build(config, (shape[0], shape[1], shape[2]), dataset.num_classes)
    changed = variant.change(network, penalty)
    return build_engine(changed, optimizers.build(config), dataset, config)


def _sized(split: Split, setting: Setting) -> Split:
    """Its images, at half of their height and width where the setting has them so."""
    return Split(halved(np.asarray(split.images)), split.labels) if setting.halves else split


def halved(images: np.ndarray) -> np.ndarray:
    """Images of half the height and width, each pixel the mean of four; uint8."""
    count, height, width, channels = images.shape
    parts = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    return np.rint(parts.mean(axis=(2, 4))).astype(np.uint8)


class _Trainer:
    """One variant, compiled once for all rates and seeds."""

    def __init__(self, name: str, penalty: float, setting: Setting) -> None:
        keras.utils.clear_session(free_memory=False)
        self.penalty, self._name, self._setting = penalty, name, setting
        composed = composition(name, setting.rates[0], setting.seeds[0], setting)
        self._engine = build(VARIANTS[name], penalty, composed, setting)
        self._initial = self._engine.variables()

    def choices(self, held_out: Split) -> Iterator[Tried]:
        """What a rate is chosen by: a row for each, and for each of the seeds that choose."""
        setting = self._setting
        for rate, seed in product(setting.rates, setting.choosing_seeds):
            accuracy = accuracy_on(self.train(rate, seed), held_out)
            yield Tried(self._name, self.penalty, rate, seed, accuracy)

    def train(self, rate: float, seed: int, seen_at: Sequence[int] = ()) -> Trained:
        """A whole training; what was seen stands in `seen`, before it diverged if it did."""
        engine = self._engine
        begin(engine, composition(self._name, rate, seed, self._setting), self._initial)
        VARIANTS[self._name].begin(engine)
        trained = Trained(engine.config, engine)
        last = engine.config.train_steps
        stops = sorted({*range(0, last, engine.segment_steps), *seen_at, last})
        for start, stop in pairwise(stops):
            if start in seen_at:
                trained.seen[start] = observe(engine)
            trained.diverged_at = engine.train(start, stop).diverged_at_step
            if trained.diverged_at is not None:
                return trained
        if last in seen_at:
            trained.seen[last] = observe(engine)
        return trained


def observe(engine: Engine) -> Seen:
    """A look at a network; nothing of it changes."""
    rows = engine.population_batches(_SEEN_BATCHES).ravel()
    values = engine.pre_activations(read_images(engine.dataset.train, rows))
    lengths = {name: np.linalg.norm(value, axis=1).mean() for name, value in values.items()}
    test = engine.dataset.evaluation
    test = test.take(np.arange(min(_SEEN_TEST, len(test.labels))))
    is_normalized = engine.network.batch_normalizations
    batches = engine.order.steps_per_epoch
    with engine.inferring_with(engine.population_statistics(batches) if is_normalized else []):
        train_loss, train_accuracy = engine.score(engine.dataset.train)
        _, accuracy = engine.score(test)
    return Seen(
        float(lengths[networks.EMBEDDING]),
        float(lengths[networks.LOGITS]),
        train_loss,
        train_accuracy,
        accuracy,
    )
