"""Medians of right-censored steps, their exact intervals, and ratios of medians.

A run that never reached the target is right-censored at its last evaluation: all that is known is
that it needs more steps. Averaging over the runs that did reach would make failures look fast.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

CONFIDENCE = 0.95
NUM_RESAMPLES = 2_000


@dataclass(frozen=True)
class Interval:
    """An interval of `coverage`; an end is None where it is open."""

    low: float | None
    high: float | None
    coverage: float


@dataclass(frozen=True)
class Speedup:
    """Ratio of two medians over the `seeds` that both experiments have.

    `value` is the ratio (`=`), or a bound of it where one median is censored (`>`, `<`); None where
    both are censored or no seed is shared.
    """

    value: float | None
    relation: Literal["=", ">", "<"]
    interval: Interval
    seeds: tuple[int, ...]


def kaplan_meier_median(steps: npt.ArrayLike, reached: npt.ArrayLike) -> float | None:
    """The first step at which the Kaplan-Meier estimate of "not yet reached" is at most one half.

    `steps` is the step of the first crossing where `reached`, of the last evaluation elsewhere.
    None where the estimate stays above one half, and for no runs. With n runs of one length this is
    the ceil(n / 2)-th fastest run: an evaluated step, never a mean of two.
    """
    times, events = _ordered(steps, reached)
    median = _medians(times, events, np.ones((1, times.size)))[0]
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
    """The median of values that are all known, and the ends of its `interval_of_median`."""
    interval = interval_of_median(values.to_numpy())
    return float(values.median()), interval.low, interval.high


def speedup(reference: pd.DataFrame, experiment: pd.DataFrame) -> Speedup:
    """How many times fewer steps the experiment needs than the reference.

    Both frames have the columns of `curves.crossings` and one row a seed. The interval is the
    percentile interval of a bootstrap that draws seeds, so that the pairs stay together; it is the
    same on every call. A censored median counts as anything from its last evaluation to infinity.
    """
    seeds, left, right = np.intersect1d(
        reference["seed"], experiment["seed"], assume_unique=True, return_indices=True
    )
    n = len(seeds)
    if n == 0:
        return Speedup(None, "=", Interval(None, None, 0.0), ())
    pairs = [
        (runs["steps"].to_numpy(float)[places], runs["reached"].to_numpy(bool)[places])
        for runs, places in ((reference, left), (experiment, right))
    ]
    low, high = (bound[0] for bound in _ratios(pairs, np.ones((1, n))))
    value, relation = _bounded(low, high)
    if n == 1:
        return Speedup(value, relation, Interval(None, None, 0.0), tuple(seeds.tolist()))
    draws = np.random.Generator(np.random.Philox(0)).multinomial(
        n, np.full(n, 1 / n), size=NUM_RESAMPLES
    )
    lows, highs = (np.sort(bound) for bound in _ratios(pairs, draws))
    tail = int(NUM_RESAMPLES * (1 - CONFIDENCE) / 2)
    interval = Interval(_positive(lows[tail]), _positive(highs[-1 - tail]), CONFIDENCE)
    return Speedup(value, relation, interval, tuple(seeds.tolist()))


def _ratios(
    pairs: list[tuple[np.ndarray, np.ndarray]], draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest ratio of the medians of each resample; `draws` is (resamples, seeds)."""
    (reference_low, reference_high), (experiment_low, experiment_high) = (
        _median_bounds(steps, reached, draws) for steps, reached in pairs
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        low = reference_low / experiment_high
        high = reference_high / experiment_low
    # 0 / 0: a target that both reached before the first step says nothing.
    return np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), math.inf, high)


def _median_bounds(
    steps: np.ndarray, reached: np.ndarray, draws: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest median of each resample: the same, unless it is censored."""
    order = _order(steps, reached)
    steps, reached, draws = steps[order], reached[order], draws[:, order]
    medians = _medians(steps, reached, draws)
    last = np.where(draws > 0, steps, 0.0).max(axis=1)
    return np.where(np.isfinite(medians), medians, last), medians


def _medians(times: np.ndarray, events: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Kaplan-Meier medians, (resamples,), infinite where censored.

    `times` and `events` are (runs,), ordered by `_order`; `draws` is how often each resample has
    each run, (resamples, runs).
    """
    at_risk = np.cumsum(draws[:, ::-1], axis=1)[:, ::-1]
    # Runs with equal times one after the other: the product is the same as for all at once.
    factors = 1 - draws * events / np.maximum(at_risk, 1)
    # The tolerance: (5/6) (4/5) (3/4) must be one half.
    below = np.cumprod(factors, axis=1) <= 0.5 + 1e-9
    crossed = np.where(below, times, math.inf)
    return crossed.min(axis=1, initial=math.inf)


def _ordered(steps: npt.ArrayLike, reached: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    times, events = np.asarray(steps, float), np.asarray(reached, bool)
    order = _order(times, events)
    return times[order], events[order]


def _order(times: np.ndarray, events: np.ndarray) -> np.ndarray:
    """By time; a run that reached comes before one that was censored at the same step."""
    return np.lexsort((~events, times))


def _coverage(n: int, rank: int) -> float:
    below = sum(math.comb(n, successes) for successes in range(rank))
    return max(0.0, 1 - 2 * below / 2**n)


def _bounded(low: float, high: float) -> tuple[float | None, Literal["=", ">", "<"]]:
    if low == high:
        return _positive(low), "="
    if math.isinf(high):
        return _positive(low), ">"
    return _positive(high), "<"


def _closed(end: float) -> float | None:
    return float(end) if math.isfinite(end) else None


def _positive(ratio: float) -> float | None:
    """None for the ratios that say nothing: infinity, and 0, which no ratio is below."""
    return float(ratio) if 0 < ratio < math.inf else None
