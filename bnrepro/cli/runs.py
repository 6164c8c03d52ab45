"""The commands about single runs: which there are, and what one scores on other images."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Words, Work
from bnrepro.config import ConfigError
from bnrepro.config.messages import one_of
from bnrepro.config.names import PROBE_MODES
from bnrepro.config.overrides import check_single
from bnrepro.records.record import STATUSES

# Of a record, and of a run without one that can be read.
STATES = (*STATUSES, "started", "unreadable")
# What `surface` is asked for in numbers, by the flags that say it.
_SURFACE_NUMBERS = {
    "points": "--points",
    "plane_points": "--plane",
    "directions": "--directions",
    "examples": "--examples",
}


def prepare_runs(words: Words) -> Work:
    """List runs."""
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_single(one for one in words.overrides if one.key == "results_dir")
    check_results_directory(results_dir)
    return partial(_list, words, results_dir)


def _list(words: Words, results_dir: str) -> int:
    from bnrepro.screen import printed
    from bnrepro.tables import listing, terminal_width

    filters = [one for one in words.overrides if one.key != "results_dir"]
    runs = listing.listed(
        results_dir, patterns=words.plain, filters=filters, status=words.flags.get("--state")
    )
    if words.flags.get("--format") == "csv":
        sys.stdout.write(listing.to_csv(runs))
    else:
        for line in listing.to_lines(runs, terminal_width()):
            print(line)
    for run in runs:
        if run.error:
            print(printed(run.error, sys.stderr), file=sys.stderr)
    if not runs:
        state = words.flags.get("--state")
        asked = [*words.plain, *map(str, filters), *([f"state {state}"] if state else [])]
        line = f"no run in {results_dir} yet; `bnrepro run` makes one"
        if asked:
            line = f"no such run in {results_dir}: {', '.join(asked)}"
        print(printed(line, sys.stderr), file=sys.stderr)
    return 0


def prepare_evaluate(words: Words) -> Work:
    """Score finished networks."""
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_single(words.overrides)
    check_results_directory(results_dir)
    if not words.plain:
        raise ConfigError(
            "evaluate: expected runs, such as `bnrepro evaluate mlp-digits-x1`; `bnrepro runs` "
            "lists them"
        )
    return partial(_evaluate, words, results_dir)


def _evaluate(words: Words, results_dir: str) -> int:
    from bnrepro.api import scoring
    from bnrepro.cli.training import quiet
    from bnrepro.screen import printed
    from bnrepro.screen.foot import foot
    from bnrepro.tables import ensemble

    directories = [path for name in words.plain for path in ensemble.find(name, results_dir)]
    with foot().doing("loading the framework"), quiet():
        scoring.load_framework(directories)
    given = [one for one in words.overrides if one.key != "results_dir"]
    scores = []
    for score in scoring.evaluate(
        list(dict.fromkeys(directories)),
        given,
        split=words.flags.get("split"),
        inference=words.flags.get("inference"),
    ):
        scores.append(score)
        if words.flags.get("--format") != "csv":
            for line in scoring.lines_of(score):
                print(printed(line, sys.stdout), flush=True)
    if words.flags.get("--format") == "csv":
        sys.stdout.write(scoring.to_csv(scores))
    for caution in filter(None, dict.fromkeys(score.caution for score in scores)):
        print(printed(caution, sys.stderr), file=sys.stderr)
    return 0


def prepare_surface(words: Words) -> Work:
    """Compute and draw the loss around finished networks."""
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_single(words.overrides)
    check_results_directory(results_dir)
    if not words.plain:
        raise ConfigError(
            "surface: expected runs, such as `bnrepro surface mlp-digits-x1/seed_0`; `bnrepro "
            "runs` lists them"
        )
    numbers = {
        name: words.number(flag) for name, flag in _SURFACE_NUMBERS.items() if flag in words.flags
    }
    for name in ("points", "plane_points"):
        if (numbers.get(name) or 3) < 3 or not (numbers.get(name) or 3) % 2:
            raise ConfigError(
                f"{_SURFACE_NUMBERS[name]} {numbers[name]}: expected an odd number of at least 3, "
                "of which the middle one is the network"
            )
    modes = tuple(words.flags.get("--modes", ",".join(PROBE_MODES)).split(","))
    for mode in modes:
        one_of("--modes", mode, PROBE_MODES)
    return partial(_surface, words, results_dir, {**numbers, "modes": modes})


def _surface(words: Words, results_dir: str, asked: dict[str, Any]) -> int:
    from bnrepro.api import scoring
    from bnrepro.cli.training import quiet
    from bnrepro.screen.foot import foot
    from bnrepro.tables import ensemble

    found = [path for name in words.plain for path in ensemble.find(name, results_dir)]
    directories = list(dict.fromkeys(found))
    with foot().doing("loading the framework"), quiet():
        scoring.load_framework(directories)
        from bnrepro.api import surface
    for directory in directories:
        place = Path(results_dir) / "own_surfaces" / directory.parent.name / directory.name
        for path in surface.surface(directory, surface.Asked(**asked), place):
            print(path)
    return 0
