"""How the experiments write their tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bnrepro.records.record import write_rows
from bnrepro.verdicts.criteria import ROUNDING


def write_table(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    rounding: float = ROUNDING,
) -> None:
    """Write a CSV file with six digits, and 0 for what is only `rounding` or less.

    The last bits of a number differ from processor to processor.
    """
    write_rows(path, columns, [[_rounded(cell, rounding) for cell in row] for row in rows])


def _rounded(cell: Any, rounding: float) -> Any:
    if not isinstance(cell, float):
        return cell
    return 0.0 if abs(cell) < rounding else float(f"{cell:.6g}")
