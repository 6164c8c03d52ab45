"""`bnrepro evaluate RUN...`: finished networks scored on other images, or with other statistics."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnrepro.api.trained_model import load_engine
from bnrepro.config import ConfigError, DataConfig, backend
from bnrepro.config.composition import compose
from bnrepro.config.names import SPLITS
from bnrepro.config.overrides import Override, overrides_of
from bnrepro.records.loading import left_out
from bnrepro.records.record import read_record
from bnrepro.records.run_directory import read_config
from bnrepro.screen import percent, printed
from bnrepro.screen.foot import foot

if TYPE_CHECKING:
    from bnrepro.data import Dataset
    from bnrepro.engine import Engine

COLUMNS = ("name", "seed", "data", "split", "images", "inference", "loss", "accuracy", "directory")
TRAIN = "train"
# Which images of a data set can be scored: those trained on, or an evaluation split.
SCORED = (TRAIN, *SPLITS)
# What of the data belongs to the network: it takes its images in this form.
_OF_NETWORK = ("data.binary",)


@dataclass(frozen=True)
class Score:
    """One network on some images: mean cross-entropy, and the share that is right.

    `inference` is `moving_average` or `population`; None where nothing is normalized by batches.
    """

    directory: Path
    data: str
    split: str
    images: int
    inference: str | None
    loss: float
    accuracy: float
    # What a reader must know of the images; empty where that is nothing.
    caution: str = ""

    @property
    def values(self) -> tuple[object, ...]:
        """The values of `COLUMNS`."""
        run = read_record(self.directory)
        return (
            *(run.name, run.seed, self.data, self.split, self.images, self.inference or ""),
            *(self.loss, self.accuracy, str(self.directory)),
        )


def load_framework(directories: Sequence[Path]) -> None:
    """Load what the first run that can be read was trained with, which takes seconds.

    Raises:
        ConfigError: if no config can be read, or another backend is loaded already.
    """
    refused = []
    for directory in directories:
        try:
            config = compose(overrides_of(read_config(directory / "config.yaml"))).config
        except ConfigError as error:
            refused.append(error)
            continue
        backend.select(config)
        import bnrepro.training  # noqa: F401

        return
    raise refused[0]


def evaluate(
    directories: Sequence[Path],
    given: Sequence[Override] = (),
    *,
    split: str | None = None,
    inference: str | None = None,
) -> Iterator[Score]:
    """Score the last weights of finished runs, each with the scaling and statistics of its own.

    Of several, those that cannot be scored are named on standard error.

    Args:
        directories: those of the runs, all of one backend.
        given: `data=...` and its keys; without any, each run's own data.
        split: one of `SCORED`; without it the run's own evaluation split.
        inference: `population` computes Algorithm 2's statistics from the run's training images;
            without it as the run's config infers.

    Raises:
        ConfigError: if none can be scored, because a run has no weights or damaged ones, data
            cannot be read, or the images are not of the size and number of classes that a network
            takes.
    """
    refused = []
    for directory in directories:
        try:
            yield _score(directory, list(given), split, inference)
        except ConfigError as error:
            refused.append(error)
    if len(refused) == len(directories):
        raise refused[0]
    for line in left_out(refused):
        print(printed(line, sys.stderr), file=sys.stderr)


def _score(
    directory: Path, given: list[Override], split: str | None, inference: str | None
) -> Score:
    wanted, name = _data(directory, given, split)
    places = [override for override in given if override.key == "data.root"]
    own_places = [] if any(override.key == "data" for override in given) else places
    try:
        engine = load_engine(directory, overrides=list(map(str, own_places)))
    except FileNotFoundError as error:
        raise ConfigError(str(error)) from error
    dataset = _load(wanted, engine)
    chosen = dataset.train if name == TRAIN else dataset.evaluation
    used = _inference(engine, inference, directory)

    with _statistics(engine, used), foot().doing("evaluating"):
        loss, accuracy = engine.score(chosen)
    caution = _caution(engine.config.data, wanted, name)
    return Score(directory, dataset.name, name, len(chosen.labels), used, loss, accuracy, caution)


def _caution(own: DataConfig, wanted: DataConfig, name: str) -> str:
    """A held-out part of the training set is none for a network that was trained on all of it."""
    held_out = {"test": 0, "tuning": 1, "pilot": 2}  # each holds the one before it
    if name == TRAIN or own.name != wanted.name or own.root != wanted.root:
        return ""
    if held_out[name] <= held_out[own.evaluation_split]:
        return ""
    part = "some of them" if own.evaluation_split != "test" else "them"
    return f"the {name} images are of the training set, and this network was trained on {part}"


def _data(directory: Path, given: list[Override], split: str | None) -> tuple[DataConfig, str]:
    """Which images are asked for, and the name of their split."""
    recorded = overrides_of(read_config(directory / "config.yaml"))
    replaced = any(override.key == "data" for override in given)
    kept = [
        override
        for override in recorded
        if not replaced or override.key in _OF_NETWORK or not f"{override.key}.".startswith("data.")
    ]
    of_split = [Override("data.evaluation_split", (split,))] if split in SPLITS else []
    config = compose([*kept, *given, *of_split]).config.data
    return config, split or config.evaluation_split


def _load(config: DataConfig, engine: "Engine") -> "Dataset":
    from bnrepro import data

    if config == engine.config.data:
        return engine.dataset
    with foot().doing("reading and checking the data"):
        dataset = data.load(config)
    received = (*dataset.train.images.shape[1:], dataset.num_classes)
    taken = (*engine.dataset.train.images.shape[1:], engine.dataset.num_classes)
    if received != taken:
        raise ConfigError(
            f"data={config.name}: the network takes {_in_words(taken)}, got {_in_words(received)}; "
            "choose a data set of this kind"
        )
    return dataset


def _in_words(shape: tuple[int, ...]) -> str:
    height, width, channels, classes = shape
    return f"images of {height} x {width} x {channels} in {classes} classes"


def _inference(engine: "Engine", asked: str | None, directory: Path) -> str | None:
    normalized = bool(engine.network.batch_normalizations)
    if asked is not None and not normalized:
        raise ConfigError(
            f"inference={asked}: {directory} has no batch normalization; leave inference out"
        )
    return (asked or engine.config.batch_normalization.inference) if normalized else None


def _statistics(engine: "Engine", inference: str | None) -> AbstractContextManager[None]:
    from bnrepro.measures.evaluation import population_statistics

    if inference == "population":
        return population_statistics(engine, engine.config)
    return nullcontext()


def to_csv(scores: Sequence[Score]) -> str:
    """The columns of `COLUMNS`; `inference` is empty where nothing is normalized by batches."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *(one.values for one in scores)])
    return text.getvalue()


def lines_of(score: Score) -> tuple[str, str]:
    """The score, and the run that it is of."""
    how = f", {score.inference.replace('_', ' ')} statistics" if score.inference else ""
    return (
        f"{percent(score.accuracy)}  loss {score.loss:.4f}  {score.data} {score.split}, "
        f"{score.images:,} images{how}",
        f"    {score.directory.parent.name} seed {score.directory.name.removeprefix('seed_')}",
    )
