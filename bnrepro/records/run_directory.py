"""A run's directory before and after training: what is finished, what may be written where."""

import time
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bnrepro.config import (
    KEYS,
    NOT_IDENTITY,
    ConfigError,
    RunConfig,
    absent_values,
    first_few,
    flatten,
)
from bnrepro.config.composition import Composition
from bnrepro.records import checksums
from bnrepro.records.record import FINISHED, RecordError, RunRecord, read_record, write_atomically

# Places, and how a run was asked for: not part of what it was.
_NOT_RECORDED = [key for key, said in KEYS.items() if not said.recorded]


def recorded_config(config: RunConfig) -> dict[str, Any]:
    """The config as records hold it: without paths."""
    fields = asdict(config)
    for key in _NOT_RECORDED:
        section, _, name = key.rpartition(".")
        del (fields[section] if section else fields)[name]
    return fields


def find_finished(composition: Composition) -> RunRecord | None:
    """The record of this run if it is done (completed or diverged) and not to be forced.

    Raises:
        ConfigError: if the directory belongs to another config, or its record cannot be read.
    """
    directory = composition.directory
    if composition.config.force or not (directory / "record.json").exists():
        return None
    try:
        record = read_record(directory)
    except RecordError as error:
        raise ConfigError(f"{error}; add force=true to move it aside") from error
    _refuse_other_config(directory, record.config, composition.config)
    return record if record.status in FINISHED else None


def check_writable(results_dir: str) -> None:
    """Find out now whether runs can be written below a folder, which need not exist yet.

    Permissions do not tell (a read-only disk, `/proc`): a folder is made and taken away again.

    Raises:
        OSError: saying why not.
    """
    folder = Path(results_dir)
    nearest = next(part for part in [folder, *folder.absolute().parents] if part.exists())
    try:
        with TemporaryDirectory(prefix=".bnrepro-", dir=nearest):
            pass
    except OSError as error:
        reason = f"{nearest}: {error.strerror}"
        raise OSError(
            f"results_dir={results_dir}: nothing can be written there ({reason}); choose another"
        ) from error


def open_directory(composition: Composition) -> Path:
    """Make the run's directory, or open the one of an interrupted run; write `config.yaml`.

    With `force` a run that is there is moved aside first.

    Raises:
        ConfigError: if the directory belongs to another config.
        OSError: if it cannot be written.
    """
    directory = composition.directory
    if composition.config.force and directory.exists():
        directory.rename(directory.with_name(f"{directory.name}.{time.time_ns()}.aside"))
    (directory / checksums.FILE).unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    for unfinished in directory.rglob(".*"):
        # What a process that was killed had begun to write; a folder is somebody else's.
        if not unfinished.is_dir():
            unfinished.unlink()
    path = directory / "config.yaml"
    if path.exists():
        _refuse_other_config(directory, read_config(path), composition.config)
    text = yaml.safe_dump(recorded_config(composition.config), sort_keys=False)
    write_atomically(path, text)
    return directory


def snapshot_path(directory: Path, step: int) -> Path:
    """Where the weights of `step` are kept, if the run was asked to (`snapshots`)."""
    return directory / "snapshots" / f"{step:09d}.npz"


def read_config(path: Path) -> dict[str, Any]:
    """A recorded config.

    Raises:
        ConfigError: if it is not one.
    """
    try:
        fields = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a run's config ({error})") from error
    if not isinstance(fields, dict):
        raise ConfigError(f"{path}: expected a run's config; move the directory aside")
    return fields


def recorded_threads(composition: Composition) -> int | None:
    """The threads with which an interrupted run began: it must go on with as many."""
    path = composition.directory / "config.yaml"
    if composition.config.force or not path.exists():
        return None
    threads = read_config(path).get("threads")
    return threads if isinstance(threads, int) else None


def _refuse_other_config(directory: Path, found: dict[str, Any], config: RunConfig) -> None:
    recorded = {**absent_values(), **flatten(found)}
    different = [
        key
        for key, value in flatten(recorded_config(config)).items()
        if key not in NOT_IDENTITY and recorded.get(key) != value
    ]
    if different:
        raise ConfigError(
            f"{directory} holds a run with another {first_few(different)}; "
            "choose another results_dir, or add force=true to move it aside"
        )
