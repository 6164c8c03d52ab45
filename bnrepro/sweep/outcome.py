"""What became of a run: read from its directory, or concluded from how its process ended."""

import json
import re
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bnrepro.config import ConfigError
from bnrepro.config.study import PlannedRun
from bnrepro.records.record import (
    CURVE_COLUMNS,
    FINISHED,
    RecordError,
    RunRecord,
    read_record,
    write_record,
    write_rows,
)
from bnrepro.records.run_directory import find_finished, recorded_config

LOG = "log.txt"
# What a run says, and what a kernel or a library's allocator leaves unsaid.
_OUT_OF_MEMORY = "bnrepro: out of memory"
_WHERE_MEMORY_ENDS = (
    ", as a process is where memory ends: fewer runs at once (--workers), or a smaller batch_size "
    "or model.width"
)
# An absolute path's folders: an error must not carry the places of one machine into a record.
_FOLDERS = re.compile(r"(?<![\w.~])[~/](?:[^\s/:;,'\"]*/)+")


@dataclass(frozen=True)
class Outcome:
    """How far a run is.

    `status` is one of a record, or `waiting`, `running`, `stopping` (it saves its work), or
    `elsewhere` (another process trains it).
    """

    status: str
    error: str | None = None
    accuracy: float | None = None

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.status in FINISHED

    def stands(self, *, retry_failed: bool) -> bool:
        """Whether what is on disk is left as it is, so that the run is not started."""
        return self.done or (self.status == "failed" and not retry_failed)


def on_disk(run: PlannedRun) -> Outcome:
    """What the run's record says; `waiting` where there is none.

    Raises:
        ConfigError: if the directory holds another config, or its record cannot be read.
    """
    if raw_record(run) is None:
        return Outcome("waiting")
    try:
        record = read_record(run.directory)
    except RecordError as error:
        raise ConfigError(f"{error}; move the run's directory aside") from error
    config = replace(run.composition.config, force=False)
    find_finished(replace(run.composition, config=config))  # refuses another config
    if record.status == "running":
        return Outcome("waiting")
    return Outcome(record.status, record.error, record.best_accuracy)


def raw_record(run: PlannedRun) -> bytes | None:
    """The record's bytes, to see whether a process left a new one."""
    path = run.directory / "record.json"
    return path.read_bytes() if path.exists() else None


@dataclass(frozen=True)
class Ending:
    """How a process ended: exit code or minus a signal, its log, and whether we asked it to.

    `reason`: why, in words, where somebody else knows more than code and log say.
    """

    code: int
    log: Path
    asked: bool
    reason: str | None = None


def conclude(run: PlannedRun, ending: Ending, before: bytes | None) -> Outcome:
    """What became of a run whose process has ended; leaves a record if it left none.

    `before` is the record that stood there when it started.
    """
    try:
        outcome = on_disk(run)
    except ConfigError as error:
        return Outcome("failed", str(error))
    # A process that was killed leaves a record of where it stood, without a reason.
    # It still says `running` while a lease of a machine that was lost has not run out.
    has_ended = outcome.status != "waiting" and (
        outcome.status != "interrupted" or outcome.error is not None
    )
    if outcome.done or (has_ended and raw_record(run) not in (None, before)):
        return outcome
    if ending.asked:
        return Outcome("interrupted")
    reason = ending.reason or _in_words(ending)
    leave_failed_record(run, reason)
    return Outcome("failed", reason)


def leave_failed_record(run: PlannedRun, error: str) -> None:
    """Write the record that a killed process could not write; what it had saved stays."""
    curve = run.directory / "curve.csv"
    if not curve.exists():
        write_rows(curve, CURVE_COLUMNS, [])
    composition = run.composition
    trained_in = _environments(run.directory)
    record = RunRecord(
        name=run.name,
        experiment=composition.experiment,
        scale=composition.scale,
        seed=run.seed,
        status="failed",
        train_steps=(progress(run.directory) or {}).get("step", 0),
        config=recorded_config(composition.config),
        **trained_in,
        data={"name": composition.config.data.name},
        error=_FOLDERS.sub("", error),
    )
    write_record(run.directory, record)


def _environments(directory: Path) -> dict[str, Any]:
    """What the record that a killed process had begun says of its environments."""
    try:
        begun = read_record(directory)
    except RecordError:
        return {}
    kept = ("environment", "earlier_environments")
    return {name: getattr(begun, name) for name in kept}


def progress(directory: Path) -> dict[str, Any] | None:
    """What a run in progress says of itself in its directory, or None."""
    try:
        fields = json.loads((directory / "progress.json").read_text())
    except (OSError, ValueError, RecursionError):
        return None
    is_one = isinstance(fields, dict) and isinstance(fields.get("step"), int)
    return fields if is_one else None


def _in_words(ending: Ending) -> str:
    code = ending.code
    if code < 0:
        name = signal.Signals(-code).name if -code in list(signal.Signals) else f"signal {-code}"
        for_memory = name == "SIGKILL" or "bad_alloc" in last_line(ending.log)
        return f"killed by {name}" + (_WHERE_MEMORY_ENDS if for_memory else "")
    last = last_line(ending.log)
    if last.startswith(_OUT_OF_MEMORY):
        return last.removeprefix("bnrepro: ")
    return f"exited with code {code}" + (f": {last}" if last else "")


def last_line(log: Path) -> str:
    """The last line that a process has said, empty if it said nothing."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 10_000))
            lines = stream.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip() and not line.startswith("$ ")]
    return said[-1] if said else ""
