"""Differences of accuracies on the same seed, for tables."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from bnrepro import statistics

PAIRED_COLUMNS = ("comparison", "n", "gap", "gap_low", "gap_high", "coverage_percent", "p_value")


def paired_caption(rows: Sequence[Sequence[Any]]) -> str:
    """What stands beside rows that end with those of `paired_row`."""
    sizes = sorted({row[-len(PAIRED_COLUMNS) + 1] for row in rows})
    least = ", ".join(f"{2 / 2**n:.3g} at n = {n}" for n in sizes)
    return (
        "median, its order-statistic interval with the coverage that it has, and the exact "
        f"sign-flip test. The {len(rows)} p-values describe the differences and decide nothing: "
        f"they are not corrected for their number, and none can be below {least}."
    )


def paired_row(
    runs: pd.DataFrame, first: str, second: str, column: str
) -> list[str | int | float | None] | None:
    """`column` of the runs labelled `first` minus `second`; None where no seed is shared.

    In the order of `PAIRED_COLUMNS`. `runs` is a frame of `statistics.judged`.
    """
    pairs = statistics.pair(runs, first, second, column)
    if pairs.empty:
        return None
    gap = pairs["first"] - pairs["second"]
    return [
        f"{first} - {second}",
        len(gap),
        *statistics.median_with_interval(gap),
        statistics.coverage_of_median(len(gap)),
        statistics.sign_flip_test(gap.to_numpy()),
    ]
