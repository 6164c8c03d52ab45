"""`bnrepro figure N`: an exhibit made from the records on disk, written and spoken of."""

import sys
from collections.abc import Callable, Iterable
from importlib import import_module

from bnrepro.config import ConfigError, study
from bnrepro.config.overrides import Override
from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.exhibits import EXHIBITS, entry
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.records import laboratory, study_records
from bnrepro.records.record import RESULTS, reading_once


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

    The study is empty where no run is trained for the exhibit.

    Raises:
        ConfigError: if there is no exhibit of that name or scale.
    """
    overrides = [f"scale={scale or DEFAULT_SCALE}"] if _has_scales(name, scale) else []
    return entry(name).study, overrides


def commands(
    results_dir: str = "results", part: str | None = None, scale: str | None = None
) -> list[str]:
    """The commands that train and compute what exhibits show, once each, in the exhibits' order.

    Those of all exhibits, or of one `part` of the report. The studies that a setting rests on come
    before the one that has the setting; `scale` is that of the studies that leave it open.

    Raises:
        ConfigError: if there is no such scale.
    """
    chosen = [one for one in EXHIBITS.values() if part in (None, one.part)]
    trained = [name for one in chosen for name in (*one.further, one.study) if name]
    sweeps = [
        study.command(name, _scale_of(name, scale), results_dir) for name in dict.fromkeys(trained)
    ]
    computed = dict.fromkeys(one.computed for one in chosen if one.computed)
    return [*sweeps, *(laboratory.command(name, results_dir) for name in computed)]


def folder_to_read(names: Iterable[str], scale: str | None = None) -> str:
    """The folder that exhibits are made from where none is named; says which, and why.

    `results` if it holds something of one of them, else `results/published`.

    Raises:
        ConfigError: if there is no exhibit of that name or scale, or no folder of published ones.
        RecordError: if a record cannot be read.
    """
    chosen = list(names)
    computed = [entry(name).computed for name in chosen if entry(name).computed]
    studies = [one for one in (study_of(name, scale) for name in chosen) if one[0]]
    if not studies or any(laboratory.exists(RESULTS, name) for name in computed):
        return laboratory.folder_to_read(computed)
    return study_records.folder_to_read(studies)


def _scale_of(name: str, scale: str | None) -> list[Override]:
    """The overrides of a study that leaves its scale open; none for another."""
    is_open = scale is not None and "scale" in study.load(name).required
    return study.with_default_scale(name, [f"scale={scale}"] if is_open else [])


def _has_scales(name: str, scale: str | None) -> bool:
    """Whether the exhibit is drawn at one of several scales; refuses a scale where it is not."""
    trained = entry(name).study
    has_scales = bool(trained) and "scale" in study.load(trained).required
    if scale is not None and not has_scales:
        raise ConfigError(f"scale={scale}: figure {name} has one scale; leave it out")
    return has_scales


def main(name: str, results_dir: str | None = None, scale: str | None = None) -> int:
    """Say which runs are missing, what is asked and what the others show, then draw it beside them.

    Without `results_dir` the records are those of `folder_to_read`.

    Raises:
        ConfigError: as `exhibit`.
        RecordError: as `exhibit`.
    """
    results_dir = results_dir or folder_to_read([name], scale)
    made = exhibit(name, results_dir, scale)
    for line in made.missing:
        print(line, file=sys.stderr)
    print(made.computed.question if made.computed else study.load(entry(name).study).question)
    for finding in made.findings:
        print(finding)
    for path in made.write(results_dir):
        print(path)
    return 0
