"""Ratios of medians over paired seeds, with the interval of a bootstrap.

The bootstrap draws seeds, so that what belongs to one seed stays together. Where the target is
itself a median over seeds, each resample has a target of its own: a fixed one would leave out that
other seeds would have given another.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from bnrepro.statistics.coverage import bootstrap_coverage
from bnrepro.statistics.curves import crossings_of_targets
from bnrepro.statistics.medians import CONFIDENCE, Interval, by_time, resampled_medians

NUM_RESAMPLES = 2_000
# Steps, and whether the target was reached, each (seeds,).
Crossed = tuple[np.ndarray, np.ndarray]
# Of a ratio to the number that is given for it.
Relation = Literal["=", ">", "<"]


@dataclass(frozen=True)
class Speedup:
    """Ratio of two medians over the `seeds` that both experiments have.

    `value` is the ratio (`=`), or a bound of it where one median is censored (`>`, `<`); None where
    both are censored or no seed is shared.
    """

    value: float | None
    relation: Relation
    interval: Interval
    seeds: tuple[int, ...]


_NOTHING = Speedup(None, "=", Interval(None, None, 0.0), ())


def speedup(reference: pd.DataFrame, experiment: pd.DataFrame) -> Speedup:
    """How many times fewer steps the experiment needs than the reference to a fixed target.

    Both frames have the columns of `curves.crossings` and one row per seed. The interval is the
    percentile interval of the bootstrap, the same on every call; its coverage is that of
    `coverage.bootstrap_coverage`. A censored median counts as anything from its last evaluation to
    infinity.
    """
    seeds = _shared(reference["seed"], experiment["seed"])
    if not seeds:
        return _NOTHING
    of_both = [
        (rows["steps"].to_numpy(float), rows["reached"].to_numpy(bool))
        for rows in (frame.set_index("seed").loc[seeds] for frame in (reference, experiment))
    ]
    return _speedup(seeds, *_ratios(of_both, _draws(np.zeros(len(seeds)))))


def speedup_to_best(
    reference: pd.DataFrame, experiment: pd.DataFrame, best: pd.Series, share: float = 1.0
) -> Speedup:
    """`speedup` to `share` of the median of `best`, which each resample takes of its own seeds.

    `reference` and `experiment` are the curves of one experiment each, extended as for
    `curves.crossings`; `best` has accuracies by their seed. Seeds that only the target or only the
    pair depends on are drawn among themselves. Where the reference's own best are the target, half
    of its runs reach it by definition: the length of its training bounds the ratio.
    """
    seeds = _shared(reference["seed"], experiment["seed"])
    if not seeds:
        return _NOTHING
    every = sorted({*seeds, *best.index})
    of_pair, of_target = np.isin(every, seeds), np.isin(every, best.index)
    draws = _draws(2 * of_pair + of_target)
    accuracies = best.sort_index(kind="stable").to_numpy(float)
    targets, target_of = np.unique(
        share * _medians_of_values(accuracies, draws[:, of_target]), return_inverse=True
    )
    of_both = [crossings_of_targets(curves, seeds, targets) for curves in (reference, experiment)]
    lows, highs = np.empty(len(draws)), np.empty(len(draws))
    for row in range(len(targets)):
        chosen = target_of == row
        crossed = [(steps[row], reached[row]) for steps, reached in of_both]
        lows[chosen], highs[chosen] = _ratios(crossed, draws[np.ix_(chosen, of_pair)])
    return _speedup(seeds, lows, highs)


def _speedup(seeds: list[int], lows: np.ndarray, highs: np.ndarray) -> Speedup:
    """The speed-up of the least and greatest ratios: of all seeds, then of their resamples."""
    value, relation = bounded(lows[0], highs[0])
    interval = _NOTHING.interval
    if len(seeds) > 1:
        tail = int(NUM_RESAMPLES * (1 - CONFIDENCE) / 2)
        low, high = np.sort(lows[1:])[tail], np.sort(highs[1:])[-1 - tail]
        interval = Interval(_positive(low), _positive(high), bootstrap_coverage(len(seeds)))
    return Speedup(value, relation, interval, tuple(seeds))


def _shared(first: pd.Series, second: pd.Series) -> list[int]:
    return sorted({*first} & {*second})


def _draws(kinds: np.ndarray) -> np.ndarray:
    """All seeds once, then how often each resample has each: (1 + resamples, seeds).

    `kinds` is (seeds,): those of one kind are drawn among themselves.
    """
    generator = np.random.Generator(np.random.Philox(0))
    draws = np.ones((1 + NUM_RESAMPLES, len(kinds)), int)
    for kind in np.unique(kinds):
        n = int((kinds == kind).sum())
        draws[1:, kinds == kind] = generator.multinomial(n, np.full(n, 1 / n), size=NUM_RESAMPLES)
    return draws


def _medians_of_values(values: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """The median of each resample, (resamples,); of an even number the mean of the middle two."""
    order = np.argsort(values, kind="stable")
    up_to, n = np.cumsum(draws[:, order], axis=1), len(values)
    middle = [(up_to > place).argmax(axis=1) for place in ((n - 1) // 2, n // 2)]
    lower, upper = (values[order][places] for places in middle)
    return (lower + upper) / 2


def _ratios(of_both: list[Crossed], draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest ratio of the medians of each resample; `draws` is (resamples, seeds)."""
    (reference_low, reference_high), (experiment_low, experiment_high) = (
        _median_bounds(steps, reached, draws) for steps, reached in of_both
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
    order = by_time(steps, reached)
    steps, reached, draws = steps[order], reached[order], draws[:, order]
    medians = resampled_medians(steps, reached, draws)
    last = np.where(draws > 0, steps, 0.0).max(axis=1)
    return np.where(np.isfinite(medians), medians, last), medians


def bounded(low: float, high: float) -> tuple[float | None, Relation]:
    """What is known of a ratio: itself, or the end that says something; None where neither does."""
    if low == high:
        return _positive(low), "="
    if math.isinf(high):
        return _positive(low), ">"
    return _positive(high), "<"


def _positive(ratio: float) -> float | None:
    """None for the ratios that say nothing: infinity, and 0, which no ratio is below."""
    return float(ratio) if 0 < ratio < math.inf else None
