"""`bnrepro bench`: steps per second of the engine beside what a person would otherwise use.

`workloads`: what is trained. `plan`: who is timed on it. `processes` and `worker`: where each
framework trains, in a process of its own that waits until it is asked. `contenders`: the ways to
train. `measure`: rounds in turn, and the check that all train the same. `peaks`, `flops`: the
machine's limit. `commands`: whole commands against the clock. `sharing`: several runs on one GPU at
once. `figures_to_reach`: what should come out. `report`: the files.

This process never loads TensorFlow, Keras, JAX or PyTorch.
"""

import datetime
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from importlib import metadata
from pathlib import Path

from bnrepro.bench import commands, report, sharing
from bnrepro.bench.commands import CommandError
from bnrepro.bench.measure import Member, attempt, play_rounds, refuse_other_losses
from bnrepro.bench.plan import Plan
from bnrepro.bench.processes import Worker, WorkerError, installed
from bnrepro.bench.report import Measured
from bnrepro.bench.workloads import WORKLOADS, Workload
from bnrepro.config import BACKENDS, ConfigError, one_of
from bnrepro.config.backend import available_threads
from bnrepro.records.environment import mps_daemon_runs, processor, software

__all__ = ["main"]

# Whatever devices there may be: it is not known before a framework is loaded.
_SOME_DEVICES = 2


def main(overrides: list[str], *, plan: Plan, results_dir: str) -> int:
    """Measure, write `results_dir`/bench/<device>-<date>.json and .md, and print the table.

    `overrides` are added to every run that is timed; `backend=...` leaves the other backend out.

    Returns:
        0, or 1 if a contender failed or trained something else than the others.

    Raises:
        ConfigError: if the overrides are refused, or no backend is installed.
        OSError: if the results folder cannot be written.
    """
    frameworks, overrides = _choose_frameworks(overrides)
    for workload in WORKLOADS:
        workload.compose(True, overrides)
    # A folder that cannot be written is better known now than after the measurements.
    (Path(results_dir) / "bench").mkdir(parents=True, exist_ok=True)
    measured = _open(plan, frameworks, overrides)
    for workload in WORKLOADS:
        if measured.plan.covers(workload):
            _measure_workload(measured, workload, frameworks, overrides)
    if plan.covers_commands:
        _measure_commands(measured, overrides, [one for one in frameworks if one in BACKENDS])
    if plan.covers_gpu and "jax" in frameworks:
        _measure_gpu(measured, overrides)
    path = report.write(measured, results_dir, datetime.date.today())
    print(path.read_text())
    return 0 if measured.is_whole else 1


def _choose_frameworks(overrides: list[str]) -> tuple[list[str], list[str]]:
    """The frameworks to measure, and the overrides without the word that chooses among them."""
    prefix = "backend="
    chosen = [word.removeprefix(prefix) for word in overrides if word.startswith(prefix)]
    rest = [word for word in overrides if not word.startswith(prefix)]
    for name in chosen:
        one_of("backend", name, BACKENDS)
    frameworks = [
        framework
        for framework in installed()
        if not chosen or framework in chosen or framework not in BACKENDS
    ]
    if not any(framework in BACKENDS for framework in frameworks):
        wanted = " or ".join(chosen or BACKENDS)
        raise ConfigError(f"bench: expected {wanted} to be installed; install bnrepro's extras")
    if "torch" not in frameworks:
        _say("torch is not installed: its contender is left out")
    return frameworks, rest


def _open(chosen: Plan, frameworks: list[str], overrides: list[str]) -> Measured:
    config = WORKLOADS[0].compose(True, overrides).config
    threads = config.threads or available_threads()
    facts = software()
    versions = facts["versions"]
    if "torch" in frameworks:
        versions = {**versions, "torch": metadata.version("torch")}
    return Measured(
        chosen,
        threads,
        processor(),
        None,
        versions,
        facts["commit"],
        facts["dirty"],
        mps_daemon_runs(),
    )


def _measure_workload(
    measured: Measured, workload: Workload, frameworks: list[str], overrides: list[str]
) -> None:
    """Build all contenders, check that they train the same, and let them take turns."""
    _say(workload.words)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(closing(Worker(framework, workload.name, overrides)))
            for framework in frameworks
            if measured.plan.members(framework, workload, frameworks, True, _SOME_DEVICES)
        ]
        members = []
        for worker in workers:
            found = _look_at_device(measured, worker)
            mine = measured.plan.members(worker.framework, workload, frameworks, *found)
            members += [Member(worker, worker.framework, *choice) for choice in mine]
        measured.workloads.append((workload, members))
        first = len(measured.workloads) == 1
        look = partial(_look_at_peaks, measured, workers if first else [])
        look()
        ready = attempt(members, Member.build)
        ready = attempt(ready, lambda member: member.take_first_steps(workload.agreement_steps))
        ready = refuse_other_losses(ready, workload.tolerance)
        seconds = measured.plan.seconds_per_round
        ready = attempt(ready, lambda member: member.warm_up_for(seconds))
        play_rounds(ready, measured.plan.rounds)
        look()
    for member in members:
        if member.refused is not None:
            _say(f"{member.label}: refused: {member.refused}")


def _look_at_device(measured: Measured, worker: Worker) -> tuple[bool, int]:
    """Whether the framework computes on an accelerator, whose name is the report's; how many."""
    try:
        answer = worker.ask("device")
    except WorkerError as error:
        measured.failures[f"{worker.framework}: its device"] = str(error)
        return False, 1
    accelerator = answer["accelerator"]
    if accelerator is not None:
        measured.accelerator = measured.device = accelerator
    measured.num_devices = max(measured.num_devices, answer["count"])
    return accelerator is not None, answer["count"]


def _look_at_peaks(measured: Measured, workers: list[Worker]) -> None:
    """The most that the machine could do, each time it was looked at."""
    quantities = ("float32", "bfloat16", "copy") if measured.accelerator else ("float32",)
    for worker in workers:
        if worker.framework not in BACKENDS:
            continue
        try:
            for quantity in quantities:
                name = f"{worker.framework} {quantity}"
                value = worker.ask("peak", quantity=quantity)["value"]
                measured.peaks[name] = max(value, measured.peaks.get(name, 0.0))
        except WorkerError as error:
            measured.failures[f"{worker.framework}: the machine's peak"] = str(error)


def _measure_commands(measured: Measured, overrides: list[str], backends: list[str]) -> None:
    repeats = measured.plan.repeats
    first = [*overrides, f"backend={backends[0]}"]
    measurements: dict[str, Callable[[], dict[str, float]]] = {
        "`bnrepro --help`": partial(commands.time_help, repeats),
        "`bnrepro table`": partial(commands.time_table, repeats),
    }
    for backend in backends[:1] if measured.plan.quick else backends:
        words = f"time to the first step, compiling and memory, {backend}"
        measurements[words] = partial(commands.time_starts, overrides, backend)
    if "jax" in backends and not measured.plan.quick:
        measurements["building, jax"] = partial(commands.time_building, min(3, repeats), overrides)
    if not measured.plan.quick:
        measurements["other time of figure 1"] = partial(commands.time_figure_1_run, first)
        measurements["other time of scale=cpu"] = partial(commands.time_scale_cpu_run, first)
    if not measured.plan.quick and not measured.plan.only:
        measurements["sweep"] = partial(commands.compare_sweep, first, 3)
    _measure(measured, measurements)


def _measure_gpu(measured: Measured, overrides: list[str]) -> None:
    """What is asked of a GPU alone, under JAX."""
    with closing(Worker("jax", WORKLOADS[0].name, overrides)) as worker:
        if not _look_at_device(measured, worker):
            return
    _measure(
        measured,
        {
            "several runs at once": partial(
                sharing.time_shared, overrides, measured.plan.seconds_per_round / 2
            ),
            "evaluations of scale=gpu": partial(
                commands.time_evaluations, [*overrides, "backend=jax"]
            ),
        },
    )


def _measure(measured: Measured, measurements: dict[str, Callable[[], dict[str, float]]]) -> None:
    for what, measure in measurements.items():
        _say(what)
        try:
            measured.commands |= measure()
        except (CommandError, WorkerError) as error:
            measured.failures[what] = str(error)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
