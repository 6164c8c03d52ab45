"""`bnrepro figure N`: the paper's figures, drawn from the records on disk.

One file an exhibit, with its tables and sentences in files beside it; `exhibit` says what one
consists of, `selection` which records it is made of, `sensitivity` what a further study adds,
`style` and `drawing` how it looks. Figure 3 is a table: `bnrepro table study=figure_2`. Two studies
of what later courses say, `placement` and `batch_size`, are drawn under their names.
"""

import sys
from collections.abc import Callable

from bnrepro.config import ConfigError, did_you_mean
from bnrepro.figures import batch_size, figure_1, figure_2, figure_4, placement
from bnrepro.figures.exhibit import Exhibit, folder
from bnrepro.record import reading_once

__all__ = ["NUMBERS", "Exhibit", "exhibit", "folder", "main"]

# Each with whether it is drawn at one of several scales.
_EXHIBITS: dict[str, tuple[Callable[..., Exhibit], bool]] = {
    "1": (figure_1.exhibit, False),
    "2": (figure_2.exhibit, True),
    "4": (figure_4.exhibit, True),
    "placement": (placement.exhibit, False),
    "batch_size": (batch_size.exhibit, False),
}
NUMBERS = tuple(_EXHIBITS)


@reading_once()
def exhibit(number: str, results_dir: str = "results", scale: str | None = None) -> Exhibit:
    """The exhibit of one of the paper's figures, or of a study that is drawn.

    Raises:
        ConfigError: if there is none of that number or scale, or no record to make it from.
        RecordError: if a record cannot be read.
    """
    if number == "3":
        raise ConfigError("figure 3 is a table: bnrepro table study=figure_2")
    if number not in _EXHIBITS:
        raise ConfigError(
            f"figure {number}: expected one of {', '.join(NUMBERS)}{did_you_mean(number, NUMBERS)}"
        )
    make, scaled = _EXHIBITS[number]
    if scaled:
        return make(results_dir, scale)
    if scale is not None:
        raise ConfigError(f"scale={scale}: figure {number} has one scale; leave it out")
    return make(results_dir)


def main(number: str, results_dir: str = "results", scale: str | None = None) -> int:
    """Say which runs are missing and what the others show, then draw it.

    Raises:
        ConfigError: as `exhibit`.
        RecordError: as `exhibit`.
    """
    made = exhibit(number, results_dir, scale)
    for line in made.missing:
        print(line, file=sys.stderr)
    for finding in made.findings:
        print(finding)
    for path in made.write(results_dir):
        print(path)
    return 0
