"""How long runs take and how much disk they fill, from the records of runs like them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from statistics import mean
from typing import Any

from bnrepro.config import RunConfig
from bnrepro.config.device import expected
from bnrepro.config.study import PlannedRun
from bnrepro.records.environment import devices_here, is_gpu
from bnrepro.records.loading import find_runs
from bnrepro.records.record import FINISHED, RecordError, RunRecord, read_record

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
    "threads",
)


@dataclass(frozen=True)
class Speed:
    """What one recorded run says about others like it."""

    source: str
    startup_seconds: float
    seconds_per_step: float
    seconds_per_evaluation: float
    # None where no model lies beside the record, as of published ones.
    size_bytes: int | None

    def seconds(self, config: RunConfig) -> float:
        """The wall time of a whole run of `config`."""
        steps = config.train_steps * self.seconds_per_step
        return self.startup_seconds + steps + _evaluations(config) * self.seconds_per_evaluation


class Speeds:
    """The speeds recorded below some results folders, in the order in which they count.

    Of the runs like a given one, those on this machine's device are taken; without any, those on
    another processor, or on another GPU where this machine has one.
    """

    def __init__(self, results_dirs: Iterable[str], threads: int) -> None:
        """`threads` are those of a run that leaves them to the sweep."""
        self._threads = threads
        self._speeds: dict[tuple[Any, ...], list[Speed]] = {}
        self._here = devices_here()
        for results_dir in results_dirs:
            for directory in find_runs(results_dir):
                self.add(directory, f"below {results_dir}")

    def add(self, directory: Path, source: str) -> None:
        """Learn from one run's record, if it tells anything; `source` says where it was found."""
        try:
            record = read_record(directory)
        except RecordError:
            return
        device = str(record.environment.get("device"))
        on = "" if device in self._here else f", on {device}"
        try:
            speed = _speed(record, directory, source + on)
        except OSError:
            return
        if speed is not None:
            key = is_gpu(device), device in self._here, _alike(record.config)
            self._speeds.setdefault(key, []).append(speed)

    def unknown(self, planned: Iterable[PlannedRun]) -> list[PlannedRun]:
        """One run of each kind of which nothing is recorded."""
        first: dict[tuple[Any, ...], PlannedRun] = {}
        for run in planned:
            if not self._of(run.composition.config):
                first.setdefault(self._kind(run.composition.config), run)
        return list(first.values())

    def source(self, config: RunConfig) -> str | None:
        """Where the speed of a run is known from, or None if it is not."""
        speeds = self._of(config)
        return speeds[0].source if speeds else None

    def seconds(self, config: RunConfig) -> float | None:
        """The expected wall time of a run, or None if there was none like it."""
        alike = self._of(config)
        return mean(speed.seconds(config) for speed in alike) if alike else None

    def size_bytes(self, config: RunConfig) -> float | None:
        """The expected size of a run's directory, or None if there was none like it."""
        sizes = [speed.size_bytes for speed in self._of(config)]
        return max((size for size in sizes if size is not None), default=None)

    def _of(self, config: RunConfig) -> list[Speed]:
        """The speeds of the runs that count for one like `config`; all of one source."""
        on_gpu, kind = expected(config).startswith("GPU"), self._kind(config)
        for here in (True, False):
            found = self._speeds.get((on_gpu, here, kind), [])
            if found:
                return [speed for speed in found if speed.source == found[0].source]
        return []

    def _kind(self, config: RunConfig) -> tuple[Any, ...]:
        return _alike({**asdict(config), "threads": config.threads or self._threads})


def _speed(record: RunRecord, directory: Path, source: str) -> Speed | None:
    seconds = record.seconds
    if record.status not in FINISHED or not record.train_steps:
        return None
    train, evaluate = seconds.get("train", 0.0), seconds.get("evaluate", 0.0)
    num_evaluations = len((directory / "curve.csv").read_text().splitlines()) - 1
    return Speed(
        source,
        startup_seconds=max(0.0, seconds.get("total", 0.0) - train - evaluate),
        seconds_per_step=train / record.train_steps,
        seconds_per_evaluation=evaluate / max(1, num_evaluations),
        size_bytes=_size_bytes(directory) if (directory / "model.keras").exists() else None,
    )


def _size_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


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
