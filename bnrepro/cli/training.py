"""The commands that train: `run`, `sweep`, `plan` and `verify`."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Words, Work
from bnrepro.config import ConfigError, shown
from bnrepro.config.backend import available_threads
from bnrepro.config.device import refuse_absent
from bnrepro.config.fields import own_parts
from bnrepro.config.overrides import check_single, source_as_pinned
from bnrepro.config.own import parse
from bnrepro.config.weights_file import file_of

if TYPE_CHECKING:
    from bnrepro.config import DataConfig, RunConfig
    from bnrepro.config.composition import Composition
    from bnrepro.records.record import RunRecord

_MODULES = {"tensorflow": "tensorflow", "jax": "jax"}
_TITLES = {"tensorflow": "TensorFlow", "jax": "JAX"}


def prepare_run(words: Words) -> Work:
    """Train one network."""
    from bnrepro.config.composition import compose
    from bnrepro.config.hydra_composition import config_of, show

    if "--group" in words.flags:
        return _prepare_group(words)
    composition = compose(words.overrides, config_of)
    if "--cfg" in words.flags:
        return partial(show, words.overrides, words.flags["--cfg"])
    if "--info" in words.flags:
        from bnrepro.cli.information import show_information

        return partial(show_information, composition.config)
    return _prepare([composition])


def _prepare_group(words: Words) -> Work:
    """Train runs that differ only in numbers as one program."""
    from bnrepro.config.group import members
    from bnrepro.config.hydra_composition import config_of

    for flag in ("--cfg", "--info"):
        if flag in words.flags:
            raise ConfigError(f"{flag} with --group: expected one run; leave --group out")
    return _prepare(members(words.overrides, config_of))


def _prepare(members: "list[Composition]") -> Work:
    """Train what is not done: that is known before anything heavy is loaded."""
    from bnrepro.records.run_directory import find_finished

    check_results_directory(members[0].config.results_dir)
    finished = [record for member in members if (record := find_finished(member)) is not None]
    if len(finished) == len(members):
        return partial(_say_finished, members, finished)
    _check_surroundings(members[0].config)
    return partial(_run, members)


def _say_finished(members: "list[Composition]", records: "list[RunRecord]") -> int:
    print("done already; force=true trains it again", file=sys.stderr)
    return max(map(_say, members, records))


def _run(members: "list[Composition]") -> int:
    from bnrepro.screen.signals import answered, end_process

    # Before the training and after it there is nothing to save; a KeyboardInterrupt would get lost
    # in the callbacks that loading a framework is full of.
    with answered(end_process):
        return _train(members)


def _train(members: "list[Composition]") -> int:
    records = _trained(members)
    code = max(map(_say, members, records))
    steps = [record.train_steps for record in records if record.status == "interrupted"]
    if steps:
        print(f"the same command goes on from step {min(steps):,}", file=sys.stderr)
    return code


def _say(composition: "Composition", record: "RunRecord") -> int:
    """Print how a run has ended and where it lies; gives its exit code."""
    from bnrepro.cli.summary import result_row
    from bnrepro.config.composition import run_directory
    from bnrepro.screen import printed
    from bnrepro.screen.signals import exit_code

    print(printed(result_row(record), sys.stdout))
    print(run_directory(composition.config.results_dir, record.name, record.seed), flush=True)
    return exit_code(record.error) or int(record.status == "failed")


def _trained(members: "list[Composition]") -> "list[RunRecord]":
    """The record of each run; what is not finished is trained, several as one program."""
    from dataclasses import replace

    from bnrepro.cli.summary import device_line, summary
    from bnrepro.config import backend, device
    from bnrepro.records.run_directory import check_writable, recorded_threads
    from bnrepro.screen import width
    from bnrepro.screen.foot import foot

    first = members[0]
    check_writable(first.config.results_dir)
    threads = recorded_threads(first) or first.config.threads
    members = [replace(one, config=replace(one.config, threads=threads)) for one in members]
    config = members[0].config
    print(summary(members[0], width()), flush=True)
    backend.select(config)
    with foot().doing(f"loading {_TITLES[config.backend]}"), quiet():
        from bnrepro import engine, training
        from bnrepro.engine import processes

        processes.join(config)
        if not processes.is_first():
            _fall_silent()
        device.refuse_other(config, engine.find_devices())
        accelerator = engine.find_accelerator()
    print(device_line(accelerator, config, width()), flush=True)

    if len(members) == 1:
        return [training.run(members[0], ends_process=True)]
    from bnrepro.training.group import run_group

    return run_group(members, ends_process=True)


def _fall_silent() -> None:
    """Of processes that train together the first speaks; of another only errors are heard."""
    from bnrepro.screen.foot import foot

    foot().fall_silent()
    sys.stdout.flush()
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what libraries write to standard error, unless loading them fails.

    TensorFlow's write notes about processor and drivers, whatever their settings say.
    """
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            with redirect_stderr(sys.__stderr__):
                yield
        except ConfigError:
            raise  # one line says it
        except BaseException:
            held.seek(0)
            with suppress(OSError):
                os.write(before, held.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


def prepare_sweep(words: Words) -> Work:
    """Run a grid or a study."""
    from bnrepro.sweep import plan, run_sweep, show_status

    if "--status" in words.flags and words.study is None and _names_only_a_folder(words):
        return _folder_status(words)
    starts = words.flags.keys().isdisjoint(("--dry-run", "--probe", "--status"))
    on_slurm = words.flags.get("--launcher") == "slurm"
    for run in plan(words.overrides, words.study):
        if starts:
            _check_surroundings(run.composition.config, here=not on_slurm)
    if on_slurm and "--status" not in words.flags:
        return _prepare_slurm(words)
    workers, per_gpu = words.number("--workers"), words.number("--per-gpu") or 1
    if "--status" in words.flags:
        return partial(show_status, words.overrides, words.study, workers, per_gpu)
    return partial(
        run_sweep,
        words.overrides,
        study_name=words.study,
        workers=workers,
        gpus=words.flags.get("--gpus"),
        per_gpu=per_gpu,
        dry_run="--dry-run" in words.flags,
        probe="--probe" in words.flags,
        retry_failed="--retry-failed" in words.flags,
        fail_fast="--fail-fast" in words.flags,
        max_failures=words.number("--max-failures"),
        as_one_program="--as-one-program" in words.flags,
    )


def _prepare_slurm(words: Words) -> Work:
    """Run a grid or a study as a Slurm array."""
    from bnrepro.sweep import run_on_slurm, slurm

    for flag in ("--workers", "--gpus", "--per-gpu", "--probe", "--as-one-program"):
        if flag in words.flags:
            raise ConfigError(
                f"{flag} with --launcher slurm: expected what a run gets in launcher/slurm.yaml of "
                "--config-dir (gpus, cpus, at_once); leave it out"
            )
    slurm.load_options()
    if "--dry-run" not in words.flags:
        slurm.require()
    return partial(
        run_on_slurm,
        words.overrides,
        study_name=words.study,
        dry_run="--dry-run" in words.flags,
        retry_failed="--retry-failed" in words.flags,
        fail_fast="--fail-fast" in words.flags,
        max_failures=words.number("--max-failures"),
    )


def _names_only_a_folder(words: Words) -> bool:
    return all(override.key == "results_dir" for override in words.overrides)


def _folder_status(words: Words) -> Work:
    """How far everything is in a results folder, whoever started it."""
    from bnrepro.sweep import show_folder

    check_single(words.overrides)
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_results_directory(results_dir)
    return partial(show_folder, results_dir)


def prepare_plan(words: Words) -> Work:
    """Measure how long runs would take."""
    from bnrepro.sweep import plan, show_plan

    for run in plan(words.overrides, words.study):
        _check_surroundings(run.composition.config)
    return partial(
        show_plan,
        words.overrides,
        words.study,
        words.number("--workers"),
        words.flags.get("--gpus"),
        words.number("--per-gpu") or 1,
    )


def prepare_verify(words: Words) -> Work:
    """Train recorded runs again, and compare."""
    from bnrepro.records.record import PUBLISHED

    check_single(words.overrides)
    if words.study is not None and words.plain:
        raise ConfigError(
            f"{shown(words.plain[0])} beside study={words.study}: expected the names of runs or a "
            "study; leave one of them out"
        )
    results_dir = words.value("results_dir", PUBLISHED)
    check_results_directory(results_dir)
    return partial(_verify, words.plain, words.study, results_dir, "--publish" in words.flags)


def _verify(names: list[str], study_name: str | None, results_dir: str, publish: bool) -> int:
    from bnrepro.sweep import verification

    return verification.main(names, study_name, results_dir, publish=publish)


def _check_surroundings(config: "RunConfig", *, here: bool = True) -> None:
    """Refuse now what a run would refuse after the seconds that TensorFlow takes to load.

    Devices and cores are looked at if it trains `here`.
    """
    check_results_directory(config.results_dir)
    check_backend(config.backend)
    if here:
        refuse_absent(config)
        _warn_of_threads(config.threads)
    _check_own_parts(config)
    if config.model.weights is not None:
        file_of(config)
    _check_data(config.data)


def _check_own_parts(config: "RunConfig") -> None:
    """Refuse a part of one's own whose source is gone, or not what its digest says."""
    for key, text in own_parts(config).items():
        part = parse(text)
        if part is not None:
            source_as_pinned(key.removesuffix(".name"), part)


@cache
def _warn_of_threads(threads: int) -> None:
    if threads > available_threads():
        print(
            f"threads={threads}: this process may use {available_threads()} cores, and more "
            "threads than cores make a run slower",
            file=sys.stderr,
        )


@cache
def _check_data(config: "DataConfig") -> None:
    from bnrepro import data
    from bnrepro.data.download import SOURCES, describe
    from bnrepro.data.source import data_root

    if config.name in SOURCES:
        rows = describe(data_root(config.root))
        absent = not next(row.present for row in rows if row.name == config.name)
    else:
        absent = config.root is not None and not data_root(config.root).is_dir()
    if absent:
        # Raises, and says what is missing.
        data.load(config)


def check_backend(name: str) -> None:
    """Refuse a backend that is not installed."""
    if find_spec(_MODULES[name]) is None:
        extra = "bnrepro" if name == "tensorflow" else f"'bnrepro[{name}]'"
        other = next(backend for backend in _MODULES if backend != name)
        raise ConfigError(
            f"backend={name}: {name} is not installed; run `pip install {extra}`, "
            f"or use backend={other}"
        )
