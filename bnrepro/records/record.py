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
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bnrepro.config import KEYS, did_you_mean, flatten
from bnrepro.records import checking, checksums
from bnrepro.records.lock import is_held

if TYPE_CHECKING:
    import pandas as pd

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


# Lines about runs that cannot be read; more would hide what is shown.
_MOST_NAMED = 10

CURVE_COLUMNS = CurveRow._fields
# Of a run, in each row of its curve.
_KEYS_OF_CURVES = ("label", "name", "experiment", "seed", "status", "diverged_at_step")
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


def find_runs(results_dir: str | Path) -> Iterator[Path]:
    """The directories below `results_dir` that hold a record, in order of name and seed."""
    found = [path.parent for path in Path(results_dir).glob("runs/*/seed_*/record.json")]
    # What `force` moved aside is called seed_0.<time>.aside.
    runs = [path for path in found if path.name.removeprefix("seed_").isdigit()]
    return iter(sorted(runs, key=_by_name_and_seed))


# What has been read inside `reading_once`, by reader and folder; None outside of it.
_READ: ContextVar[dict[tuple[str, Path], Any] | None] = ContextVar("read", default=None)


@contextmanager
def reading_once() -> Iterator[None]:
    """Read each folder's records and curves once in this context: a command sees one state.

    It is also a decorator of a function: `@reading_once()`.
    """
    if _READ.get() is not None:
        yield
        return
    token = _READ.set({})
    try:
        yield
    finally:
        _READ.reset(token)


def load_runs(results_dir: str | Path = "results") -> "pd.DataFrame":
    """All records below `results_dir`, one row per run.

    Columns: the fields of `RunRecord`, its `label`, the flat config (`config.model.width`, ...),
    `environment.*`, `data.*` and `seconds.*`, and the run's `directory`. Accuracies are fractions
    on the evaluation split, durations steps, and `seconds.*` seconds.

    What cannot be read, or does not hold together, is left out and named on standard error. A
    folder of results without a run yet gives no rows, with the columns that every run has.

    Raises:
        FileNotFoundError: if `results_dir` is no folder of results.
        RecordError: if no record below it can be read.
    """
    runs = read_runs(results_dir)
    if runs.empty:
        _check_results(Path(results_dir))
        return _without_rows(_columns_of_runs())
    return runs


def load_curves(results_dir: str | Path = "results", columns: Sequence[str] = ()) -> "pd.DataFrame":
    """All curves below `results_dir`, one row per evaluation.

    Columns: `label`, `name`, `experiment` (missing where the run is none), `seed`, `status`,
    `diverged_at_step`, and those of `curve.csv`; then `columns` of `load_runs`, of which those of
    the config may be called by their keys. `name` and `seed` say which run a row belongs to. A run
    that trains now (`running`) or was stopped (`interrupted`, `failed`) is there with the rows that
    it has. A folder of results without a run yet gives no rows.

        curves = load_curves(columns=["normalization", "learning_rate", "num_parameters"])

    The runs are those of `load_runs`.

    Raises:
        FileNotFoundError: if `results_dir` is no folder of results.
        KeyError: if `load_runs` has no such column.
        RecordError: if no record below it can be read.
    """
    curves = read_curves(results_dir)
    if curves.empty:
        _check_results(Path(results_dir))
        curves = _without_rows([*_KEYS_OF_CURVES, *CURVE_COLUMNS])
    wanted = [name for name in columns if name not in curves]
    if not wanted:
        return curves
    runs = load_runs(results_dir)
    values = {name: runs[_column(runs, name)] for name in wanted}
    return curves.merge(runs[["name", "seed"]].assign(**values), on=["name", "seed"], how="left")


def _column(runs: "pd.DataFrame", name: str) -> str:
    for column in (name, f"config.{name}"):
        if column in runs:
            return column
    near = did_you_mean(name, [str(column).removeprefix("config.") for column in runs])
    raise KeyError(f"{name}: load_runs has no such column{near}")


def _columns_of_runs() -> list[str]:
    """The columns of `load_runs` that every run has."""
    nested = {"config", "environment", "data", "seconds", "peak_memory"}
    plain = [each.name for each in dataclasses.fields(RunRecord) if each.name not in nested]
    config = [f"config.{key}" for key, said in KEYS.items() if said.recorded]
    return ["label", "directory", *plain, *config]


def _without_rows(columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns=list(columns), dtype=object)


def read_runs(results_dir: str | Path) -> "pd.DataFrame":
    """The frame of `load_runs`; one without rows and columns where there is no run."""
    return _once(_read_runs, results_dir).copy()


def read_curves(results_dir: str | Path) -> "pd.DataFrame":
    """The frame of `load_curves`; one without rows and columns where there is no run."""
    return _once(_read_curves, results_dir).copy()


def _check_results(folder: Path) -> None:
    """Refuse what is no folder of results, in which no run has begun or lies yet."""
    is_results = folder.is_dir() and ((folder / "runs").is_dir() or not any(folder.iterdir()))
    if not is_results and not any(find_runs(folder)):
        raise _no_run_below(folder)


def _no_run_below(folder: Path) -> FileNotFoundError:
    near = [*folder.parents[:3], folder / "results", folder / "published"]
    hint = next((f"; did you mean '{other}'?" for other in near if any(find_runs(other))), "")
    return FileNotFoundError(
        f"{folder}: no run below it; expected a folder of results, with "
        f"runs/<name>/seed_<number>/record.json{hint}"
    )


def _once(read: Callable[[Path], Any], results_dir: str | Path) -> Any:
    known, folder = _READ.get(), Path(results_dir)
    if known is None:
        return read(folder)
    key = read.__name__, folder
    if key not in known:
        known[key] = read(folder)
    return known[key]


class _Run(NamedTuple):
    """One run on disk, all of which holds together."""

    directory: Path
    record: RunRecord
    curve: list[CurveRow]


def read_run(directory: Path) -> _Run:
    """A run's record and curve.

    Raises:
        RecordError: if one of them cannot be read, or they are not of one run.
    """
    record = read_record(directory)
    try:
        checking.check_folder(directory, record)
    except ValueError as error:
        raise RecordError(f"{directory}: {error}") from error
    path = directory / "curve.csv"
    growing = record.status not in FINISHED
    curve = [CurveRow._make(row) for row in read_rows(path, CURVE_COLUMNS, growing)]
    try:
        for name in ("record.json", "curve.csv", "config.yaml"):
            if (directory / name).exists():
                checksums.check(directory, name)
        checking.check_config_file(directory, record)
        checking.check_curve(curve)
        if not growing:
            checking.check_end(record, curve)
    except (ValueError, OSError) as error:
        raise RecordError(f"{directory}: {error}") from error
    return _Run(directory, record, curve)


def _read_whole(results_dir: Path) -> list[_Run]:
    """The runs below a folder that can be read; the others are named on standard error."""
    found, refused = [], []
    for directory in find_runs(results_dir):
        try:
            found.append(read_run(directory))
        except RecordError as error:
            refused.append(error)
    if refused and not found:
        raise refused[0]
    for line in left_out(refused):
        print(line, file=sys.stderr)
    return found


def left_out(refused: Sequence[Exception]) -> list[str]:
    """The lines that name what was left out, of many the first."""
    lines = [f"left out: {error}" for error in refused[:_MOST_NAMED]]
    further = len(refused) - len(lines)
    return [*lines, *([f"left out: {further} further runs, for such reasons"] if further else [])]


def _read_runs(results_dir: Path) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for directory, record, _ in _once(_read_whole, results_dir):
        # Not `asdict`, which copies every value of every config.
        row = flatten(vars(record))
        rows.append({"label": record.label, "directory": str(directory), **row})
    return pd.DataFrame(rows)


def _read_curves(results_dir: Path) -> "pd.DataFrame":
    import pandas as pd

    rows: list[list[Any]] = []
    for _, record, curve in _once(_read_whole, results_dir):
        facts = [getattr(record, key) for key in _KEYS_OF_CURVES]
        rows += [[*facts, *row] for row in curve]
    if not rows:
        return pd.DataFrame()
    return pd.DataFrame(rows, columns=[*_KEYS_OF_CURVES, *CURVE_COLUMNS]).astype({"step": int})


def _by_name_and_seed(directory: Path) -> tuple[str, int]:
    return directory.parent.name, int(directory.name.removeprefix("seed_"))


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
