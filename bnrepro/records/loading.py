"""The runs below a folder of results, read as data frames.

What cannot be read is left out and named.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bnrepro.config import KEYS, did_you_mean, flatten
from bnrepro.records import checking, checksums
from bnrepro.records.record import (
    CURVE_COLUMNS,
    FINISHED,
    CurveRow,
    RecordError,
    RunRecord,
    read_record,
    read_rows,
)

if TYPE_CHECKING:
    import pandas as pd

# Lines about runs that cannot be read; more would hide what is shown.
_MOST_NAMED = 10
# Of a run, in each row of its curve.
_KEYS_OF_CURVES = ("label", "name", "experiment", "seed", "status", "diverged_at_step")


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
