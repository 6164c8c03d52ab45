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
    gaps = pairs["first"] - pairs["second"]
    interval = statistics.interval_of_median(gaps.to_numpy())
    p_value = statistics.sign_flip_test(gaps.to_numpy())
    name = f"{first} - {second}"
    return [name, len(gaps), float(gaps.median()), interval.low, interval.high, p_value]
