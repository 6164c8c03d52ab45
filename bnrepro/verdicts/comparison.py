"""The rule for what was measured over seeds.

Reproduced: every seed lies on the claim's side of the bound, or the whole interval of the median
does. Not reproduced: likewise on the other side. Else inconclusive. Of fewer seeds than a verdict
needs, all on one side are a hint; there an interval misses too often to count.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from bnrepro.statistics import Interval, Ratios, Speedup, interval_of_median, ratios_of_steps
from bnrepro.verdicts.criteria import HINT_SEEDS, VERDICT_SEEDS, SeedCriterion
from bnrepro.verdicts.verdict import Outcome, Verdict, all_of

_NOTHING = Interval(None, None, 0.0)


@dataclass(frozen=True)
class Comparison:
    """One number per seed, known within `low` and `high`, and an interval of their median."""

    name: str
    text: str
    low: np.ndarray = field(default_factory=lambda: np.empty(0))  # (seeds,)
    high: np.ndarray = field(default_factory=lambda: np.empty(0))
    interval: Interval = _NOTHING

    def outcome(self, criterion: SeedCriterion) -> Outcome:
        """What follows for a claim."""
        n, bound = len(self.low), criterion.bound
        if n < HINT_SEEDS or np.isnan(self.low).any():
            return "inconclusive"
        below, above = self._sides(bound)
        if criterion.relation == "within":
            too_small, large_enough = self._sides(1 / bound)
            agrees, contradicts = large_enough and below, too_small or above
        else:
            agrees, contradicts = (
                (above, below) if criterion.relation == "above" else (below, above)
            )
        if agrees:
            return "reproduced" if n >= VERDICT_SEEDS else "hint: holds"
        if contradicts:
            return "not reproduced" if n >= VERDICT_SEEDS else "hint: does not hold"
        return "inconclusive"

    def _sides(self, bound: float) -> tuple[bool, bool]:
        """Whether all lie below the bound, and whether all lie above it."""
        below, above = bool((self.high < bound).all()), bool((self.low > bound).all())
        if len(self.low) >= VERDICT_SEEDS:
            below = below or _end(self.interval.high, math.inf) < bound
            above = above or _end(self.interval.low, -math.inf) > bound
        return below, above

    def __str__(self) -> str:
        return f"{self.name} {self.text}, n = {len(self.low)}" if len(self.low) else self.text


def judge_seeds(criterion: SeedCriterion, *comparisons: Comparison, setting: str = "") -> Verdict:
    """The verdict by a criterion that all comparisons must meet."""
    measured = "; ".join(str(comparison) for comparison in comparisons)
    return Verdict(
        criterion.claim,
        criterion.section,
        criterion.group,
        f"{setting}{criterion.sentence}: {measured}",
        criterion.text,
        all_of(comparison.outcome(criterion) for comparison in comparisons),
    )


def without_records(criterion: SeedCriterion, command: str) -> Verdict:
    """The verdict where nothing was run yet: how to make the records."""
    measured = f"{criterion.sentence}: no records; {command}"
    return Verdict(
        criterion.claim,
        criterion.section,
        criterion.group,
        measured,
        criterion.text,
        "inconclusive",
    )


def nothing(name: str) -> Comparison:
    """What cannot be compared, for want of records."""
    return Comparison(name, f"no records of {name}")


def of_values(name: str, values: npt.ArrayLike, *, points: bool = False) -> Comparison:
    """Known numbers, one a seed; `points` prints fractions as percentage points."""
    known = np.asarray(values, float)
    if not known.size:
        return Comparison(name, f"{name} no seed that both have")
    interval = interval_of_median(known)
    factor, unit = (100, " points") if points else (1, "")
    median = f"{factor * np.median(known):.3g}{unit}"
    return Comparison(name, median + _brackets(interval, factor), known, known, interval)


def of_steps(
    name: str, reference: pd.DataFrame, experiment: pd.DataFrame, ratio: Speedup
) -> Comparison:
    """How many times as many steps the reference needs; frames of `statistics.crossings`.

    A run that never reached the target needs any number of steps from its last one on. `ratio` is
    that of the medians, with its interval.
    """
    # A target that an untrained network has reached: 0 / 0 agrees with nothing.
    each = ratios_of_steps(reference, experiment)
    if not each.low.size:
        return Comparison(name, f"{name} no seed that both have")
    text = "never reached" if ratio.value is None else f"{ratio.relation} {ratio.value:.3g}"
    text = text.removeprefix("= ") + _brackets(ratio.interval)
    return Comparison(name, text, each.low, each.high, ratio.interval)


def of_ratios(name: str, ratios: Ratios) -> Comparison:
    """Ratios on the same seed, with the interval of their median."""
    if not ratios.low.size:
        return Comparison(name, f"{name} no seed that both have")
    (median, relation), interval = ratios.median, ratios.interval
    text = "never reached" if median is None else f"{relation} {median:.3g}".removeprefix("= ")
    text += _brackets(interval)
    return Comparison(name, text, ratios.low, ratios.high, interval)


def _end(end: float | None, open_end: float) -> float:
    return open_end if end is None else end


def _brackets(interval: Interval, factor: float = 1) -> str:
    low, high = interval.low, interval.high
    if low is None and high is None:
        return ""
    if high is None or low is None:
        ends = f"{factor * (low or high or 0):.3g} or {'more' if high is None else 'less'}"
    else:
        ends = f"{factor * low:.3g} to {factor * high:.3g}"
    return f" ({ends}, coverage {interval.coverage_percent} %)"
