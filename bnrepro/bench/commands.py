"""Whole commands against the clock, each in a process of its own, as a person starts them."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bnrepro.config.composition import compose, run_directory
from bnrepro.records.record import (
    CURVE_COLUMNS,
    RecordError,
    RunRecord,
    find_runs,
    read_record,
    write_record,
    write_rows,
)
from bnrepro.records.run_directory import recorded_config

_MNIST_RUN = ("experiment=figure_1_bn",)
_CIFAR10_RUN = ("experiment=bn_baseline", "scale=cpu")
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


def time_first_step(overrides: list[str]) -> dict[str, float]:
    """Seconds from the command to the end of the first step, for the paper's MNIST network."""
    return {"first_step/mnist_network": _watch_run([*_MNIST_RUN, *_SHORT, *overrides])[0]}


def watch_cifar10_run(overrides: list[str]) -> dict[str, float]:
    """Seconds to the small Inception's first step on CIFAR-10, and its process's peak memory."""
    seconds, peak_bytes = _watch_run([*_CIFAR10_RUN, *_SHORT, *overrides])
    return {"first_step/inception": seconds, "memory/cifar10": peak_bytes / 1e9}


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
    others = [word for word in overrides if not word.startswith("threads=")]
    with tempfile.TemporaryDirectory() as folder:
        _complete(["run", *_MNIST_RUN, *others, "threads=1", f"results_dir={folder}"])
        (record,) = _completed(folder)
        return {"other_time/figure_1": _other_time(record)}


def read_other_time(results_dir: str) -> dict[str, float]:
    """All other time over training time at `scale=cpu`, from runs that are there: one is too long.

    Raises:
        CommandError: if there are none.
    """
    found = [_other_time(record) for record in _completed(results_dir) if record.scale == "cpu"]
    if not found:
        raise CommandError("no completed run of scale=cpu in the results folder")
    return {"other_time/scale_cpu": statistics.median(found)}


def _other_time(record: RunRecord) -> float:
    """Evaluation, with what is watched then, checkpoints and population pass over training time."""
    seconds = record.seconds
    return (
        sum(seconds[name] for name in ("evaluate", "checkpoint", "population")) / seconds["train"]
    )


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


def _watch_run(overrides: list[str]) -> tuple[float, float]:
    """(seconds to the end of the first segment, peak memory in bytes) of `bnrepro run`."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as log:
        words = [*overrides, f"results_dir={folder}"]
        # Written at the end of the first segment.
        sign = compose(words).directory / "progress.json"
        started = time.perf_counter()
        process = subprocess.Popen(_command(["run", *words]), stdout=log, stderr=log)
        first_step: float | None = None
        ended = 0
        while not ended:
            if first_step is None and sign.exists():
                first_step = time.perf_counter() - started
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            time.sleep(_POLL_SECONDS)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        if process.returncode or first_step is None:
            _refuse("run", process.returncode, log.read())
        unit = 1 if sys.platform == "darwin" else 1024
        return first_step, usage.ru_maxrss * unit


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
