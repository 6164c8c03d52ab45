"""What a sweep means to run, left for those who ask from outside while it lives.

A file per sweep and results folder, beside the locks. It counts only while the sweep holds the
lock of that name, so that what a killed sweep left is never believed.
"""

import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from bnrepro.config.composition import run_directory
from bnrepro.config.study import PlannedRun
from bnrepro.records.lock import is_locked, kept, locks_folder
from bnrepro.records.record import write_atomically
from bnrepro.records.run_directory import recorded_config

_PREFIX = "sweep-"


@dataclass(frozen=True)
class Announced:
    """A run that a living sweep means to bring to its end; `since` is a file's time, in seconds."""

    directory: Path
    config: dict[str, Any]
    since: float


@contextmanager
def announced(runs: Iterable[PlannedRun], threads: int) -> Iterator[None]:
    """Inside, others see that these runs are going to be trained, with `threads` unless they say.

    Raises:
        OSError: if a results folder cannot be written.
    """
    ordered = sorted(runs, key=_results_dir)
    with ExitStack() as stack:
        for results_dir, own in groupby(ordered, key=_results_dir):
            stack.enter_context(_announced_below(results_dir, [_row(run, threads) for run in own]))
        yield


@contextmanager
def _announced_below(results_dir: str, rows: list[dict[str, Any]]) -> Iterator[None]:
    folder = locks_folder(results_dir)
    path = folder / f"{_PREFIX}{uuid.uuid4().hex}.json"
    with kept(path.with_suffix(".lock"), f"{path}: somebody else's"):
        write_atomically(path, json.dumps(rows) + "\n")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            path.with_suffix(".lock").unlink(missing_ok=True)


def announced_below(results_dir: str) -> list[Announced]:
    """The runs that living sweeps have announced; those of several sweeps once."""
    found: dict[Path, Announced] = {}
    for path in sorted(locks_folder(results_dir).glob(f"{_PREFIX}*.json")):
        if not is_locked(path.with_suffix(".lock")):
            continue
        try:
            rows, since = json.loads(path.read_text()), path.stat().st_mtime
        except (OSError, ValueError):
            continue  # the sweep has just ended
        for row in rows:
            directory = run_directory(results_dir, row["name"], row["seed"])
            found.setdefault(directory, Announced(directory, row["config"], since))
    return list(found.values())


def _row(run: PlannedRun, threads: int) -> dict[str, Any]:
    config = run.composition.config
    config = replace(config, threads=config.threads or threads)
    return {"name": run.name, "seed": run.seed, "config": recorded_config(config)}


def _results_dir(run: PlannedRun) -> str:
    return run.composition.config.results_dir
