"""Figure 2 in sentences: how many times fewer steps, and on what the factors depend."""

from collections.abc import Iterator

import pandas as pd

from bnrepro import statistics
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import listed, percent
from bnrepro.experiments import EXPERIMENTS, FIGURE_3

REFERENCE = "inception"
# The networks that are compared with it, in the paper's order.
FASTER = tuple(name for name in FIGURE_3 if name != REFERENCE)
_NEVER = "never gets there"
RELATIONS = {"=": "", ">": "more than ", "<": "less than "}
# Of the paper's factor: less than this share of it is said to be less.
_SMALLER = 0.5


def target_accuracy(runs: pd.DataFrame) -> float | None:
    """The paper's rule for its table: the reference's best accuracy, here the median over seeds."""
    best = runs["best_accuracy"][runs["label"] == REFERENCE]
    return float(best.median()) if len(best) else None


def findings(chosen: Selection, target: float | None, fixed: Table) -> Iterator[str]:
    """The sentences for which there are records.

    `target` is the reference's best accuracy, `fixed` the table of the steps to fixed ones.
    """
    yield from _at_fixed_targets(pd.DataFrame(fixed.rows, columns=list(fixed.columns)))
    if target is None:
        return
    crossings = {
        str(label): runs
        for label, runs in statistics.crossings(chosen.curves, target).groupby("label")
    }
    yield from _speedups(crossings, target)
    yield from pinned(chosen.curves[chosen.curves["label"] == REFERENCE], crossings[REFERENCE])


def sooner(curves: pd.DataFrame, target: float | None) -> str:
    """Who reaches the reference's best accuracy how many times sooner, for a title."""
    if target is None:
        return "Test accuracy against training steps"
    crossings = dict(iter(statistics.crossings(curves, target).groupby("label")))
    factors, never = [], []
    for name, row in FIGURE_3.items():
        if name == REFERENCE or name not in crossings:
            continue
        own = crossings[name]
        faster = statistics.speedup(crossings[REFERENCE], own)
        if not own["reached"].any():
            never.append(row.label)
        elif faster.value is not None:
            factors.append(f"{row.label} in {RELATIONS[faster.relation]}{faster.value:.1f}")
    said = f"To Inception's best accuracy, {percent(target)}"
    if factors:
        said += f": {', '.join(factors)} times fewer steps"
    return f"{said}; {listed(never)} never" if never else said


def fewest_steps(against: pd.DataFrame) -> str:
    """Which network needs the fewest steps, to accuracies that the reference reaches too."""
    steps = against.pivot(index="target", columns="experiment", values="steps")
    plain = "Training steps to each accuracy"
    if REFERENCE not in steps:
        return plain
    steps = steps[steps[REFERENCE].notna()]
    rows = [name for name in FIGURE_3 if name in steps]
    fewest = steps[rows].idxmin(axis=1).value_counts()
    if fewest.empty or fewest.index[0] == REFERENCE:
        return plain
    label = str(fewest.index[0])
    ratios = (steps[REFERENCE] / steps[label]).dropna()
    targets = ratios.index
    return (
        f"{EXPERIMENTS[label].label} needs {ratios.min():.1f} to {ratios.max():.1f} times fewer "
        f"steps than Inception to every accuracy from {percent(targets.min(), 0)} to "
        f"{percent(targets.max(), 0)}"
    )


def _at_fixed_targets(rows: pd.DataFrame) -> Iterator[str]:
    """Ratios of median steps to accuracies that no run's length has chosen."""
    steps = rows.pivot(index="target_accuracy", columns="experiment", values="steps")
    if REFERENCE not in steps:
        return
    reached = steps[steps[REFERENCE].notna()]
    if reached.empty:
        return
    each = [
        f"{row.label} {listed(map(_ratio, reached[REFERENCE] / reached[name]))}"
        for name, row in FIGURE_3.items()
        if name in steps and name != REFERENCE
    ]
    if not each:
        return
    targets = listed(f"{100 * target:.0f}" for target in reached.index)
    yield (
        f"How many times fewer steps than Inception to {targets} % (ratios of medians over the "
        f"seeds): {'; '.join(each)}."
    )


def _ratio(value: float) -> str:
    return "never" if pd.isna(value) else f"{value:.1f}"


def _speedups(crossings: dict[str, pd.DataFrame], target: float) -> Iterator[str]:
    ours, theirs, smaller = [], [], []
    reference = EXPERIMENTS[REFERENCE].paper_row
    for name, row in FIGURE_3.items():
        if name == REFERENCE or name not in crossings:
            continue
        own = crossings[name]
        faster = statistics.speedup(crossings[REFERENCE], own)
        if not own["reached"].any():
            ours.append(f"{row.label} {_NEVER}")
        elif faster.value is not None:
            ours.append(f"{row.label} {RELATIONS[faster.relation]}{faster.value:.1f}")
        if row.steps_to_target is None:
            theirs.append(f"{row.label} {_NEVER}")
        elif reference and reference.steps_to_target:
            factor = reference.steps_to_target / row.steps_to_target
            theirs.append(f"{row.label} {factor:.1f}")
            if own["reached"].any() and (faster.value or factor) < _SMALLER * factor:
                smaller.append(row.label)
    if ours:
        less = f" Less than half of the paper's factor: {listed(smaller)}." if smaller else ""
        yield (
            f"How many times fewer steps than Inception to its {percent(target)}: "
            f"{', '.join(ours)}; in the paper, to 72.2 % on ImageNet: {', '.join(theirs)}.{less}"
            f"{_first(crossings)}"
        )


def _first(crossings: dict[str, pd.DataFrame]) -> str:
    """Which of the two accelerated networks is there first, here and in the paper."""
    ours, theirs = [], []
    for label in ("bn_x5", "bn_x30"):
        row, runs = EXPERIMENTS[label].paper_row, crossings.get(label)
        median = (
            None if runs is None else statistics.kaplan_meier_median(runs["steps"], runs["reached"])
        )
        if median is None or row is None or row.steps_to_target is None:
            return ""
        ours.append(f"{median:,.0f}")
        theirs.append(f"{row.steps_to_target / 1e6:.1f}")
    names = " and ".join(EXPERIMENTS[label].label for label in ("bn_x5", "bn_x30"))
    return (
        f" {names} get there after {' and '.join(ours)} steps, in the paper after "
        f"{' and '.join(theirs)} million."
    )


def pinned(
    curves: pd.DataFrame, crossings: pd.DataFrame, target: str = "this target"
) -> Iterator[str]:
    """Whether the reference has come to its limit, or the target to the length that was chosen."""
    slopes = [statistics.slope_of_last_fifth(curve) for _, curve in curves.groupby("seed")]
    known = pd.Series(slopes, dtype=float).dropna()
    if known.empty:
        return
    gain = f"{100 * known.median():.2f} points per 1,000 steps (median over the seeds)"
    if known.median() <= 0.0005:
        yield f"Over its last fifth Inception stands still: {gain}."
        return
    steps = statistics.kaplan_meier_median(crossings["steps"], crossings["reached"])
    reached = "" if steps is None else f"reaches {target} at step {steps:,.0f} (median) and "
    yield (
        f"Inception trains for {crossings['last'].max():,} steps, {reached}over its last fifth "
        f"still gains {gain}: its best accuracy is not its limit, and these factors depend on the "
        "chosen length."
    )
