"""A sweep: many runs, one process each, from a grid of overrides or a study.

It is idempotent: what is done is not run again, what was interrupted goes on, what failed is left
alone until `retry_failed`. Two sweeps over the same results folder share the work.

`slots`: where runs go. `jobs`: what one process trains. `launcher`: how it is started. `outcome`:
what became of a run. `scheduler`: the loop. `estimate`, `probe`: how long runs take. `display`,
`results`: what a person sees.
"""

from collections.abc import Iterable

from rich.console import Console

from bnrepro.config import ConfigError, study
from bnrepro.config.overrides import Given
from bnrepro.config.study import PlannedRun
from bnrepro.records.lock import is_held
from bnrepro.sweep.display import Board, Snapshot, States, failures, print_line, take_snapshot
from bnrepro.sweep.estimate import Speeds
from bnrepro.sweep.jobs import jobs_of
from bnrepro.sweep.launcher import Launcher, local
from bnrepro.sweep.outcome import Outcome, on_disk
from bnrepro.sweep.probe import probe
from bnrepro.sweep.results import result_tables
from bnrepro.sweep.scheduler import Rules, Scheduler
from bnrepro.sweep.slots import Slot, choose_slots, threads_per_run


def run_sweep(
    overrides: Iterable[Given],
    *,
    study_name: str | None = None,
    workers: int | None = None,
    gpus: str | None = None,
    per_gpu: int = 1,
    dry_run: bool = False,
    status: bool = False,
    retry_failed: bool = False,
    fail_fast: bool = False,
    max_failures: int | None = None,
    replicas: bool = False,
    launcher: Launcher = local,
) -> int:
    """Run a grid (`["bn=none,x1", "seed=0,1"]`), or a study, whose runs all have the overrides.

    Args:
        workers: runs at the same time; None: what cores, memory and GPUs allow.
        gpus: the GPUs to use, `"0,1"`; None: all that are seen.
        per_gpu: runs at the same time on one GPU.
        dry_run: list the runs, the time and the disk they would take, and start nothing.
        status: show how far the runs are, and start nothing.
        retry_failed: also run what failed before.
        fail_fast: stop at the first failure; the runs in progress save their work.
        max_failures: stop after so many.
        replicas: train runs that differ only in their seed as one program (backend=jax).
        launcher: how a run's process is started.

    Returns:
        The exit code: 0 all done, 1 a run failed or was stopped, 130 or 143 interrupted.

    Raises:
        ConfigError: on bad input, before anything is created.
        OSError: if the results folder cannot be written.
    """
    planned = plan(overrides, study_name)
    if max_failures is not None and max_failures < 1:
        raise ConfigError(f"max-failures={max_failures}: expected a whole number of at least 1")
    num_jobs = len(jobs_of(planned, replicas=replicas))
    places = choose_slots(num_jobs, workers, gpus, per_gpu, _device_of(overrides, planned))
    if status:
        return _show_status(planned, len(places))
    if dry_run:
        return _show_plan(planned, places, launcher, retry_failed=retry_failed)
    limit = 1 if fail_fast else max_failures
    rules = Rules(retry_failed, limit, threads_per_run(len(places)), replicas)
    return _run(planned, places, launcher, rules)


def plan(overrides: Iterable[Given], study_name: str | None = None) -> list[PlannedRun]:
    """The runs of a grid or a study.

    A study goes seed by seed: stopped halfway, it has compared everything on the same seeds.

    Raises:
        ConfigError: if an override or one of the runs is refused.
    """
    if study_name is None:
        return study.plan(overrides)
    return sorted(study.planned_runs(study_name, overrides), key=lambda run: run.seed)


def _device_of(overrides: list[str], planned: list[PlannedRun]) -> str:
    """The device of all runs of a sweep.

    A grid of devices would be the same runs several times: it is looked for in the words.
    """
    grid = [word for word in overrides if word.startswith("device=") and "," in word]
    devices = {run.composition.config.device for run in planned}
    if grid or len(devices) > 1:
        raise ConfigError(
            f"{' '.join(grid) or 'device'}: expected one device for all runs of a sweep; "
            "--gpus and --per-gpu spread runs over GPUs"
        )
    return devices.pop()


def _run(planned: list[PlannedRun], places: list[Slot], launcher: Launcher, rules: Rules) -> int:
    console = Console(stderr=True)
    speeds = _speeds(planned)

    def snapshot() -> Snapshot:
        return take_snapshot(scheduler.states(), speeds, len(places))

    def watch(run: PlannedRun, outcome: Outcome) -> None:
        board.say(run, outcome)
        if outcome.done:
            speeds.add(run.directory)

    board = Board(console, snapshot)
    scheduler = Scheduler(planned, places, launcher, rules, watch, board.refresh)
    with board:
        scheduler.work()
    states = scheduler.states()
    print_line(console, take_snapshot(states, speeds, len(places)).counts())
    _report(states)
    if scheduler.signals:
        print_line(console, "interrupted; the same command goes on from here")
        return 128 + scheduler.signals[0]
    return 0 if all(outcome.done for _, outcome in states) else 1


def _show_status(planned: list[PlannedRun], num_slots: int) -> int:
    states = [(run, _now(run)) for run in planned]
    console = Console()
    console.print(take_snapshot(states, _speeds(planned), num_slots).render())
    _report(states)
    return 0


def _now(run: PlannedRun) -> Outcome:
    if is_held(run.directory):
        return Outcome("running")
    return Outcome("waiting") if run.composition.config.force else on_disk(run)


def _show_plan(
    planned: list[PlannedRun], places: list[Slot], launcher: Launcher, *, retry_failed: bool
) -> int:
    console = Console()
    states = []
    for run in planned:
        outcome = _now(run)
        words = " ".join(map(str, run.overrides))
        print_line(console, f"{outcome.status:<11}  {run.label}  {words}")
        left = outcome.status != "running" and not outcome.stands(retry_failed=retry_failed)
        states.append((run, Outcome("waiting") if left else outcome))
    waiting = [run for run, outcome in states if outcome.status == "waiting"]
    speeds = _speeds(planned)
    for run in speeds.unknown(waiting):
        print_line(console, f"a few steps of {run.label}, to learn its speed ...")
        probe(run, speeds, launcher, places[0], threads_per_run(len(places)))
    print_line(console, take_snapshot(states, speeds, len(places)).summary())
    sizes = [speeds.size_bytes(run.composition.config) for run in waiting]
    known = [size for size in sizes if size is not None]
    disk = f"about {sum(known) / len(known) * len(sizes) / 1e6:,.1f} MB" if known else "unknown"
    print_line(console, f"{len(waiting)} to run, {len(places)} at a time; disk {disk}")
    return 0


def _speeds(planned: list[PlannedRun]) -> Speeds:
    return Speeds(sorted({run.composition.config.results_dir for run in planned}))


def _report(states: States) -> None:
    """The result table on standard output, then the failures with their logs."""
    for text in result_tables([run for run, outcome in states if outcome.done]):
        print(text)
    for line in failures(states):
        print(line)
    if any(outcome.status == "failed" for _, outcome in states):
        print("--retry-failed runs the failed ones again")
