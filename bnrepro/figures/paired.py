"""Differences of accuracies on the same seed, for tables."""

import pandas as pd

from bnrepro import statistics

PAIRED_COLUMNS = ("comparison", "n", "gap", "gap_low", "gap_high", "p_value")
PAIRED_CAPTION = "median, its order-statistic interval, and the exact sign-flip test"


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
    p_value = statistics.sign_flip_test(gap.to_numpy())
    return [f"{first} - {second}", len(gap), *statistics.median_with_interval(gap), p_value]
