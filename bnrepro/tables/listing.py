"""`bnrepro runs`: which runs there are, how far each is, filtered by its config."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bnrepro.config import KEYS, ConfigError, absent_values, did_you_mean, first_few, flatten
from bnrepro.config.naming import variant_values
from bnrepro.config.overrides import Override
from bnrepro.records.lock import is_held
from bnrepro.records.record import STATUSES, RecordError, RunRecord, read_record
from bnrepro.records.run_directory import read_config
from bnrepro.screen import duration, percent

COLUMNS = (
    "name",
    "seed",
    "status",
    "date",
    "steps",
    "train_steps",
    "best_accuracy",
    "final_accuracy",
    "seconds",
    "directory",
)
# Of a run whose record cannot be read, and of one that has none.
UNREADABLE, STARTED = "unreadable", "started"
STATES = (*STATUSES, STARTED, UNREADABLE)
_DASH = "\N{EN DASH}"
# What is known of a run by its record, not by its config.
_OF_RECORDS = ("experiment", "scale")


@dataclass(frozen=True)
class Listed:
    """One run. `date` is when its record, else its config, was last written; `record` is None
    where there is none that can be read, and `error` says why."""

    directory: Path
    status: str
    date: datetime
    config: Mapping[str, Any]
    record: RunRecord | None = None
    error: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.directory.parent.name

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.directory.name.removeprefix("seed_"))

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of `COLUMNS`; None where nothing is known."""
        record, planned = self.record, self.config.get("train_steps")
        known: tuple[Any, ...] = (None, planned, None, None, None)
        if record is not None:
            seconds = record.seconds.get("total")
            accuracies = (record.best_accuracy, record.final_accuracy)
            known = (record.train_steps, planned, *accuracies, seconds)
        date = self.date.isoformat(sep=" ", timespec="seconds")
        return (self.name, self.seed, self.status, date, *known, str(self.directory))


def listed(
    results_dir: str,
    *,
    patterns: Sequence[str] = (),
    filters: Sequence[Override] = (),
    status: str | None = None,
) -> list[Listed]:
    """The runs below `results_dir`, those last written at the end; runs moved aside are left out.

    Of a pattern, and of the values of a filter, one must be met; of several filters all.

    Raises:
        ConfigError: if a filter is of a key that no record holds, or a pattern names no run.
    """
    for one in filters:
        said = KEYS.get(one.key)
        if said is not None and not said.recorded:
            raise ConfigError(f"{one}: no record says it; leave it out")
    found = [_read(path) for path in Path(results_dir).glob("runs/*/seed_*") if _is_run(path)]
    for pattern in patterns:
        if not any(_is_called(run, pattern) for run in found):
            names = sorted({run.name for run in found})
            raise ConfigError(
                f"{pattern}: no run of that name; expected one of {first_few(names) or 'none yet'}"
                f"{did_you_mean(pattern, names)}"
            )
    chosen = [
        run
        for run in found
        if (not patterns or any(_is_called(run, pattern) for pattern in patterns))
        and (status is None or run.status == status)
        and all(_meets(run, one) for one in filters)
    ]
    return sorted(chosen, key=lambda run: (run.date, run.directory))


def to_lines(runs: Sequence[Listed], width: int | None = None) -> Iterator[str]:
    """A line a run, its name last: it may be long, and is not to push numbers out of columns.

    Where not all lines are as short as `width`, each name has a line of its own.
    """
    if not runs:
        return
    titles = ["state", "date", "steps", "best", "time", "name"]
    rows = [list(_cells(run)) for run in runs]
    columns = [titles, *rows]
    sizes = [max(map(len, column)) for column in zip(*columns, strict=True)]
    are_apart = width is not None and sum(sizes) + 2 * (len(sizes) - 1) > width
    for state, *numbers, name in columns:
        right = [cell.rjust(size) for cell, size in zip(numbers, sizes[1:-1], strict=True)]
        line = "  ".join([state.ljust(sizes[0]), *right])
        yield from (line, f"    {name}") if are_apart else (f"{line}  {name}",)


def _cells(run: Listed) -> Iterator[str]:
    record, planned = run.record, run.config.get("train_steps")
    yield run.status
    yield run.date.strftime("%Y-%m-%d %H:%M")
    if record is None:
        yield from (_DASH, _DASH, _DASH)
    else:
        done = f"{record.train_steps:,}"
        yield done if record.train_steps == planned or planned is None else f"{done} of {planned:,}"
        yield _DASH if record.best_accuracy is None else percent(record.best_accuracy)
        seconds = record.seconds.get("total")
        yield _DASH if seconds is None else duration(seconds)
    yield f"{run.name} seed {run.seed}"


def to_csv(runs: Sequence[Listed]) -> str:
    """The columns of `COLUMNS`; empty where nothing is known."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *(run.values for run in runs)])
    return text.getvalue()


def _is_run(directory: Path) -> bool:
    # What `force` moved aside is called seed_0.<time>.aside.
    files = [directory / name for name in ("record.json", "config.yaml")]
    return directory.name.removeprefix("seed_").isdigit() and any(map(Path.exists, files))


def _read(directory: Path) -> Listed:
    try:
        record = read_record(directory) if (directory / "record.json").exists() else None
    except RecordError as error:
        return Listed(directory, UNREADABLE, _date(directory), {}, error=str(error))
    if record is not None:
        return Listed(directory, record.status, _date(directory), _config(record.config), record)
    status = "running" if is_held(directory) else STARTED
    try:
        config = _config(read_config(directory / "config.yaml"))
    except ConfigError:
        config = {}
    return Listed(directory, status, _date(directory), config)


def _config(recorded: dict[str, Any]) -> dict[str, Any]:
    return {**absent_values(), **flatten(recorded)}


def _date(directory: Path) -> datetime:
    files = [directory / name for name in ("record.json", "config.yaml")]
    there = [path for path in files if path.exists()]
    return datetime.fromtimestamp([*there, directory][0].stat().st_mtime)


def _is_called(run: Listed, pattern: str) -> bool:
    names = [run.name, run.record.experiment if run.record else None]
    return any(name is not None and fnmatchcase(name, pattern) for name in names)


def _meets(run: Listed, wanted: Override) -> bool:
    """Whether a run's config has one of the values; a group's choice stands for what it sets."""
    if wanted.key in _OF_RECORDS:
        return getattr(run.record, wanted.key, None) in wanted.values
    if wanted.key == "bn":
        found = {**run.config, "accelerate": sorted(run.config.get("accelerate", []))}
        return any(
            all(found.get(key) == value for key, value in variant_values(choice).items())
            for choice in wanted.values
        )
    key = wanted.key if wanted.key in KEYS else f"{wanted.key}.name"
    return run.config.get(key) in wanted.values
