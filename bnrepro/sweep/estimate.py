"""How long runs take and how much disk they fill, from the records of runs like them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from statistics import mean
from typing import Any

from bnrepro.config import RunConfig
from bnrepro.config.device import visible_gpus
from bnrepro.config.study import PlannedRun
from bnrepro.records.environment import processor
from bnrepro.records.record import FINISHED, RecordError, RunRecord, find_runs, read_record

# Two runs that agree in these take about as long a step.
_ALIKE = (
    "model.name",
    "model.width",
    "model.hidden_layers",
    "data.name",
    "data.image_size",
    "batch_size",
    "normalization",
    "backend",
    "precision",
)


@dataclass(frozen=True)
class Speed:
    """What one recorded run says about others like it."""

    startup_seconds: float
    seconds_per_step: float
    seconds_per_evaluation: float
    size_bytes: int

    def seconds(self, config: RunConfig) -> float:
        """The wall time of a whole run of `config`."""
        steps = config.train_steps * self.seconds_per_step
        return self.startup_seconds + steps + _evaluations(config) * self.seconds_per_evaluation


class Speeds:
    """The speeds recorded below some results folders.

    Those of this processor count, or those of a GPU where this machine has one.
    """

    def __init__(self, results_dirs: Iterable[str]) -> None:
        self._speeds: dict[tuple[Any, ...], list[Speed]] = {}
        self._on_gpu = bool(visible_gpus())
        for results_dir in results_dirs:
            for directory in find_runs(results_dir):
                self.add(directory)

    def add(self, directory: Path) -> None:
        """Learn from one run's record, if it tells anything."""
        try:
            record = read_record(directory)
            speed = _speed(record, directory)
        except (RecordError, OSError):
            return
        on_gpu = record.environment.get("device") != processor()
        if speed is not None and on_gpu == self._on_gpu:
            self._speeds.setdefault(_alike(record.config), []).append(speed)

    def unknown(self, planned: Iterable[PlannedRun]) -> list[PlannedRun]:
        """One run of each kind of which nothing is recorded."""
        first: dict[tuple[Any, ...], PlannedRun] = {}
        for run in planned:
            first.setdefault(_alike(asdict(run.composition.config)), run)
        return [run for kind, run in first.items() if kind not in self._speeds]

    def seconds(self, config: RunConfig) -> float | None:
        """The expected wall time of a run, or None if there was none like it."""
        alike = self._speeds.get(_alike(asdict(config)))
        return mean(speed.seconds(config) for speed in alike) if alike else None

    def size_bytes(self, config: RunConfig) -> float | None:
        """The expected size of a run's directory, or None if there was none like it."""
        alike = self._speeds.get(_alike(asdict(config)))
        return max(speed.size_bytes for speed in alike) if alike else None


def _speed(record: RunRecord, directory: Path) -> Speed | None:
    seconds = record.seconds
    if record.status not in FINISHED or not record.train_steps:
        return None
    train, evaluate = seconds.get("train", 0.0), seconds.get("evaluate", 0.0)
    num_evaluations = len((directory / "curve.csv").read_text().splitlines()) - 1
    return Speed(
        startup_seconds=max(0.0, seconds.get("total", 0.0) - train - evaluate),
        seconds_per_step=train / record.train_steps,
        seconds_per_evaluation=evaluate / max(1, num_evaluations),
        size_bytes=sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()),
    )


def _evaluations(config: RunConfig) -> int:
    number, step = 1, 0
    while step < config.train_steps:
        step = config.next_evaluation(step)
        number += 1
    return number


def _alike(config: dict[str, Any]) -> tuple[Any, ...]:
    """The values of a nested config that tell which runs are like it."""
    return tuple(
        reduce(lambda tree, part: tree.get(part, {}), key.split("."), config) for key in _ALIKE
    )
