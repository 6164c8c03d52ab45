"""The commands of `bnrepro`. To add one: a `prepare_` function and an entry in `COMMANDS`.

A `prepare_` function checks its words as far as that goes without doing anything, and returns what
does the work and gives the exit code.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bnrepro.cli.completion import SHELLS, complete, script
from bnrepro.cli.exhibits import (
    prepare_bench,
    prepare_claims,
    prepare_ensemble,
    prepare_figure,
    prepare_report,
)
from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Command, Flag, Words
from bnrepro.config import ConfigError, did_you_mean
from bnrepro.overrides import check_single, shown

if TYPE_CHECKING:
    from bnrepro.composition import Composition
    from bnrepro.config import DataConfig, RunConfig
    from bnrepro.record import RunRecord

Work = Callable[[], int]

_CONFIG_DIR = Flag(
    "--config-dir", "a folder with files of your own: DIR/experiment/mine.yaml", "DIR"
)
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_MODULES = {"tensorflow": "tensorflow", "jax": "jax"}


def prepare_run(words: Words) -> Work:
    """Train one network."""
    from bnrepro.composition import compose, show

    overrides = words.override_words()
    composition = compose(overrides)
    if "--cfg" in words.flags or "--info" in words.flags:
        return lambda: show(overrides, words.flags.get("--cfg"), words.flags.get("--info"))
    _check_surroundings(composition.config)
    return partial(_run, composition)


def _run(composition: "Composition") -> int:
    from bnrepro.record import run_directory
    from bnrepro.tables import result_row

    codes = []
    for record in _records(composition):
        print(result_row(record))
        print(run_directory(composition.config.results_dir, record.name, record.seed))
        codes.append(_EXIT_CODES.get(record.error or "", int(record.status == "failed")))
    return max(codes)


# What the shell would say of a process that the signal had ended.
_EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}


def _records(composition: "Composition") -> list["RunRecord"]:
    """The record of the run, or of each replica; what is not finished is trained."""
    from dataclasses import replace

    from bnrepro import backend
    from bnrepro.cli.summary import summary
    from bnrepro.run_directory import find_finished, recorded_threads

    alone = composition.config.replicas == 1
    finished = find_finished(composition) if alone else None
    if finished is not None:
        return [finished]
    threads = recorded_threads(composition) or composition.config.threads
    composition = replace(composition, config=replace(composition.config, threads=threads))
    with _leaving_at_once():
        print(summary(composition), flush=True)
        backend.select(composition.config)
        with _quiet():
            from bnrepro import engine, training

            engine.find_devices()

    if alone:
        return [training.run(composition)]
    from bnrepro.training.replicas import run_replicas

    return run_replicas(composition)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what libraries write to standard error, unless loading them fails.

    TensorFlow's write notes about processor and drivers, whatever their settings say.
    """
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(before, held.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """Inside, Ctrl-C ends the process: nothing is begun, and a KeyboardInterrupt may get lost.

    Python drops an exception that is raised in a callback, and loading a framework is full of them.
    """
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(_EXIT_CODES["SIGINT"]))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def prepare_sweep(words: Words) -> Work:
    """Run a grid or a study."""
    from bnrepro.sweep import plan, run_sweep

    overrides = words.override_words()
    if words.study is not None:
        overrides.insert(0, f"study={words.study}")
    starts = words.flags.keys().isdisjoint(("--dry-run", "--status"))
    for run in plan(overrides):
        if starts:
            _check_surroundings(run.composition.config)
    return partial(
        run_sweep,
        overrides,
        workers=words.number("--workers"),
        gpus=words.flags.get("--gpus"),
        per_gpu=words.number("--per-gpu") or 1,
        dry_run="--dry-run" in words.flags,
        status="--status" in words.flags,
        retry_failed="--retry-failed" in words.flags,
        fail_fast="--fail-fast" in words.flags,
        max_failures=words.number("--max-failures"),
        replicas="--replicas" in words.flags,
    )


def prepare_table(words: Words) -> Work:
    """Tabulate records."""
    check_single(words.overrides)
    target = _target(words.flags.get("--target"))
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_results_directory(results_dir)
    if words.study is not None:
        from bnrepro.study import planned_runs

        planned_runs(words.study, words.override_words())
    else:
        for override in words.overrides:
            if override.key != "results_dir":
                raise ConfigError(
                    f"{shown(override.word())}: expected study=NAME beside it; name experiments "
                    "(`bnrepro table bn_x5`) to choose among records"
                )
    return partial(_table, words, results_dir, target)


def _table(words: Words, results_dir: str, target: float | None) -> int:
    from bnrepro import record, tables

    runs = record.load_runs(results_dir)
    if words.study is not None:
        from bnrepro import study

        planned = study.planned_runs(words.study, words.override_words())
        missing = study.missing(planned)
        if missing:
            command = study.command(words.study, words.override_words())
            line = f"{len(missing)} of {len(planned)} runs are missing; make them with {command}"
            print(line, file=sys.stderr)
        wanted = {(run.name, run.seed) for run in planned}
        chosen = [key in wanted for key in zip(runs["name"], runs["seed"], strict=True)]
        runs = runs[chosen]
    runs = tables.select(runs, words.plain)
    curves = record.load_curves(results_dir)
    reference = words.flags.get("--reference")
    table = tables.table(runs, curves, target=target, reference=reference)
    form = words.flags.get("--format", "text")
    render = {"text": tables.to_text, "csv": tables.to_csv, "markdown": tables.to_markdown}[form]
    sys.stdout.write(render(table))
    return 0


def _target(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        target = float(text)
    except ValueError:
        target = 0.0
    if 0 < target <= 1:
        return target
    hint = f"; did you mean {target / 100:g}?" if 1 < target <= 100 else ""
    raise ConfigError(f"--target {shown(text)}: expected an accuracy above 0 and up to 1{hint}")


def prepare_data(words: Words) -> Work:
    """List, download or verify data sets."""
    check_single(words.overrides)
    actions = {"list": _list_data, "download": _download_data, "verify": _verify_data}
    action, *names = words.plain or ["list"]
    if action not in actions:
        raise ConfigError(
            f"{shown(action)}: expected one of {', '.join(actions)}"
            f"{did_you_mean(action, list(actions))}"
        )
    most = {"list": 0, "download": 1, "verify": 1}[action]
    if len(names) > most or (action == "download" and not names):
        raise ConfigError(
            f"data {shown(' '.join(words.plain))}: expected `bnrepro data list`, "
            "`bnrepro data download NAME` or `bnrepro data verify [NAME]`"
        )
    from bnrepro.data.download import SOURCES, verify
    from bnrepro.data.source import data_root

    root = data_root(words.value("data.root", "") or None)
    for name in names:
        if name not in SOURCES:
            # The error that names the sets there are; nothing is read for it.
            verify(name, root)
    return partial(actions[action], root, names)


def _list_data(root: Path, _names: list[str]) -> int:
    from bnrepro.data.download import describe

    for row in describe(root):
        shape = "x".join(map(str, row.image_shape)) if row.image_shape else "any size"
        present = {True: "here", False: "not here", None: ""}[row.present]
        examples = row.examples or "yours"
        print(f"{row.name:<14} {examples:<16} {shape:<9} {present:<9} {row.where}".rstrip())
    return 0


def _download_data(root: Path, names: list[str]) -> int:
    from bnrepro.data.download import download

    for path in download(names[0], root):
        print(path)
    return 0


def _verify_data(root: Path, names: list[str]) -> int:
    from bnrepro.data.download import SOURCES, describe, verify

    here = [row.name for row in describe(root) if row.present and row.name in SOURCES]
    if not names and not here:
        raise ConfigError(f"{root}: no data set here; `bnrepro data download NAME` brings one")
    checks = [check for name in names or here for check in verify(name, root)]
    for check in checks:
        print(f"{check.file}: ok" if check.ok else check.message)
    return 0 if all(check.ok for check in checks) else 1


def prepare_tensorboard(words: Words) -> Work:
    """Show the runs in TensorBoard."""
    check_single(words.overrides)
    port = words.number("--port") or 6006
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_results_directory(results_dir)
    runs = Path(results_dir) / "runs"
    if not any(runs.glob("*/seed_*/tensorboard")):
        raise ConfigError(
            f"results_dir={shown(results_dir)}: no run with TensorBoard files; "
            "`bnrepro run` makes one"
        )
    command = ["--logdir", str(runs), "--port", str(port)]
    if "--host" in words.flags:
        command += ["--host", words.flags["--host"]]
    return partial(_replace_process, [sys.executable, "-m", "tensorboard.main", *command])


def _replace_process(command: list[str]) -> int:
    sys.stdout.flush()
    os.execv(command[0], command)


def prepare_completion(words: Words) -> Work:
    """Print a shell's completion script, or answer one of its questions."""
    if "--query" in words.flags:
        return partial(_print_lines, complete(words.flags["--query"], COMMANDS))
    shell = words.plain[0] if len(words.plain) == 1 else " ".join(words.plain)
    if shell not in SHELLS:
        raise ConfigError(
            f"completion {shown(shell)}: expected one of {', '.join(SHELLS)}"
            f"{did_you_mean(shell, SHELLS)}"
        )
    return partial(_print_lines, [script(shell)])


def _print_lines(lines: list[str]) -> int:
    for line in lines:
        print(line)
    return 0


def _check_surroundings(config: "RunConfig") -> None:
    """Refuse now what a run would refuse after the seconds that TensorFlow takes to load."""
    check_results_directory(config.results_dir)
    _check_backend(config.backend)
    _check_data(config.data)


@cache
def _check_data(config: "DataConfig") -> None:
    from bnrepro import data
    from bnrepro.data.download import SOURCES, describe
    from bnrepro.data.source import data_root

    if config.name in SOURCES:
        rows = describe(data_root(config.root))
        absent = not next(row.present for row in rows if row.name == config.name)
    else:
        absent = config.root is not None and not Path(config.root).expanduser().is_dir()
    if absent:
        # Raises, and says what is missing.
        data.load(config)


def _check_backend(name: str) -> None:
    if find_spec(_MODULES[name]) is None:
        extra = "bnrepro" if name == "tensorflow" else f"'bnrepro[{name}]'"
        other = next(backend for backend in _MODULES if backend != name)
        raise ConfigError(
            f"backend={name}: {name} is not installed; run `pip install {extra}`, "
            f"or use backend={other}"
        )


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "run",
            "train one network and leave its record",
            "[group=choice ...] [key=value ...]",
            prepare_run,
            (
                Flag("--multirun", "the same as `bnrepro sweep`", short="-m"),
                _CONFIG_DIR,
                Flag("--cfg", "print the composed config", "PART", ("job", "hydra", "all")),
                Flag("--info", "print how the config is composed", "PART", _INFO, default="all"),
            ),
            keys=None,
            examples=(
                ("bnrepro run model=inception bn=x5", "digits, which need no download"),
                ("bnrepro run model=mlp bn=x1 data=mnist", "the paper's MNIST network"),
                ("bnrepro run experiment=bn_x5 scale=cpu seed=3", "a row of the paper's table"),
                ("bnrepro run model=cnn data=mnist learning_rate=0.05 model.width=2", "any key"),
            ),
        ),
        Command(
            "sweep",
            "train many: a grid of choices and values, or a study",
            "[study=NAME] [group=a,b ...] [key=1,2 ...]",
            prepare_sweep,
            (
                Flag("--workers", "runs at the same time (default: what the machine bears)", "N"),
                Flag("--gpus", "the GPUs to use (default: all)", "0,1"),
                Flag("--per-gpu", "runs at the same time on one GPU (default: 1)", "N"),
                Flag("--dry-run", "list the runs, their time and disk; start nothing"),
                Flag("--status", "how far the runs are; start nothing"),
                Flag("--retry-failed", "also run what failed before"),
                Flag("--fail-fast", "stop at the first failure"),
                Flag("--max-failures", "stop after so many failures", "N"),
                Flag("--replicas", "seeds of one config as one program (backend=jax)"),
                _CONFIG_DIR,
            ),
            keys=None,
            takes_study=True,
            examples=(
                ("bnrepro sweep bn=none,x1,x5 seed=0,1", "six runs on digits"),
                ("bnrepro sweep experiment=inception,bn_x5 scale=cpu seed=0,1,2", "a small table"),
                ("bnrepro sweep study=figure_2 scale=cpu --dry-run", "what a study would take"),
            ),
        ),
        Command(
            "table",
            "steps to target and best accuracy per experiment, over seeds",
            "[study=NAME] [experiment ...] [results_dir=DIR]",
            prepare_table,
            (
                Flag("--format", "how it is printed", "FORM", ("text", "csv", "markdown")),
                Flag("--target", "the accuracy to reach, such as 0.722", "ACCURACY"),
                Flag("--reference", "whose best accuracy is the target", "EXPERIMENT"),
            ),
            keys=None,
            takes_plain_words=True,
            takes_study=True,
            examples=(
                ("bnrepro table", "all records under results/"),
                ("bnrepro table inception 'bn_*' --reference inception", "some of them"),
                ("bnrepro table study=figure_2 scale=cpu --format csv", "a study's"),
            ),
        ),
        Command(
            "figure",
            "draw a figure of the paper from the records",
            "1 | 2 | 4 | placement | batch_size  [scale=cpu] [results_dir=DIR]",
            prepare_figure,
            keys=("results_dir", "scale"),
            plain_words=("1", "2", "4", "placement", "batch_size"),
            takes_plain_words=True,
            examples=(
                ("bnrepro figure 1", "accuracy and pre-activations on MNIST"),
                ("bnrepro figure 2 scale=cpu", "the five networks of the paper's table"),
            ),
        ),
        Command(
            "report",
            "all exhibits on one page",
            "[results_dir=DIR]",
            prepare_report,
            keys=("results_dir",),
        ),
        Command(
            "claims",
            "test what the paper claims, with a verdict",
            "[C1 C2 ...] [results_dir=DIR]",
            prepare_claims,
            (Flag("--format", "how it is printed", "FORM", ("text", "csv", "markdown")),),
            keys=("results_dir",),
            takes_plain_words=True,
        ),
        Command(
            "ensemble",
            "errors of the mean of several networks' class probabilities",
            "RUN ... [results_dir=DIR]",
            prepare_ensemble,
            keys=("results_dir",),
            takes_plain_words=True,
            examples=(("bnrepro ensemble 'bn_x30-cpu*'", "all seeds of one experiment"),),
        ),
        Command(
            "bench",
            "steps per second of the engine beside what others reach",
            "[backend=NAME] [results_dir=DIR]",
            prepare_bench,
            (Flag("--quick", "fewer rounds and networks, under three minutes"),),
            keys=None,
        ),
        Command(
            "data",
            "list, download or verify data sets",
            "list | download NAME | verify [NAME]  [data.root=DIR]",
            prepare_data,
            keys=("data.root",),
            plain_words=("list", "download", "verify", "mnist", "fashion_mnist", "cifar10"),
            takes_plain_words=True,
            examples=(
                ("bnrepro data list", "what there is, and what is here"),
                ("bnrepro data download cifar10", "into BNREPRO_DATA, else ~/.cache/bnrepro"),
                ("bnrepro data verify", "whether the files are what was published"),
            ),
        ),
        Command(
            "tensorboard",
            "show the runs in TensorBoard",
            "[results_dir=DIR]",
            prepare_tensorboard,
            (
                Flag("--port", "where it listens (default: 6006)", "N"),
                Flag("--host", "for whom it listens (default: this machine)", "ADDRESS"),
            ),
            keys=("results_dir",),
        ),
        Command(
            "completion",
            "print the tab completion of a shell",
            "bash | zsh | fish",
            prepare_completion,
            (Flag("--query", "the words that may follow a line", "LINE"),),
            plain_words=("bash", "zsh", "fish"),
            takes_plain_words=True,
            examples=(
                ('eval "$(bnrepro completion bash)"', "in ~/.bashrc"),
                ('eval "$(bnrepro completion zsh)"', "in ~/.zshrc, after compinit"),
                ("bnrepro completion fish | source", "in ~/.config/fish/config.fish"),
            ),
        ),
    )
}
