"""Whole commands against the clock, each in a process of its own, as a person starts them."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from bnrepro.bench import building
from bnrepro.config.composition import compose, run_directory
from bnrepro.records.loading import find_runs
from bnrepro.records.record import (
    CURVE_COLUMNS,
    RecordError,
    RunRecord,
    read_record,
    write_record,
    write_rows,
)
from bnrepro.records.run_directory import recorded_config

_MNIST_RUN = ("experiment=figure_1_bn",)
_CIFAR10_RUN = ("experiment=bn_baseline", "scale=cpu")
_GPU_RUN = ("experiment=bn_x5", "scale=gpu")
_TABLE = ("inception", "bn_baseline", "bn_x5", "bn_x30")
# The first segment is one step; evaluation, checkpoint and population pass follow.
_SHORT = ("train_steps=50", "early_steps=1", "evaluate_every_early=1", "evaluate_every=50")
_CIFAR10_FACTS = {
    "name": "cifar10",
    "num_train": 50_000,
    "num_evaluation": 10_000,
    "num_classes": 10,
    "sha256": "",
}
_SWEEP_STEPS = 300
_NUM_RECORDS = 500
_POLL_SECONDS = 0.005


class CommandError(Exception):
    """A command could not be measured: why, without a path."""


def time_help(repeats: int) -> dict[str, float]:
    """`bnrepro --help`."""
    return {"command/help": _median_seconds(["--help"], repeats)}


def time_table(repeats: int) -> dict[str, float]:
    """`bnrepro table` over made-up records of four experiments."""
    with tempfile.TemporaryDirectory() as folder:
        write_records(Path(folder), _NUM_RECORDS)
        return {"command/table": _median_seconds(["table", f"results_dir={folder}"], repeats)}


def time_starts(overrides: list[str], backend: str) -> dict[str, float]:
    """Seconds from the command to the end of the first step, and of them those of compiling.

    Under JAX without compiled programs and, as `again`, for a second seed, with what they added.
    """
    facts: dict[str, float] = {}
    for name, words in (("mnist_network", _MNIST_RUN), ("inception", _CIFAR10_RUN)):
        run = [*words, *_SHORT, *overrides, f"backend={backend}"]
        with tempfile.TemporaryDirectory() as cache:
            first = _watch_run([*run, "seed=0"], cache)
            kept = _num_programs(cache)
            again = _watch_run([*run, "seed=1"], cache)
            added = _num_programs(cache) - kept
        facts |= {
            f"first_step/{name}/{backend}": again.first_step,
            f"first_step_ever/{name}/{backend}": first.first_step,
            f"compile/{name}/{backend}": first.compile_seconds,
            f"compile_again/{name}/{backend}": again.compile_seconds,
        }
        if backend == "jax":
            facts |= {f"programs/{name}": float(kept), f"programs_again/{name}": float(added)}
        if name == "inception":
            facts[f"memory/cifar10/{backend}"] = again.peak_bytes / 1e9
            facts[f"memory_compiling/cifar10/{backend}"] = first.peak_bytes / 1e9
    return facts


def _num_programs(cache: str) -> int:
    return len(list(Path(cache).glob("*-cache")))


def time_building(repeats: int, overrides: list[str]) -> dict[str, float]:
    """Seconds to build the small Inception under JAX, as it is and where Keras draws weights."""
    seconds: dict[str, list[float]] = {how: [] for how in building.HOW}
    for _ in range(repeats):
        for how, measured in seconds.items():
            words = [how, *overrides, "backend=jax"]
            done = subprocess.run(
                [sys.executable, "-P", "-m", "bnrepro.bench.building", *words],
                capture_output=True,
                text=True,
                env={**os.environ, "JAX_ENABLE_COMPILATION_CACHE": "false"},
            )
            if done.returncode:
                _refuse("bench", done.returncode, done.stderr)
            measured.append(float(done.stdout.split()[-1]))
    return {f"building/{how}": statistics.median(every) for how, every in seconds.items()}


def compare_sweep(overrides: list[str], rounds: int) -> dict[str, float]:
    """Images per second by `seconds.train`: two runs of one thread at once, one of two threads."""
    speeds: dict[str, list[float]] = {"sweep/two_workers": [], "sweep/one_process": []}
    length = [f"train_steps={_SWEEP_STEPS}", f"evaluate_every={_SWEEP_STEPS}"]
    others = [word for word in overrides if not word.startswith("threads=")]
    run = [*_CIFAR10_RUN, *length, *others]
    for _ in range(rounds):
        sweep = ["sweep", *run, "threads=1", "seed=0,1", "--workers", "2"]
        speeds["sweep/two_workers"].append(_images_per_second(sweep))
        speeds["sweep/one_process"].append(_images_per_second(["run", *run, "threads=2"]))
    return {name: statistics.median(values) for name, values in speeds.items()}


def time_figure_1_run(overrides: list[str]) -> dict[str, float]:
    """All other time of a run of figure 1 over its training time, on one thread as published."""
    record = _recorded(_on_one_thread([*_MNIST_RUN, *overrides]))
    return _shares("figure_1", record, evaluations=1.0, checkpoints=1.0)


def time_scale_cpu_run(overrides: list[str]) -> dict[str, float]:
    """The same at `scale=cpu`, from its first steps: a whole run takes half an hour.

    They have an evaluation before and one after; a whole run has one more than intervals.
    """
    config = compose([*_CIFAR10_RUN, *overrides]).config
    every = config.evaluate_every_early
    intervals = config.early_steps // every
    intervals += (config.train_steps - config.early_steps) // config.evaluate_every
    steps = [f"train_steps={every}", f"checkpoint_every={every}"]
    record = _recorded(_on_one_thread([*_CIFAR10_RUN, *overrides, *steps]))
    length = config.train_steps / every  # of the whole run, in parts of which one was trained
    checkpoints = config.train_steps / config.checkpoint_every / length
    return _shares("scale_cpu", record, (intervals + 1) / 2 / length, checkpoints, 1 / length)


def time_evaluations(overrides: list[str]) -> dict[str, float]:
    """Seconds of an evaluation of `scale=gpu` with all that is watched, over the first steps."""
    config = compose([*_GPU_RUN, *overrides]).config
    every, intervals = config.evaluate_every_early, 6
    record = _recorded([*_GPU_RUN, *overrides, f"train_steps={intervals * every}"])
    # There is one before the first step, too.
    return {"evaluation/scale_gpu": record.seconds["evaluate"] / (intervals + 1)}


def _recorded(words: list[str]) -> RunRecord:
    """The record of a run."""
    with tempfile.TemporaryDirectory() as folder:
        _complete(["run", *words, f"results_dir={folder}"])
        (record,) = _completed(folder)
        return record


def _on_one_thread(words: list[str]) -> list[str]:
    return [*(word for word in words if not word.startswith("threads=")), "threads=1"]


def _shares(
    name: str, record: RunRecord, evaluations: float, checkpoints: float, populations: float = 1.0
) -> dict[str, float]:
    """Time over training time: all other time, and that beside the passes over whole splits.

    The factors turn the record's seconds into those of a whole run, for as much training.
    """
    seconds = record.seconds
    watching = evaluations * (seconds["evaluate"] - seconds["score"])
    beside = watching + checkpoints * seconds["checkpoint"]
    passes = evaluations * seconds["score"] + populations * seconds["population"]
    return {
        f"other_time/{name}": (beside + passes) / seconds["train"],
        f"beside/{name}": beside / seconds["train"],
    }


def write_records(results_dir: Path, count: int) -> None:
    """Records and curves of runs that were never trained."""
    for position, experiment in enumerate(_TABLE):
        composition = compose([f"experiment={experiment}", "scale=cpu"])
        last = composition.config.train_steps
        steps = range(0, last + 1, 1000)
        for seed in range(position, count, len(_TABLE)):
            config = replace(composition.config, seed=seed)
            directory = run_directory(results_dir, composition.name, seed)
            directory.mkdir(parents=True)
            rows = [[step, 2.0, 0.3, 2.0, step / (2 * last), 0.01, 0.1 * step] for step in steps]
            write_rows(directory / "curve.csv", CURVE_COLUMNS, rows)
            record = RunRecord(
                name=composition.name,
                experiment=composition.experiment,
                scale=composition.scale,
                seed=seed,
                status="completed",
                train_steps=last,
                config=recorded_config(config),
                environment={"threads": 1, "backend": config.backend, "device": "none"},
                data=_CIFAR10_FACTS,
                num_parameters=1,
                best_accuracy=0.5,
                best_accuracy_step=last,
                final_accuracy=0.5,
                final_accuracy_population=0.5,
                seconds={"train": 100.0, "total": 120.0},
            )
            write_record(directory, record)


def _completed(results_dir: str) -> list[RunRecord]:
    try:
        records = [read_record(directory) for directory in find_runs(results_dir)]
    except RecordError as error:
        raise CommandError("a record in the results folder cannot be read") from error
    return [record for record in records if record.status == "completed"]


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "bnrepro", *arguments]


def _complete(arguments: list[str]) -> None:
    """Run a command to its end.

    Raises:
        CommandError: if it fails.
    """
    done = subprocess.run(_command(arguments), capture_output=True, text=True)
    if done.returncode:
        _refuse(arguments[0], done.returncode, done.stderr)


def _refuse(name: str, code: int, said: str) -> NoReturn:
    # To the person alone: a message may name a path, and a report never does.
    print("\n".join(said.strip().splitlines()[-1:]), file=sys.stderr)
    raise CommandError(f"`bnrepro {name}` ended with exit code {code}")


def _median_seconds(arguments: list[str], repeats: int) -> float:
    """The median of some repeats; one before them reads the files for the others."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        _complete(arguments)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


@dataclass(frozen=True)
class _Watched:
    """What was seen of a `bnrepro run`."""

    first_step: float  # seconds from the command to the end of the first segment
    compile_seconds: float
    peak_bytes: int


def _watch_run(overrides: list[str], cache: str) -> _Watched:
    """Watch a run whose compiled programs lie in the folder `cache`."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        words = [*overrides, f"results_dir={folder}"]
        # Written at the end of the first segment.
        sign = compose(words).directory / "progress.json"
        started = time.perf_counter()
        process = subprocess.Popen(
            _command(["run", *words]),
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "JAX_COMPILATION_CACHE_DIR": cache,
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            },
        )
        first_step: float | None = None
        while process.poll() is None:
            if first_step is None and sign.exists():
                first_step = time.perf_counter() - started
            time.sleep(_POLL_SECONDS)
        log.seek(0)
        if process.returncode or first_step is None:
            _refuse("run", process.returncode, log.read())
        (record,) = _completed(folder)
        return _Watched(first_step, record.seconds["compile"], record.peak_memory["host"] or 0)


def _images_per_second(arguments: list[str]) -> float:
    """The sum over the runs of a command."""
    folder = tempfile.mkdtemp()
    try:
        _complete([*arguments, f"results_dir={folder}"])
        return sum(
            record.train_steps * record.config["batch_size"] / record.seconds["train"]
            for record in _completed(folder)
        )
    finally:
        shutil.rmtree(folder)
