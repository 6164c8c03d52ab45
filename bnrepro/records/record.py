"""What a run leaves behind, and how it is read again.

`config.yaml`, `record.json`, `curve.csv` and a CSV file per measure are the source of truth;
TensorBoard's event files are an output only. Every file is written beside its place and renamed
into it, so that a reader never meets half a file; while a run trains, rows are appended to its CSV
files, whose last line counts once it is whole. The columns and fields are a contract: change one
only with an entry in CHANGELOG.md.
"""

import csv
import dataclasses
import io
import json
import math
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bnrepro.records import checking
from bnrepro.records.lock import is_held

# A person's own records, and those that the project shows; both below the folder of a command.
RESULTS, PUBLISHED = "results", "results/published"

SCHEMA_VERSION = 1
# A process that is killed leaves a record that says `running`, which is read as `interrupted`.
STATUSES = ("completed", "diverged", "failed", "interrupted", "running")
# A diverged run is a result; any other is missing.
FINISHED = ("completed", "diverged")

# Fields that records had not from the beginning: one without them has their defaults.
_ADDED = {"continued_from", "earlier_environments", "peak_memory"}


class CurveRow(NamedTuple):
    """One evaluation: a row of `curve.csv`."""

    step: int
    train_loss: float  # over the batches since the row before, nan in the first
    train_accuracy: float
    evaluation_loss: float
    evaluation_accuracy: float
    learning_rate: float  # of the update that follows
    train_seconds: float  # since the first step


CURVE_COLUMNS = CurveRow._fields
PERCENTILE_COLUMNS = ("unit", "step", "p15", "p50", "p85")


class RecordError(Exception):
    """A record that cannot be read: which file, and what is wrong with it, in one line."""


@dataclass(frozen=True)
class RunRecord:
    """One run, whole. Accuracies are fractions on the evaluation split; durations are in steps.

    A file has all fields, in this order; whoever makes a record gives those that it knows.
    """

    name: str
    experiment: str | None
    scale: str | None
    seed: int
    status: str
    train_steps: int
    diverged_at_step: int | None = None
    config: dict[str, Any] = field(kw_only=True)
    environment: dict[str, Any] = field(default_factory=dict)
    # Those of the stretches before, where a run went on in another one.
    earlier_environments: list[dict[str, Any]] = field(default_factory=list)
    data: dict[str, Any] = field(kw_only=True)
    num_parameters: int | None = None
    best_accuracy: float | None = None
    best_accuracy_step: int | None = None
    final_accuracy: float | None = None
    final_accuracy_population: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    # The most bytes that its process took of the `host` and of the `device`, None where unknown.
    peak_memory: dict[str, int | None] = field(default_factory=dict)
    weights_digest: str | None = None
    error: str | None = None
    # The finished run that is its beginning (`name`, `step`, `weights_digest`), if there was one.
    continued_from: dict[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def label(self) -> str:
        """The row of a table that the run belongs to."""
        return self.experiment or self.name


def write_atomically(path: Path, content: str | bytes) -> None:
    """Put `content` at `path` so that a reader sees the old file or the new one, never a part."""
    raw = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    # Readable by whom the umask says, like every file.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_record(directory: Path, record: RunRecord) -> None:
    """Write `record.json`; what is not finite becomes null, as JSON has no word for it."""
    fields = {"schema_version": record.schema_version, **dataclasses.asdict(record)}
    text = json.dumps(_finite(fields), indent=2, allow_nan=False)
    write_atomically(directory / "record.json", text + "\n")


def read_record(directory: Path) -> RunRecord:
    """Read `record.json` of a run's directory.

    Raises:
        RecordError: if it is absent, cut short, of another schema version, or holds what no
            record holds.
    """
    path = directory / "record.json"
    try:
        fields = json.loads(path.read_text())
        version = fields["schema_version"]
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror}); {checking.AGAIN}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RecordError(f"{path}: no whole record; {checking.AGAIN}") from error
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"{path}: schema_version {str(version)[:20]}, this bnrepro reads {SCHEMA_VERSION}; "
            f"{checking.NEWER}"
        )
    try:
        every = {each.name for each in dataclasses.fields(RunRecord)}
        known = every - (_ADDED - fields.keys())
        checking.check_fields(fields, known, STATUSES)
        record = RunRecord(**fields)
    except ValueError as error:
        raise RecordError(f"{path}: {error}") from error
    if record.status == "running" and not is_held(directory):
        return dataclasses.replace(record, status="interrupted")
    return record


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV file; a number that is not finite is written `nan`, `inf` or `-inf`."""
    write_atomically(path, _csv([columns, *rows]))


def append_rows(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Add rows to a file of `write_rows`, in a single write."""
    with path.open("ab", buffering=0) as stream:
        stream.write(_csv(rows).encode())


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cell, row) for row in rows)
    return text.getvalue()


def read_rows(path: Path, columns: Sequence[str], growing: bool = False) -> list[list[float]]:
    """Read a CSV file of numbers written by `write_rows`.

    Of one that is `growing`, or stopped to when its process was killed, the last line is left out
    unless it is whole.

    Raises:
        RecordError: if the file is absent, cut short, or has other columns.
    """
    try:
        text = path.read_text()
        lines = text[: text.rfind("\n") + 1] if growing else text
        header, *rows = list(csv.reader(io.StringIO(lines)))
        if tuple(header) != tuple(columns) or any(len(row) != len(columns) for row in rows):
            raise ValueError(f"expected the columns {','.join(columns)}")
        return [[float(cell) for cell in row] for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordError(f"{path}: cannot be read ({reason}); {checking.AGAIN}") from error


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return repr(float(value))
    return str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
