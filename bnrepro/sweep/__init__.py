"""A sweep: many runs, one process each, from a grid of overrides or a study.

It is idempotent: what is done is not run again, what was interrupted goes on, what failed is left
alone until `retry_failed`. Two sweeps over the same results folder share the work.

`slots`: where runs go. `jobs`: what one process trains. `launcher`: how it is started. `outcome`:
what became of a run. `scheduler`: the loop. `announcement`: what others see of it. `estimate`,
`probe`: how long runs take. `display`, `results`: what a person sees. `dry_run`, `status`: what one
is told without starting anything. `forecast`: how long runs take, measured now. `slurm`: a sweep on
a cluster.
"""

import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console

from bnrepro.config import ConfigError, study
from bnrepro.config.overrides import Given, read_all
from bnrepro.config.study import PlannedRun
from bnrepro.sweep import slurm
from bnrepro.sweep.display import Board, Snapshot, States, failures, print_line, take_snapshot
from bnrepro.sweep.dry_run import Surroundings, preview, to_start
from bnrepro.sweep.estimate import Speeds
from bnrepro.sweep.forecast import forecast_lines
from bnrepro.sweep.jobs import jobs_of
from bnrepro.sweep.launcher import Launcher, local
from bnrepro.sweep.outcome import Outcome
from bnrepro.sweep.results import result_tables
from bnrepro.sweep.scheduler import Rules, Scheduler
from bnrepro.sweep.slots import Slot, choose_slots, threads_per_run
from bnrepro.sweep.status import lines_of, now, rows_below, rows_of

if TYPE_CHECKING:
    import pandas as pd

_STUDY = "study="


class Worker(Protocol):
    """What brings the runs of a sweep to their end."""

    signals: list[signal.Signals]

    def work(self) -> None:
        """Do it, until all is done or there is a reason to stop."""

    def states(self) -> list[tuple[PlannedRun, Outcome]]:
        """How far each run is, in the order of the plan."""

    @property
    def farewell(self) -> str:
        """What a person is told whose signal has ended it."""


# Called with each change of a run's state; several times a second; with what there is to say.
Watch = Callable[[PlannedRun, Outcome], None]
Refresh = Callable[[], None]
Build = Callable[[Watch, Refresh, Callable[[str], None]], Worker]


def run_sweep(
    overrides: Iterable[Given],
    *,
    study_name: str | None = None,
    workers: int | None = None,
    gpus: str | None = None,
    per_gpu: int = 1,
    dry_run: bool = False,
    probe: bool = False,
    retry_failed: bool = False,
    fail_fast: bool = False,
    max_failures: int | None = None,
    as_one_program: bool = False,
    launcher: Launcher = local,
) -> int:
    """Run a grid (`["bn=none,x1", "seed=0,1"]`), or a study, whose runs all have the overrides.

    Args:
        workers: runs at the same time; None: what cores, memory and GPUs allow.
        gpus: the GPUs to use, `"0,1"`; None: all that are seen.
        per_gpu: runs at the same time on one GPU.
        dry_run: list the runs, the time and the disk they would take as far as records tell, and
            train nothing.
        probe: the same, and what no record tells is measured in a few steps.
        retry_failed: also run what failed before.
        fail_fast: stop at the first failure; the runs in progress save their work.
        max_failures: stop after so many.
        as_one_program: train runs that differ only in numbers together (backend=jax).
        launcher: how a run's process is started.

    Returns:
        The exit code: 0 all done, 1 a run failed or was stopped, 128 + the
        number of the first signal that interrupted it.

    Raises:
        ConfigError: on bad input, before anything is created.
        OSError: if the results folder cannot be written.
    """
    planned = plan(overrides, study_name)
    if max_failures is not None and max_failures < 1:
        raise ConfigError(f"max-failures={max_failures}: expected a whole number of at least 1")
    num_jobs = len(jobs_of(planned, as_one_program=as_one_program))
    places = choose_slots(num_jobs, workers, gpus, per_gpu, _device_of(overrides, planned))
    threads = threads_per_run(len(places))
    if dry_run or probe:
        around = Surroundings(places, threads, launcher, retry_failed, probe)
        return _print(preview(planned, study_name, around))
    limit = 1 if fail_fast else max_failures
    rules = Rules(retry_failed, limit, threads, as_one_program)

    def build(watch: Watch, refresh: Refresh, _tell: Callable[[str], None]) -> Worker:
        return Scheduler(planned, places, launcher, rules, watch, refresh)

    return _run(planned, len(places), threads, build)


def run_on_slurm(
    overrides: Iterable[Given],
    *,
    study_name: str | None = None,
    dry_run: bool = False,
    retry_failed: bool = False,
    fail_fast: bool = False,
    max_failures: int | None = None,
) -> int:
    """Run a grid or a study as a Slurm array (`launcher/slurm.yaml`), and watch it.

    The arguments are those of `run_sweep`; a dry run shows the script. After so many failures, what
    has not started is cancelled. A signal ends the sweep, and the array goes on.

    Returns:
        The exit code, as of `run_sweep`.

    Raises:
        ConfigError: on bad input, or where there is no Slurm; before anything is created.
        OSError: if the results folder cannot be written, or Slurm does not answer.
    """
    planned = plan(overrides, study_name)
    options = slurm.load_options()
    num_places = min(int(options.at_once or len(planned)), len(planned))
    if dry_run:
        places = [Slot(None)] * num_places
        queued = _in_queue(planned)
        around = Surroundings(places, options.threads, local, retry_failed, False, queued)
        _print(preview(planned, study_name, around))
        return _print(slurm.preview_script(to_start(planned, around), options))
    slurm.require()
    limit = 1 if fail_fast else max_failures

    def build(watch: Watch, refresh: Refresh, tell: Callable[[str], None]) -> Worker:
        rules = slurm.Rules(options, retry_failed, limit)
        return slurm.SlurmSweep(planned, rules, watch, refresh, tell)

    return _run(planned, num_places, options.threads, build)


def show_status(
    overrides: Iterable[Given],
    study_name: str | None = None,
    workers: int | None = None,
    per_gpu: int = 1,
) -> int:
    """Show how far the runs of a grid or a study are; start nothing.

    It can be asked where their GPUs are not.

    Raises:
        ConfigError: if an override or one of the runs is refused.
    """
    planned = plan(overrides, study_name)
    places = choose_slots(len(planned), workers, None, per_gpu, _device_of(overrides, planned))
    queued = _in_queue(planned)
    states = [(run, now(run, queued)) for run in planned]
    return _print(lines_of(rows_of(states, _speeds(planned, threads_per_run(len(places))))))


def show_folder(results_dir: str) -> int:
    """Show what is going on in a results folder, whoever started it; start nothing."""
    rows = rows_below(results_dir)
    if not rows:
        return _print([f"{results_dir}: no run at work, waiting or interrupted, none ended lately"])
    return _print(lines_of(rows))


def plan(overrides: Iterable[Given], study_name: str | None = None) -> list[PlannedRun]:
    """The runs of a grid or a study.

    A study goes seed by seed: stopped halfway, it has compared everything on the same seeds.

    Raises:
        ConfigError: if an override or one of the runs is refused.
    """
    if study_name is None:
        return study.plan(overrides)
    return sorted(study.planned_runs(study_name, overrides), key=lambda run: run.seed)


def show_plan(
    overrides: Iterable[Given],
    study_name: str | None = None,
    workers: int | None = None,
    gpus: str | None = None,
    per_gpu: int = 1,
) -> int:
    """Measure a few steps of each kind of run, and show how long all would take.

    The arguments are those of `run_sweep`.

    Raises:
        ConfigError: on bad input or bad data.
        OSError: if a run's first steps could not be made.
    """
    planned = plan(overrides, study_name)
    places = choose_slots(len(planned), workers, gpus, per_gpu, _device_of(overrides, planned))
    return _print(forecast_lines(planned, places, threads_per_run(len(places))))


def _device_of(overrides: Iterable[Given], planned: list[PlannedRun]) -> str:
    """The device of all runs of a sweep.

    A grid of devices would be the same runs several times: it is looked for in the words.
    """
    grid = [each for each in read_all(overrides) if each.key == "device" and len(each.values) > 1]
    devices = {run.composition.config.device for run in planned}
    if grid or len(devices) > 1:
        raise ConfigError(
            f"{' '.join(map(str, grid)) or 'device'}: expected one device for all runs of a sweep; "
            "--gpus and --per-gpu spread runs over GPUs"
        )
    return devices.pop()


def _run(planned: list[PlannedRun], num_places: int, threads: int, build: Build) -> int:
    """Have the runs trained, so many at a time, and say what became of them."""
    console = Console(stderr=True)
    speeds = _speeds(planned, threads)

    def snapshot() -> Snapshot:
        return take_snapshot(worker.states(), speeds, num_places)

    def watch(run: PlannedRun, outcome: Outcome) -> None:
        board.say(run, outcome)
        if outcome.done:
            speeds.add(run.directory, f"below {run.composition.config.results_dir}")

    board = Board(console, snapshot)
    worker = build(watch, board.refresh, partial(print_line, console))
    with board:
        worker.work()
    states = worker.states()
    print_line(console, snapshot().counts())
    _report(states)
    if worker.signals:
        print_line(console, worker.farewell)
        return 128 + worker.signals[0]
    return 0 if all(outcome.done for _, outcome in states) else 1


def _in_queue(planned: list[PlannedRun]) -> dict[Path, slurm.Queued]:
    folders = {run.composition.config.results_dir for run in planned}
    return {path: queued for each in folders for path, queued in slurm.in_queue(each).items()}


def _speeds(planned: list[PlannedRun], threads: int) -> Speeds:
    return Speeds(sorted({run.composition.config.results_dir for run in planned}), threads)


def _print(lines: Iterable[str]) -> int:
    console = Console()
    for line in lines:
        print_line(console, line)
    return 0


def _report(states: States) -> None:
    """The result table on standard output, then the failures with their logs."""
    for text in result_tables([run for run, outcome in states if outcome.done]):
        print(text)
    for line in failures(states):
        print(line)
    if any(outcome.status == "failed" for _, outcome in states):
        print("--retry-failed runs the failed ones again")


class _Callable(ModuleType):
    """This room under the name by which people call it: `bnrepro.sweep(...)` is `calls.sweep`."""

    def __call__(self, *words: str, **values: Any) -> "pd.DataFrame":
        """Train many networks; see `bnrepro.api.calls.sweep`."""
        from bnrepro.api import calls

        return calls.sweep(*words, **values)


sys.modules[__name__].__class__ = _Callable
