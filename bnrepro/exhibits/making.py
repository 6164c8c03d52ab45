"""`bnrepro figure N`: an exhibit made from the records on disk, written and spoken of."""

import sys
from collections.abc import Callable
from importlib import import_module

from bnrepro.config import ConfigError, study
from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.exhibits import EXHIBITS, entry
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.records import study_records
from bnrepro.records.record import reading_once


@reading_once()
def exhibit(name: str, results_dir: str = "results", scale: str | None = None) -> Exhibit:
    """The exhibit of one of the paper's figures, or of a study that is drawn.

    Raises:
        ConfigError: if there is none of that name or scale, or no record to make it from.
        RecordError: if a record cannot be read.
    """
    has_scales = _has_scales(name, scale)
    module = import_module(f"bnrepro.exhibits.{entry(name).module}")
    make: Callable[..., Exhibit] = module.exhibit
    return make(results_dir, scale or DEFAULT_SCALE) if has_scales else make(results_dir)


def study_of(name: str, scale: str | None = None) -> tuple[str, list[str]]:
    """The study that an exhibit is made of, and the overrides that it takes.

    Raises:
        ConfigError: if there is no exhibit of that name or scale.
    """
    overrides = [f"scale={scale or DEFAULT_SCALE}"] if _has_scales(name, scale) else []
    return entry(name).study, overrides


def sweeps(results_dir: str = "results") -> list[str]:
    """The commands that train what all exhibits show, once each, in the exhibits' order.

    The studies that a setting rests on come before the one that has the setting.
    """
    studies = [each for one in EXHIBITS.values() for each in (*one.further, one.study)]
    return [
        study.command(name, study.with_default_scale(name, []), results_dir)
        for name in dict.fromkeys(studies)
    ]


def _has_scales(name: str, scale: str | None) -> bool:
    """Whether the exhibit is drawn at one of several scales; refuses a scale where it is not."""
    has_scales = "scale" in study.load(entry(name).study).required
    if scale is not None and not has_scales:
        raise ConfigError(f"scale={scale}: figure {name} has one scale; leave it out")
    return has_scales


def main(name: str, results_dir: str | None = None, scale: str | None = None) -> int:
    """Say which runs are missing, what is asked and what the others show, then draw it beside them.

    Without `results_dir` the records are those of `study_records.folder_to_read`.

    Raises:
        ConfigError: as `exhibit`.
        RecordError: as `exhibit`.
    """
    study_name, overrides = study_of(name, scale)
    results_dir = results_dir or study_records.folder_to_read([(study_name, overrides)])
    made = exhibit(name, results_dir, scale)
    for line in made.missing:
        print(line, file=sys.stderr)
    print(study.load(study_name).question)
    for finding in made.findings:
        print(finding)
    for path in made.write(results_dir):
        print(path)
    return 0
