"""The command that computes the studies of the laboratory."""

import shlex
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Words, Work
from bnrepro.config import ConfigError, did_you_mean, first_few, shown
from bnrepro.config.overrides import check_single
from bnrepro.lab.studies import BY_JAX, STUDIES
from bnrepro.records.laboratory import FOR_GPU, GPU, PUBLISHED_SCALE, SCALES


def prepare_laboratory(words: Words) -> Work:
    """Compute studies, or list what makes everything that is shown of the laboratory."""
    check_single(words.overrides)
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_results_directory(results_dir)
    scale = words.value("scale", "") or None
    if "--commands" in words.flags:
        return partial(_list_commands, results_dir, scale)
    if scale is not None and scale not in SCALES:
        raise ConfigError(
            f"scale={shown(scale)}: expected smoke or gpu, or no scale for what is published"
        )
    for name in words.plain:
        if name not in STUDIES:
            raise ConfigError(
                f"{shown(name)}: expected studies among {', '.join(STUDIES)}"
                f"{did_you_mean(name, list(STUDIES))}"
            )
    open_to = FOR_GPU if scale == GPU else STUDIES
    chosen = [name for name in STUDIES if name in (words.plain or open_to)]
    _check_scale(chosen, scale)
    _check_jax(chosen)
    return partial(_compute, chosen, results_dir, scale or PUBLISHED_SCALE)


def _check_scale(names: list[str], scale: str | None) -> None:
    without = [name for name in names if name not in FOR_GPU]
    if scale == GPU and without:
        raise ConfigError(
            f"{first_few(without)}: no scale=gpu; there is one of {', '.join(FOR_GPU)}"
        )


def _check_jax(names: list[str]) -> None:
    grids = [name for name in names if name in BY_JAX]
    if grids and find_spec("jax") is None:
        raise ConfigError(
            f"{first_few(grids)}: many networks train as one program by JAX, which is not "
            "installed; run `pip install 'bnrepro[jax]'`, or name other studies"
        )


def _compute(names: list[str], results_dir: str, scale: str) -> int:
    if len(names) > 1:
        return _compute_each(names, results_dir, scale)
    from bnrepro.lab import studies

    for name in names:
        print(f"computing {name}", file=sys.stderr, flush=True)
        print(studies.run(name, results_dir, scale))
    return 0


def _compute_each(names: list[str], results_dir: str, scale: str) -> int:
    """Each study in a process of its own: they differ in what Keras is loaded with."""
    from bnrepro.records import laboratory

    for name in names:
        _, *words = shlex.split(laboratory.command(name, results_dir, scale))
        done = subprocess.run([sys.executable, "-m", "bnrepro", *words], check=False)
        if done.returncode:
            return done.returncode
    return 0


def _list_commands(results_dir: str, scale: str | None) -> int:
    from bnrepro.exhibits import making

    told_in = "why it works"
    place = [] if results_dir == RESULTS_DIR else [f"results_dir={results_dir}"]
    for line in making.commands(results_dir, told_in, scale):
        print(line)
    for part in making.every_part(told_in, scale):
        drawn = [f"scale={scale}"] if scale and part.overrides else part.overrides
        print(shlex.join(["bnrepro", "figure", part.name, *drawn, *place]))
    return 0
