"""Comparisons over the seeds that two experiments share: differences, and ratios of steps.

Every experiment starts from the same initial weights and sees the same order of examples under the
same seed, so differences within a seed are less noisy than differences of means.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bnrepro.statistics.bootstrap import Relation, bounded
from bnrepro.statistics.medians import Interval, order_statistic

# Sign assignments are enumerated: 2 to the power of this many is the most that is kept in memory.
MAX_PAIRS = 20


def pair(runs: pd.DataFrame, first: str, second: str, column: str) -> pd.DataFrame:
    """`column` of the runs labelled `first` and `second`, for the seeds that both have.

    Columns `seed`, `first`, `second`, by increasing seed; no rows where no seed is shared.
    """
    left, right = (
        runs.loc[runs["label"] == label, ["seed", column]].rename(columns={column: name})
        for name, label in (("first", first), ("second", second))
    )
    pairs = left.merge(right, on="seed", validate="one_to_one")
    return pairs.sort_values("seed", kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Ratios:
    """One ratio per seed, known within `low` and `high`, each (seeds,)."""

    low: np.ndarray
    high: np.ndarray

    @property
    def median(self) -> tuple[float | None, Relation]:
        """The median (`=`), or a bound of it (`>`, `<`) where it falls on a censored ratio."""
        if not self.low.size:
            return None, "="
        return bounded(float(np.median(self.low)), float(np.median(self.high)))

    @property
    def interval(self) -> Interval:
        """The order-statistic interval of the median; an end that is not known is open."""
        if self.low.size < 2:
            return Interval(None, None, 0.0)
        rank, coverage = order_statistic(self.low.size)
        low, high = float(np.sort(self.low)[rank - 1]), float(np.sort(self.high)[-rank])
        return Interval(low or None, high if math.isfinite(high) else None, coverage)


def ratios_of_steps(reference: pd.DataFrame, experiment: pd.DataFrame) -> Ratios:
    """How many times as many steps the reference needs, on the seeds that both have.

    Frames of `curves.crossings`. A run that never reached the target needs any number of steps from
    its last one on. A target that both had reached before the first step gives NaN.
    """
    pairs = reference.merge(experiment, on="seed", suffixes=("_reference", "_experiment"))
    (from_low, from_high), (by_low, by_high) = (
        _bounds(pairs, suffix) for suffix in ("_reference", "_experiment")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return Ratios(from_low / by_high, from_high / by_low)


def _bounds(pairs: pd.DataFrame, suffix: str) -> tuple[np.ndarray, np.ndarray]:
    steps = pairs[f"steps{suffix}"].to_numpy(float)
    return steps, np.where(pairs[f"reached{suffix}"], steps, math.inf)


def sign_flip_test(differences: npt.ArrayLike) -> float:
    """Exact two-sided p-value of the hypothesis that paired differences are symmetric around 0.

    The share of all 2**n assignments of signs whose sum is at least as far from 0 as the observed
    one. It cannot fall below 2 / 2**n: 0.25 at n = 3, 0.031 at n = 6.

    Raises:
        ValueError: on no differences, too many to enumerate, or one that is not finite.
    """
    values = np.asarray(differences, float)  # (n,)
    if not 1 <= values.size <= MAX_PAIRS or not np.isfinite(values).all():
        received = values.tolist()
        raise ValueError(f"expected 1 to {MAX_PAIRS} finite differences, received {received}")
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])  # (2**n,) at the end
    # The observed sum is among them; rounding must not make it miss itself.
    tolerance = 1e-9 * np.abs(values).sum()
    return float((np.abs(sums) >= abs(values.sum()) - tolerance).mean())
