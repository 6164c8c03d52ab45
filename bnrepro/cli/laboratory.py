"""The command that computes the studies of the laboratory."""

import shlex
import sys
from functools import partial

from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Words, Work
from bnrepro.config import ConfigError, did_you_mean, shown
from bnrepro.config.overrides import check_single
from bnrepro.lab.studies import STUDIES
from bnrepro.records.laboratory import PUBLISHED_SCALE, SCALES


def prepare_laboratory(words: Words) -> Work:
    """Compute studies, or list what makes everything that is shown of the laboratory."""
    check_single(words.overrides)
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_results_directory(results_dir)
    scale = words.value("scale", "") or None
    if "--commands" in words.flags:
        return partial(_list_commands, results_dir, scale)
    if scale is not None and scale not in SCALES:
        raise ConfigError(f"scale={shown(scale)}: expected smoke, or no scale for all of a study")
    for name in words.plain:
        if name not in STUDIES:
            raise ConfigError(
                f"{shown(name)}: expected studies among {', '.join(STUDIES)}"
                f"{did_you_mean(name, list(STUDIES))}"
            )
    chosen = [name for name in STUDIES if not words.plain or name in words.plain]
    return partial(_compute, chosen, results_dir, scale or PUBLISHED_SCALE)


def _compute(names: list[str], results_dir: str, scale: str) -> int:
    from bnrepro.lab import studies

    for name in names:
        print(f"computing {name}", file=sys.stderr, flush=True)
        print(studies.run(name, results_dir, scale))
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
