"""Medians of right-censored steps, and their exact intervals.

A run that never reached the target is right-censored at its last evaluation: all that is known is
that it needs more steps. Averaging over the runs that did reach would make failures look fast.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An interval and its `coverage`: how often such an interval holds what it is of.

    An end is None where it is open.
    """

    low: float | None
    high: float | None
    coverage: float

    @property
    def coverage_percent(self) -> int | None:
        """The coverage in whole percent, None where both ends are open."""
        return None if self.low is None and self.high is None else whole_percent(self.coverage)


def kaplan_meier_median(steps: npt.ArrayLike, reached: npt.ArrayLike) -> float | None:
    """The first step at which the Kaplan-Meier estimate of "not yet reached" is at most one half.

    `steps` is the step of the first crossing where `reached`, of the last evaluation elsewhere.
    None where the estimate stays above one half, and for no runs. With n runs of one length this is
    the ceil(n / 2)-th fastest run: an evaluated step, never a mean of two.
    """
    times, events = _ordered(steps, reached)
    median = resampled_medians(times, events, np.ones((1, times.size)))[0]
    return float(median) if math.isfinite(median) else None


def order_statistic(n: int, confidence: float = CONFIDENCE) -> tuple[int, float]:
    """Which order statistics enclose the median of n values, and with which coverage.

    Returns k, so that the k-th smallest and the k-th largest of n independent values enclose the
    median of their distribution, whatever it is, with the returned coverage
    1 - 2 P(Binomial(n, 1/2) < k). k is the largest with at least `confidence`; where there is none
    (n < 6 at 0.95) it is 1, from the smallest to the largest value, with what that covers:
    0.97 at n = 6, 0.75 at n = 3, nothing at n = 1.
    """
    rank, coverage = 1, _coverage(n, 1)
    while 2 * (rank + 1) <= n and _coverage(n, rank + 1) >= confidence:
        rank, coverage = rank + 1, _coverage(n, rank + 1)
    return rank, coverage


def interval_of_median(values: npt.ArrayLike, reached: npt.ArrayLike | None = None) -> Interval:
    """The order-statistic interval of the median of possibly right-censored values.

    An end that falls on a censored value is open. One value has no interval.
    """
    times, events = _ordered(values, np.ones(np.shape(values)) if reached is None else reached)
    if times.size < 2:
        return Interval(None, None, 0.0)
    rank, coverage = order_statistic(times.size)
    # Low end: the censored values at their least. High end: at infinity.
    low = times[rank - 1] if events[rank - 1] else math.inf
    high = np.sort(np.where(events, times, math.inf))[-rank]
    return Interval(_closed(low), _closed(high), coverage)


def median_with_interval(values: pd.Series) -> tuple[float, float | None, float | None]:
    """The median of values that are all known, and the ends of its `interval_of_median`.

    How often such an interval holds the median: `coverage_of_median`.
    """
    interval = interval_of_median(values.to_numpy())
    return float(values.median()), interval.low, interval.high


def coverage_of_median(n: int) -> int | None:
    """The coverage of `interval_of_median` over n known values in whole percent, None for one."""
    return whole_percent(order_statistic(n)[1]) if n > 1 else None


def whole_percent(share: float) -> int:
    """A coverage in whole percent, as it is printed wherever it stands."""
    return round(100 * share)


def resampled_medians(times: np.ndarray, events: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Kaplan-Meier medians, (resamples,), infinite where censored.

    `times` and `events` are (runs,), ordered by `by_time`; `draws` is how often each resample has
    each run, (resamples, runs).
    """
    # Kaplan and Meier (1958): S(t) is the product of 1 - events / at risk over the times up to t.
    # The runs at risk are those that have this time or a later one: a sum from the end.
    at_risk = np.cumsum(draws[:, ::-1], axis=1)[:, ::-1]
    # Runs with equal times one after the other: the product is the same as for all at once.
    factors = 1 - draws * events / np.maximum(at_risk, 1)
    # The tolerance: (5/6) (4/5) (3/4) must be one half.
    below = np.cumprod(factors, axis=1) <= 0.5 + 1e-9
    crossed = np.where(below, times, math.inf)
    return crossed.min(axis=1, initial=math.inf)


def _ordered(steps: npt.ArrayLike, reached: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    times, events = np.asarray(steps, float), np.asarray(reached, bool)
    order = by_time(times, events)
    return times[order], events[order]


def by_time(times: np.ndarray, events: np.ndarray) -> np.ndarray:
    """The order by time; a run that reached comes before one censored at the same step."""
    return np.lexsort((~events, times))


def _coverage(n: int, rank: int) -> float:
    below = sum(math.comb(n, successes) for successes in range(rank))
    return max(0.0, 1 - 2 * below / 2**n)


def _closed(end: float) -> float | None:
    return float(end) if math.isfinite(end) else None
