"""Class probabilities that runs kept, and the errors of their arithmetic mean (section 4.2.3).

A run keeps them with `save_predictions=true`: `predictions.npz` holds `probabilities`, float16
(examples, classes), and `labels`, int32 (examples,), on its evaluation split.
"""

import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config import ConfigError, first_few, one_line
from bnrepro.records import checksums
from bnrepro.records.again import command
from bnrepro.records.checking import AGAIN
from bnrepro.records.loading import left_out, read_run
from bnrepro.records.record import RecordError, RunRecord, read_record

FILE = "predictions.npz"
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


class ErrorRow(NamedTuple):
    """The shares of examples that one network, or several together, get wrong."""

    model: str
    networks: int
    top1_error: float
    top5_error: float


COLUMNS = ErrorRow._fields


@dataclass(frozen=True)
class Predictions:
    """What one run predicts of every example of its evaluation split."""

    directory: Path
    record: RunRecord
    probabilities: np.ndarray  # (examples, classes), float64
    labels: np.ndarray  # (examples,)

    @property
    def label(self) -> str:
        """The run in words."""
        return f"{self.record.label} seed {self.record.seed}"

    @property
    def examples(self) -> tuple[str, str, tuple[int, ...]]:
        """What must be equal for two runs to be averaged: images, split, and number of both."""
        split = str(self.record.config["data"]["evaluation_split"])
        return str(self.record.data["sha256"]), split, self.probabilities.shape


def read(*directories: Path) -> list[Predictions]:
    """The predictions of the runs in `directories`.

    Runs whose record or predictions cannot be read are left out and named on standard error.

    Raises:
        ConfigError: if one of the runs kept none.
        RecordError: if fewer than two are left where some cannot be read.
    """
    found, lacking, refused = [], [], []
    for directory in directories:
        try:
            record = read_run(directory).record
            if (directory / FILE).exists():
                found.append(_read(directory, record))
            else:
                lacking.append(directory)
        except RecordError as error:
            refused.append(error)
    if lacking:
        raise _nothing_kept(lacking)
    if refused and len(found) < 2:
        raise refused[0]
    for line in left_out(refused):
        print(line, file=sys.stderr)
    return found


def _nothing_kept(lacking: list[Path]) -> ConfigError:
    """What the runs lack, which command trains them with it, and what that costs."""
    records = [read_record(directory) for directory in lacking]
    diverged = [record for record in records if record.status == "diverged"]
    names = first_few(f"{record.label} seed {record.seed}" for record in diverged or records)
    if diverged:
        return ConfigError(f"{names}: no predictions, for it diverged; leave it out")
    again = [record for record in records if record.name == records[0].name]
    seconds = max(record.seconds.get("total", 0.0) for record in again)
    each = f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"
    return ConfigError(
        f"{names}: no predictions, which only save_predictions=true keeps; leave it out, or train "
        f"again, about {each} a run: {_command(lacking[0], again)}"
    )


def _command(directory: Path, again: list[RunRecord]) -> str:
    config = {**again[0].config, "save_predictions": True}
    # Kept, but gone: else it would be another run, under another name.
    forced = [" force=true"] if again[0].config["save_predictions"] else []
    seeds = [record.seed for record in again]
    try:
        return "".join([command(config, seeds, directory.parents[2]), *forced])
    except ConfigError:
        return "the same command with save_predictions=true"


def _read(directory: Path, record: RunRecord) -> Predictions:
    path = directory / FILE
    try:
        checksums.check(directory, FILE)
        with path.open("rb") as stream, np.load(stream) as arrays:
            probabilities = arrays["probabilities"].astype(np.float64)
            labels = arrays["labels"].astype(np.int64)
    except _UNREADABLE as error:
        reason = one_line(error) if isinstance(error, ValueError) else type(error).__name__
        raise RecordError(f"{path}: cannot be read ({reason}); {AGAIN}") from error
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise RecordError(
            f"{path}: expected (examples, classes) and (examples,), "
            f"received {probabilities.shape} and {labels.shape}"
        )
    if not ((labels >= 0) & (labels < probabilities.shape[1])).all():
        raise RecordError(f"{path}: labels beyond the {probabilities.shape[1]} classes")
    if not np.isfinite(probabilities).all():
        raise RecordError(f"{path}: probabilities that are not finite numbers")
    return Predictions(directory, record, probabilities, labels)


def mean_probabilities(members: Sequence[Predictions]) -> np.ndarray:
    """The arithmetic mean of the members' class probabilities, (examples, classes).

    Raises:
        ConfigError: if there are fewer than two members, or they are of different examples.
    """
    if len(members) < 2:
        raise ConfigError(f"an ensemble of {len(members)}: expected at least two runs")
    for member in members[1:]:
        _check_examples(members[0], member)
    return np.mean([member.probabilities for member in members], axis=0)


def top_error(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of examples whose class is not among the `k` most probable ones.

    Among equally probable classes the one with the lower number comes first, as in `argmax`.
    """
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)  # (examples, 1)
    before = np.arange(probabilities.shape[1]) < labels[:, None]
    ahead = (probabilities > own) | ((probabilities == own) & before)
    return float((ahead.sum(axis=1) >= k).mean())


def error_rows(
    members: Sequence[Predictions], names: Sequence[str] | None = None
) -> list[ErrorRow]:
    """Rows of `COLUMNS`: every member alone, their mean error, and the ensemble.

    `names` are what the members are called, else their experiment and seed.

    Raises:
        ConfigError: as `mean_probabilities`.
    """
    names = names or [member.label for member in members]
    labels = members[0].labels if members else np.empty(0)
    averaged = mean_probabilities(members)
    alone = [
        [top_error(member.probabilities, member.labels, k) for k in (1, 5)] for member in members
    ]
    together = [top_error(averaged, labels, k) for k in (1, 5)]
    return [
        *(ErrorRow(name, 1, *errors) for name, errors in zip(names, alone, strict=True)),
        ErrorRow("mean of the single networks", 1, *np.mean(alone, axis=0).round(6).tolist()),
        ErrorRow("ensemble", len(members), *together),
    ]


def _check_examples(first: Predictions, other: Predictions) -> None:
    (digest, split, shape), (other_digest, other_split, other_shape) = (
        first.examples,
        other.examples,
    )
    if shape[1:] != other_shape[1:] or digest != other_digest:
        received = f"{first.record.data['name']} and {other.record.data['name']}"
        what = f"different data ({received}, {digest[:8]} and {other_digest[:8]})"
    elif split != other_split:
        what = f"different evaluation splits ({split} and {other_split})"
    elif shape != other_shape or not np.array_equal(first.labels, other.labels):
        what = f"different examples ({shape[0]:,} and {other_shape[0]:,}, or in another order)"
    else:
        return
    raise ConfigError(
        f"{first.label} and {other.label} were scored on {what}; "
        "an ensemble needs predictions of the same examples: leave one of them out"
    )
