"""`bnrepro plan`: how long runs would take, what limits them, and how much disk they would fill.

Measured here and now, a few steps of each kind of run, in a process of its own and a folder that is
thrown away; `--dry-run` of a sweep asks records instead.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from bnrepro.config import ConfigError, RunConfig, study, to_flat
from bnrepro.config.group import program
from bnrepro.config.overrides import Override
from bnrepro.config.study import PlannedRun
from bnrepro.records.trial import Trial, read_trial
from bnrepro.screen import count, duration
from bnrepro.screen.foot import foot
from bnrepro.screen.signals import raised
from bnrepro.sweep.display import seconds_together
from bnrepro.sweep.launcher import finish, start
from bnrepro.sweep.outcome import LOG, last_line
from bnrepro.sweep.slots import Slot

_MODULE = "bnrepro.api.trial"
_BAD_INPUT = 2


def forecast_lines(planned: list[PlannedRun], places: list[Slot], threads: int) -> Iterator[str]:
    """The lines of a plan, each as soon as it is known.

    Raises:
        ConfigError: if a run is refused, or its data.
        OSError: if a run's first steps could not be made.
    """
    trials: dict[tuple[object, ...], Trial] = {}
    for run in planned:
        kind = _kind(run.composition.config)
        if kind not in trials:
            trials[kind] = _try(run, places[0], threads)
            yield from _lines(run, trials[kind])
    if len(planned) > 1:
        yield _together([trials[_kind(run.composition.config)] for run in planned], len(places))


def _kind(config: RunConfig) -> tuple[object, ...]:
    """Runs of one kind take as long: they differ in nothing but numbers of their program."""
    return tuple(map(str, to_flat(program(config)).values()))


def _try(run: PlannedRun, place: Slot, threads: int) -> Trial:
    with (
        foot().doing(f"a few steps of {run.name}"),
        raised(),
        TemporaryDirectory(prefix="bnrepro-plan-") as name,
    ):
        folder = Path(name)
        changes = {"results_dir": name, "force": False, "keep_checkpoint": False}
        changes["threads"] = run.composition.config.threads or threads
        words = [*run.overrides, *(Override(key, (value,)) for key, value in changes.items())]
        (short,) = study.plan(words)
        command = [sys.executable, "-P", "-m", _MODULE, *map(str, short.overrides)]
        code = finish(start(command, folder / LOG, place.environment))
        trial = read_trial(folder)
        if trial is None:
            why = last_line(folder / LOG).removeprefix("bnrepro: ") or f"exit code {code}"
            raise ConfigError(why) if code == _BAD_INPUT else OSError(f"{run.name}: {why}")
        return trial


def _lines(run: PlannedRun, trial: Trial) -> Iterator[str]:
    yield f"{run.name}, measured on {trial.device}"
    yield f"  {_speeds(trial)}"
    parts = ", ".join(f"{part} {duration(each)}" for part, each in trial.seconds.items())
    yield f"  a run: {duration(sum(trial.seconds.values()))} ({parts})"
    beside = f", {_size(trial.checkpoint_bytes)} more until it ends" * (trial.checkpoint_bytes > 0)
    yield f"  disk: {_size(trial.size_bytes)}{beside}"


def _speeds(trial: Trial) -> str:
    """How fast it trains, and what it would wait for."""
    speed = f"{trial.trained:,.0f} images/s"
    if trial.decoded is None:
        return f"{speed}; the images lie in memory: the device is the limit"
    limit = "decoding" if trial.decoding_limits else "the device"
    return (
        f"{speed}; decoding alone {trial.decoded:,.0f}, the device alone {trial.computed:,.0f}: "
        f"{limit} is the limit"
    )


def _together(trials: Iterable[Trial], num_places: int) -> str:
    trials = list(trials)
    seconds = seconds_together([sum(trial.seconds.values()) for trial in trials], num_places) or 0.0
    size = sum(trial.size_bytes for trial in trials)
    return (
        f"{count(len(trials), 'run')}, {num_places} at a time: {duration(seconds)}; "
        f"disk: {_size(size)}"
    )


def _size(size_bytes: int) -> str:
    """`14.2 MB`, `1.7 GB`."""
    return f"{size_bytes / 1e9:,.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:,.1f} MB"
