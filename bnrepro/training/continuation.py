"""A longer run goes on from a finished one that is its beginning and kept its checkpoint.

Its weights, curve and measures are then those of the run that was never stopped: up to there batch
order, learning rates and segments are functions of the same keys and steps, and no schedule knows
how long a training is.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bnrepro.config import NOT_IDENTITY, RunConfig, absent_values, flatten
from bnrepro.config.composition import Composition
from bnrepro.records import checkpoint
from bnrepro.records.record import RecordError, RunRecord, read_record
from bnrepro.records.run_directory import recorded_config, snapshot_path

# What may differ: how long it is, and the snapshots that lie beyond the shorter one.
_OF_LENGTH = ("train_steps", "snapshots")


@dataclass(frozen=True)
class Beginning:
    """The finished run from which another goes on, and its last checkpoint."""

    directory: Path
    record: RunRecord
    checkpoint: tuple[int, dict[str, np.ndarray], dict[str, Any]]

    @property
    def said(self) -> dict[str, Any]:
        """What the longer run's record says of it."""
        return {
            "name": self.record.name,
            "step": self.record.train_steps,
            "weights_digest": self.record.weights_digest,
        }


def find(composition: Composition, report: Callable[[str], None]) -> Beginning | None:
    """The longest finished run below the same folder that is a beginning of this one.

    `report` hears of a damaged checkpoint.
    """
    config = composition.config
    # Its limits are functions of the length of the training.
    if config.force or config.resolved().normalization == "batch_renorm":
        return None
    for directory, record in _finished(composition):
        if not _is_beginning(record, config):
            continue
        found = checkpoint.load(directory / "checkpoint", report)
        if found is not None and found[0] == record.train_steps:
            return Beginning(directory, record, found)
    return None


def copy_snapshots(beginning: Beginning, directory: Path) -> None:
    """Have in `directory` the snapshots that the beginning has made for both."""
    for step in beginning.record.config.get("snapshots", []):
        path = snapshot_path(directory, step)
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(snapshot_path(beginning.directory, step), path)


def _finished(composition: Composition) -> Iterator[tuple[Path, RunRecord]]:
    """The completed runs of the same seed that kept a checkpoint, the longest first."""
    runs = composition.directory.parents[1]
    found = []
    for kept in runs.glob(f"*/{composition.directory.name}/checkpoint"):
        try:
            record = read_record(kept.parent)
        except RecordError:
            continue
        if record.status == "completed":
            found.append((kept.parent, record))
    yield from sorted(found, key=lambda pair: -pair[1].train_steps)


def _is_beginning(record: RunRecord, config: RunConfig) -> bool:
    """Whether the run is what `config` computes up to its last step, to the bit."""
    steps = record.train_steps
    if not 0 < steps < config.train_steps or record.config["threads"] != config.threads:
        return False
    found = {**absent_values(), **flatten(record.config)}
    wanted = flatten(recorded_config(config))
    equal = all(
        found.get(key) == value
        for key, value in wanted.items()
        if key not in (*NOT_IDENTITY, *_OF_LENGTH)
    )
    kept = [step for step in config.snapshots if step <= steps]
    if not equal or sorted(found["snapshots"]) != sorted(kept):
        return False
    # It was evaluated at its end: so must the longer one be, which else has other sums of losses.
    return steps == config.next_evaluation(steps - 1)
