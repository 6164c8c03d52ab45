"""How the experiments write their tables."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnrepro.records.record import write_rows
from bnrepro.verdicts.criteria import ROUNDING

_DIGITS = 6


def write_table(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    rounding: float = ROUNDING,
    digits: Mapping[str, int] | None = None,
) -> None:
    """Write a CSV file with six digits, and 0 for what is only `rounding` or less.

    The last bits of a number differ from processor to processor; the columns in `digits`, where
    more than these do, have fewer digits.
    """
    kept = [(digits or {}).get(column, _DIGITS) for column in columns]
    rounded = [
        [_rounded(cell, rounding, number) for cell, number in zip(row, kept, strict=True)]
        for row in rows
    ]
    write_rows(path, columns, rounded)


def _rounded(cell: Any, rounding: float, digits: int) -> Any:
    if not isinstance(cell, float):
        return cell
    return 0.0 if abs(cell) < rounding else float(f"{cell:.{digits}g}")
