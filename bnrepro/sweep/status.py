"""How far runs are, a line each, read from what they leave: locks, `progress.json`, records.

Of the runs of a grid or a study, or of all that is going on in a results folder.
"""

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bnrepro.config import ConfigError, RunConfig, flatten, to_flat, with_values
from bnrepro.config.backend import available_threads
from bnrepro.config.merging import merge
from bnrepro.config.study import PlannedRun
from bnrepro.records.loading import left_out
from bnrepro.records.lock import is_claimed, is_held
from bnrepro.records.record import FINISHED, RecordError, read_record
from bnrepro.records.run_directory import read_config
from bnrepro.screen import duration, percent
from bnrepro.sweep.announcement import Announced, announced_below
from bnrepro.sweep.display import QUEUED, counts_of, seconds_left, seconds_together
from bnrepro.sweep.estimate import Speeds
from bnrepro.sweep.outcome import LOG, Outcome, on_disk, progress
from bnrepro.sweep.slurm import Queued, in_queue

# As many lines as a terminal shows; of the others there are counts.
_MOST_LINES = 20
_LATELY_SECONDS = 3600.0
_ORDER = (
    "running",
    "starting",
    "failed",
    "interrupted",
    *QUEUED,
    "waiting",
    "diverged",
    "completed",
)
_OPEN = ("running", "starting", *QUEUED, "waiting")


@dataclass(frozen=True)
class Row:
    """One run: what is known of it, None where nothing is."""

    directory: Path
    status: str
    step: int | None = None
    train_steps: int | None = None
    accuracy: float | None = None
    seconds_left: float | None = None
    error: str | None = None

    @property
    def label(self) -> str:
        """Its name and seed."""
        return f"{self.directory.parent.name} seed {self.directory.name.removeprefix('seed_')}"

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The texts of its line, but for the label."""
        number = "" if self.train_steps is None else f"{self.train_steps:,}"
        return (
            "done" if self.status == "completed" else self.status,
            number if self.step is None else f"{self.step:,} of {number or 'unknown'}",
            "–" if self.accuracy is None else percent(self.accuracy),
            "" if self.seconds_left is None else f"{duration(self.seconds_left)} left",
        )


def now(run: PlannedRun, queue: Mapping[Path, Queued] | None = None) -> Outcome:
    """How far a planned run is at this moment; `queue`: what a cluster says of it.

    Raises:
        ConfigError: if its directory holds another config, or its record cannot be read.
    """
    if is_held(run.directory):
        return Outcome("running")
    if queue and run.directory in queue:
        return Outcome(queue[run.directory].status)
    found = Outcome("waiting") if run.composition.config.force else on_disk(run)
    # A sweep claims a run until its process has gone, moments after the record.
    return Outcome("running") if not found.done and is_claimed(run.directory) else found


def rows_of(states: Iterable[tuple[PlannedRun, Outcome]], speeds: Speeds) -> list[Row]:
    """The rows of planned runs."""
    return [
        _row(run.directory, outcome.status, run.composition.config, speeds)
        for run, outcome in states
    ]


def rows_below(results_dir: str) -> list[Row]:
    """What is going on in a results folder.

    That is what runs, is started, or waits for a living sweep or in a cluster's queue; what was
    interrupted or failed; and what ended within the last hour.

    What cannot be read is named on standard error.
    """
    announced = {run.directory: run for run in announced_below(results_dir)}
    queue = in_queue(results_dir)
    announced |= {path: Announced(path, queued.config, 0.0) for path, queued in queue.items()}
    found = [path for path in Path(results_dir).glob("runs/*/seed_*") if _is_run(path)]
    states: list[tuple[Path, str, RunConfig | None]] = []
    refused: list[RecordError | ConfigError] = []
    for directory in sorted({*found, *announced}):
        run = announced.get(directory)
        try:
            if directory in queue and not is_held(directory):
                status: str | None = queue[directory].status
            else:
                status = _status(directory, run.since if run else None)
            if status in _OPEN:
                states.append((directory, status, _config(directory, run)))
            elif status is not None:
                states.append((directory, status, None))
        except (RecordError, ConfigError) as error:
            refused.append(error)
    for line in left_out(refused):
        print(line, file=sys.stderr)
    is_open = any(status in _OPEN for _, status, _ in states)
    speeds = Speeds([results_dir] if is_open else [], available_threads())
    return [_row(*state, speeds) for state in states]


def lines_of(rows: Sequence[Row]) -> list[str]:
    """The counts; a line per run up to a number, what is at work first; the failures' logs."""
    ordered = sorted(rows, key=lambda row: _ORDER.index(row.status))
    shown, others = ordered[:_MOST_LINES], ordered[_MOST_LINES:]
    widths = [max(map(len, column)) for column in zip(*(row.cells for row in shown), strict=True)]
    lines = [_summary(ordered)]
    for row in shown:
        status, *numbers = row.cells
        cells = [status.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])]
        # The name last: it may be long, and is not to push numbers out of their columns.
        lines.append("  ".join([*cells, row.label]))
    if others:
        lines.append(f"and {counts_of(row.status for row in others)}")
    return lines + [line for row in shown for line in _reason(row)]


def _summary(rows: Sequence[Row]) -> str:
    """How many runs are how far, and how long those take that have not ended."""
    at_work = sum(row.status in ("running", "starting") for row in rows)
    # One that is being started counts as running.
    statuses = ["running" if row.status == "starting" else row.status for row in rows]
    text = f"{len(rows)} run{'s' * (len(rows) != 1)}: {counts_of(statuses)}"
    left = [row.seconds_left for row in rows if row.status in _OPEN]
    if not left:
        return text
    # Of a waiting run the rest of those at work says too little.
    seconds = None if None in left else seconds_together(left, max(1, at_work))
    return f"{text}; time left {'unknown' if seconds is None else f'about {duration(seconds)}'}"


def _reason(row: Row) -> list[str]:
    if row.status not in ("failed", "interrupted"):
        return []
    reason = f": {row.error}" if row.error else ""
    log = row.directory / LOG
    return [f"{row.status}  {row.label}{reason}", *([f"    log: {log}"] if log.exists() else [])]


def _is_run(directory: Path) -> bool:
    # What `force` moved aside is called seed_0.<time>.aside.
    return directory.name.removeprefix("seed_").isdigit()


def _status(directory: Path, announced: float | None) -> str | None:
    """How far the run in a directory is; None of one that ended long ago, or was never begun.

    `announced` is when a living sweep said that it is to be trained.
    """
    if is_held(directory):
        return "running"
    path = directory / "record.json"
    written = path.stat().st_mtime if path.exists() else None
    status = read_record(directory).status if written is not None else None
    is_new = written is not None and written >= (announced or 0.0)
    if written is not None and is_new and status in FINISHED:
        lately = announced is not None or time.time() - written < _LATELY_SECONDS
        return status if lately else None
    if is_claimed(directory):
        return "running"
    if announced is not None and not is_new:
        return "waiting"
    return status or ("interrupted" if (directory / "config.yaml").exists() else None)


def _config(directory: Path, run: Announced | None) -> RunConfig | None:
    """The config of a run that has not ended; None where it has not written it yet.

    What records do not hold, such as places, has its default.
    """
    path = directory / "config.yaml"
    if run is None and not path.exists():
        return None
    default, recorded = merge({}), flatten(run.config if run else read_config(path))
    return with_values(
        default, {key: recorded.get(key, old) for key, old in to_flat(default).items()}
    )


def _row(directory: Path, status: str, config: RunConfig | None, speeds: Speeds) -> Row:
    """What is known of a run; `config` of one that has not ended."""
    row = Row(directory, status, train_steps=config.train_steps if config else None)
    whole = speeds.seconds(config) if config and status in _OPEN else None
    facts = progress(directory)
    if status in QUEUED and (directory / "record.json").exists():
        step = read_record(directory).train_steps
        share = 1 - step / row.train_steps if row.train_steps else 1.0
        return replace(row, step=step, seconds_left=None if whole is None else whole * share)
    if status in ("waiting", *QUEUED):
        return replace(row, seconds_left=whole)
    if status == "running" and facts is None:
        return replace(row, status="starting", seconds_left=whole)
    if status == "running" and facts is not None:
        row = replace(row, step=facts["step"], train_steps=facts["train_steps"])
        return replace(row, accuracy=facts["accuracy"], seconds_left=seconds_left(facts, whole))
    if not (directory / "record.json").exists():
        return replace(row, step=(facts or {}).get("step"))
    record = read_record(directory)
    return replace(
        row,
        step=record.train_steps,
        train_steps=record.config.get("train_steps"),
        accuracy=record.best_accuracy,
        error=record.error,
    )
