"""`bnrepro figure N`: the paper's figures, drawn from the records on disk.

There is one folder per question: `figure.py` makes the exhibit, `claims.py` holds the paper's
claims against its records, tables and sentences lie beside them. `exhibit` says what an exhibit
consists of, `selection` which records it is made of, `sensitivity` what a further study adds;
`bnrepro.drawing` says how it looks. Figure 3 is a table: `bnrepro table study=figure_2`. Two
studies of what later courses say, `placement` and `batch_size`, are drawn under their names.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

from bnrepro.config import ConfigError, did_you_mean
from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.config.study import load as load_study
from bnrepro.exhibits.batch_size import figure as batch_size
from bnrepro.exhibits.exhibit import Exhibit, folder
from bnrepro.exhibits.figure_1 import figure as figure_1
from bnrepro.exhibits.figure_2 import figure as figure_2
from bnrepro.exhibits.figure_4 import figure as figure_4
from bnrepro.exhibits.placement import figure as placement
from bnrepro.records import study_records
from bnrepro.records.record import reading_once

__all__ = ["NAMES", "Exhibit", "exhibit", "folder", "main", "study_of"]


class _Entry(NamedTuple):
    """An exhibit that can be asked for: by `bnrepro figure`, and by the report."""

    make: Callable[..., Exhibit]
    study: str
    has_scales: bool  # it is drawn at one of several scales


_EXHIBITS = {
    "1": _Entry(figure_1.exhibit, "figure_1", has_scales=False),
    "2": _Entry(figure_2.exhibit, "figure_2", has_scales=True),
    "4": _Entry(figure_4.exhibit, "figure_4", has_scales=True),
    "placement": _Entry(placement.exhibit, "placement", has_scales=False),
    "batch_size": _Entry(batch_size.exhibit, "batch_size", has_scales=False),
}
NAMES = tuple(_EXHIBITS)


@reading_once()
def exhibit(name: str, results_dir: str = "results", scale: str | None = None) -> Exhibit:
    """The exhibit of one of the paper's figures, or of a study that is drawn.

    Raises:
        ConfigError: if there is none of that name or scale, or no record to make it from.
        RecordError: if a record cannot be read.
    """
    entry = _entry(name, scale)
    return entry.make(results_dir, scale) if entry.has_scales else entry.make(results_dir)


def study_of(name: str, scale: str | None = None) -> tuple[str, list[str]]:
    """The study that an exhibit is made of, and the overrides that it takes.

    Raises:
        ConfigError: if there is no exhibit of that name or scale.
    """
    entry = _entry(name, scale)
    return entry.study, [f"scale={scale or DEFAULT_SCALE}"] if entry.has_scales else []


def _entry(name: str, scale: str | None) -> _Entry:
    if name == "3":
        raise ConfigError("figure 3 is a table: bnrepro table study=figure_2")
    if name not in _EXHIBITS:
        raise ConfigError(
            f"figure {name}: expected one of {', '.join(NAMES)}{did_you_mean(name, NAMES)}"
        )
    if scale is not None and not _EXHIBITS[name].has_scales:
        raise ConfigError(f"scale={scale}: figure {name} has one scale; leave it out")
    return _EXHIBITS[name]


def main(name: str, results_dir: str | None = None, scale: str | None = None) -> int:
    """Say which runs are missing, what is asked and what the others show, then draw it beside them.

    Without `results_dir` the records are those of `study_records.folder_to_read`.

    Raises:
        ConfigError: as `exhibit`.
        RecordError: as `exhibit`.
    """
    study = study_of(name, scale)
    results_dir = results_dir or study_records.folder_to_read([study])
    made = exhibit(name, results_dir, scale)
    for line in made.missing:
        print(line, file=sys.stderr)
    study_name, _ = study
    print(load_study(study_name).question)
    for finding in made.findings:
        print(finding)
    for path in made.write(results_dir):
        print(path)
    return 0
