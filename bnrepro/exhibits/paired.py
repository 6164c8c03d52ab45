"""Differences of accuracies on the same seed, for tables."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from bnrepro import statistics


class PairedRow(NamedTuple):
    """The median difference of two experiments over the seeds that both have."""

    comparison: str
    n: int
    gap: float
    gap_low: float | None
    gap_high: float | None
    coverage_percent: int | None
    p_value: float


PAIRED_COLUMNS = PairedRow._fields


def paired_caption(rows: Sequence[Sequence[Any]]) -> str:
    """What stands beside rows that end with those of `paired_row`."""
    sizes = sorted({PairedRow(*row[-len(PAIRED_COLUMNS) :]).n for row in rows})
    least = ", ".join(f"{2 / 2**n:.3g} at n = {n}" for n in sizes)
    return (
        "median, its order-statistic interval with the coverage that it has, and the exact "
        f"sign-flip test. The {len(rows)} p-values describe the differences and decide nothing: "
        f"they are not corrected for their number, and none can be below {least}."
    )


def paired_row(runs: pd.DataFrame, first: str, second: str, column: str) -> PairedRow | None:
    """`column` of the runs labelled `first` minus `second`; None where no seed is shared.

    `runs` is a frame of `statistics.judged`.
    """
    pairs = statistics.pair(runs, first, second, column)
    if pairs.empty:
        return None
    gap = pairs["first"] - pairs["second"]
    return PairedRow(
        f"{first} - {second}",
        len(gap),
        *statistics.median_with_interval(gap),
        statistics.coverage_of_median(len(gap)),
        statistics.sign_flip_test(gap.to_numpy()),
    )
