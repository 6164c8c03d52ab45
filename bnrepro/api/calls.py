"""The commands `run` and `sweep`, called from Python: a process each, as on a command line.

Keras has one backend, one number format and one number of threads a process; what a run computes
must not depend on what the calling program has done with them.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, get_origin

import numpy as np

from bnrepro.config import ConfigError, study
from bnrepro.config.composition import compose
from bnrepro.config.overrides import Override, keys, read_all
from bnrepro.config.overrides.values import spell
from bnrepro.records.loading import load_runs

if TYPE_CHECKING:
    import pandas as pd

# Exit codes of a process that has done all it could: 1 says that a run failed.
_DONE, _FAILED = 0, 1


def run(*words: str, **values: Any) -> "pd.Series":
    """Train one network, as `bnrepro run` does, and give its row of `load_runs`.

    What is done already is not trained again; what was interrupted goes on. What the command prints
    is printed.

        run = bnrepro.run("bn=x5", model="inception", train_steps=2000)
        print(run["best_accuracy"])
        model = bnrepro.load_model(run)

    Args:
        words: words of a command line, such as `"model.width=0.5"`.
        values: keys without a dot with their values, such as `seed=3` or `accelerate=["dropout"]`.

    Raises:
        ConfigError: on bad input; nothing has been created then.
        RuntimeError: if the run failed, with the reason.
        KeyboardInterrupt: if it was interrupted; the same call goes on.
    """
    given = _overrides(words, values)
    composition = compose(given)
    _call("run", given)
    wanted = [(composition.name, composition.config.seed)]
    return _rows(composition.config.results_dir, wanted).iloc[0]


def sweep(*words: str, study: str | None = None, **values: Any) -> "pd.DataFrame":
    """Train many networks, as `bnrepro sweep` does, and give their rows of `load_runs`, in order.

    A list, tuple or range of values is a grid: `bnrepro.sweep(bn=["none", "x1"], seed=range(3))` is
    six runs. Of a key that takes a list, such as `accelerate`, a list of lists is one.

    Args:
        words: words of a command line, such as `"bn=none,x1"`.
        study: the name of a study, to whose runs the words apply.
        values: keys without a dot with their values.

    Raises:
        ConfigError: on bad input; nothing has been created then.
        RuntimeError: if a run failed, with the reason of the first one; the others were trained.
        KeyboardInterrupt: if it was interrupted; the same call goes on.
    """
    given = _overrides(words, values)
    planned = _planned(study, given)
    _call("sweep", given, [] if study is None else [f"study={study}"])
    results_dir = planned[0].composition.config.results_dir
    return _rows(results_dir, [(run.name, run.seed) for run in planned])


def _planned(name: str | None, given: list[Override]) -> list[study.PlannedRun]:
    return study.plan(given) if name is None else study.planned_runs(name, given)


def _overrides(words: Sequence[str], values: dict[str, Any]) -> list[Override]:
    for word in words:
        if not isinstance(word, str):
            raise ConfigError(
                f"{word!r}: expected words of a command line, such as 'seed=3'; other values have "
                "a name, such as seed=3"
            )
    return read_all([*words, *(f"{key}={_spelled(key, value)}" for key, value in values.items())])


def _spelled(key: str, value: Any) -> str:
    """A value, or several of a grid, as on a command line."""
    takes_list = get_origin(keys().get(key)) is list
    several = isinstance(value, list | tuple | range | np.ndarray)
    if several and (not takes_list or all(isinstance(item, list) for item in value) and len(value)):
        return ",".join(spell(_plain(item)) for item in value)
    return spell(_plain(value))


def _plain(value: Any) -> Any:
    """A number of NumPy's as Python's; a tuple of names as a list."""
    if isinstance(value, np.generic):
        return value.item()
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _call(command: str, given: Iterable[Override], further: Iterable[str] = ()) -> None:
    """Run the command and print what it prints, line by line, where a notebook shows it."""
    words = [sys.executable, "-m", "bnrepro", command, *further, *map(str, given)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, env=environment, text=True, errors="replace", **pipes) as process:
        try:
            last = _printed(process)
        except KeyboardInterrupt:
            # It saves its work; in a terminal the signal has come to it already.
            process.send_signal(signal.SIGINT)
            _printed(process)
            raise
    if process.returncode not in (_DONE, _FAILED):
        if process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM):
            raise KeyboardInterrupt
        raise RuntimeError(last or f"bnrepro {command}: exit code {process.returncode}")


def _printed(process: "subprocess.Popen[str]") -> str:
    last = ""
    for line in process.stdout or ():
        print(line, end="")
        last = line.strip() or last
    process.wait()
    return last


def _rows(results_dir: str, wanted: Sequence[tuple[str, int]]) -> "pd.DataFrame":
    """The rows of these runs, in this order.

    Raises:
        RuntimeError: if one of them failed or is not there.
    """
    runs = load_runs(results_dir)
    found = {key: row for row, key in enumerate(zip(runs["name"], runs["seed"], strict=True))}
    absent = [f"{name} seed {seed}" for name, seed in wanted if (name, seed) not in found]
    if absent:
        raise RuntimeError(f"{absent[0]}: it left no record below {results_dir}")
    rows = runs.iloc[[found[key] for key in wanted]].reset_index(drop=True)
    failed = rows[rows["status"] == "failed"]
    if len(failed):
        first = failed.iloc[0]
        raise RuntimeError(f"{first['name']} seed {first['seed']} failed: {first['error']}")
    return rows
