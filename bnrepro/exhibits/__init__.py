"""`bnrepro figure N`: the paper's figures, drawn from the records on disk.

One file an exhibit, with its tables and sentences in files beside it; `exhibit` says what one
consists of, `selection` which records it is made of, `sensitivity` what a further study adds,
`style` and `drawing` how it looks. Figure 3 is a table: `bnrepro table study=figure_2`. Two studies
of what later courses say, `placement` and `batch_size`, are drawn under their names.
"""

import sys
from collections.abc import Callable

from bnrepro.config import ConfigError, did_you_mean
from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.exhibits.batch_size import figure as batch_size
from bnrepro.exhibits.exhibit import Exhibit, folder
from bnrepro.exhibits.figure_1 import figure as figure_1
from bnrepro.exhibits.figure_2 import figure as figure_2
from bnrepro.exhibits.figure_4 import figure as figure_4
from bnrepro.exhibits.placement import figure as placement
from bnrepro.records import study_records
from bnrepro.records.record import reading_once

__all__ = ["NUMBERS", "Exhibit", "exhibit", "folder", "main", "study_of"]

# Each with its study, and whether it is drawn at one of several scales.
_EXHIBITS: dict[str, tuple[Callable[..., Exhibit], str, bool]] = {
    "1": (figure_1.exhibit, "figure_1", False),
    "2": (figure_2.exhibit, "figure_2", True),
    "4": (figure_4.exhibit, "figure_4", True),
    "placement": (placement.exhibit, "placement", False),
    "batch_size": (batch_size.exhibit, "batch_size", False),
}
NUMBERS = tuple(_EXHIBITS)


@reading_once()
def exhibit(number: str, results_dir: str = "results", scale: str | None = None) -> Exhibit:
    """The exhibit of one of the paper's figures, or of a study that is drawn.

    Raises:
        ConfigError: if there is none of that number or scale, or no record to make it from.
        RecordError: if a record cannot be read.
    """
    make, _, scaled = _entry(number, scale)
    return make(results_dir, scale) if scaled else make(results_dir)


def study_of(number: str, scale: str | None = None) -> tuple[str, list[str]]:
    """The study that an exhibit is made of, and the overrides that it takes.

    Raises:
        ConfigError: if there is no exhibit of that number or scale.
    """
    _, name, scaled = _entry(number, scale)
    return name, [f"scale={scale or DEFAULT_SCALE}"] if scaled else []


def _entry(number: str, scale: str | None) -> tuple[Callable[..., Exhibit], str, bool]:
    if number == "3":
        raise ConfigError("figure 3 is a table: bnrepro table study=figure_2")
    if number not in _EXHIBITS:
        raise ConfigError(
            f"figure {number}: expected one of {', '.join(NUMBERS)}{did_you_mean(number, NUMBERS)}"
        )
    if scale is not None and not _EXHIBITS[number][2]:
        raise ConfigError(f"scale={scale}: figure {number} has one scale; leave it out")
    return _EXHIBITS[number]


def main(number: str, results_dir: str | None = None, scale: str | None = None) -> int:
    """Say which runs are missing and what the others show, then draw it beside them.

    Without `results_dir` the records are those of `study_records.folder_to_read`.

    Raises:
        ConfigError: as `exhibit`.
        RecordError: as `exhibit`.
    """
    study = study_of(number, scale)
    results_dir = results_dir or study_records.folder_to_read([study])
    made = exhibit(number, results_dir, scale)
    for line in made.missing:
        print(line, file=sys.stderr)
    for finding in made.findings:
        print(finding)
    for path in made.write(results_dir):
        print(path)
    return 0
