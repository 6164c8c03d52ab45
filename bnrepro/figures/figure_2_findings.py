"""Figure 2 in sentences: how many times fewer steps, and what BN-x5's share of that is made of."""

from collections.abc import Iterator, Sequence

import pandas as pd

from bnrepro import paper, statistics
from bnrepro.figures.selection import Selection
from bnrepro.figures.style import LINES
from bnrepro.figures.wording import percent

REFERENCE = "inception"
_NEVER = "never gets there"
# From Inception to BN-x5, one change at a time.
_CHAIN = {
    "inception": "",
    "bn_baseline": "normalization",
    "bn_baseline_x5": "five times the learning rate",
    "bn_x5": "the other changes of the recipe",
}


def findings(chosen: Selection, target: float | None) -> list[str]:
    """The sentences for which there are records; `target` is the reference's accuracy."""
    if target is None:
        return []
    return [
        *_speedups(_crossings(chosen.curves, target), target),
        *_split(chosen),
        *_slope(chosen.curves[chosen.curves["label"] == REFERENCE]),
    ]


def _crossings(curves: pd.DataFrame, target: float) -> dict[str, pd.DataFrame]:
    groups = statistics.crossings(curves, target).groupby("label")
    return {str(label): runs for label, runs in groups}


def _speedups(crossings: dict[str, pd.DataFrame], target: float) -> Iterator[str]:
    ours, theirs = [], []
    reference = paper.row(REFERENCE)
    for row in paper.FIGURE_3:
        if row.experiment == REFERENCE or row.experiment not in crossings:
            continue
        own = crossings[row.experiment]
        faster = statistics.speedup(crossings[REFERENCE], own)
        if not own["reached"].any():
            ours.append(f"{row.label} {_NEVER}")
        elif faster.value is not None:
            sign = {"=": "", ">": "more than ", "<": "less than "}[faster.relation]
            ours.append(f"{row.label} {sign}{faster.value:.1f}")
        if row.steps_to_target is None:
            theirs.append(f"{row.label} {_NEVER}")
        elif reference and reference.steps_to_target:
            theirs.append(f"{row.label} {reference.steps_to_target / row.steps_to_target:.1f}")
    if ours:
        yield (
            f"How many times fewer steps than Inception to its {percent(target)}: "
            f"{', '.join(ours)}; in the paper, to 72.2 % on ImageNet: {', '.join(theirs)}."
        )


def _split(chosen: Selection) -> Iterator[str]:
    """BN-x5's factor as a product, over the seeds that all four networks have.

    The target is what the reference reaches on these seeds, so that half of its runs do.
    """
    of_chain = chosen.runs[chosen.runs["label"].isin(_CHAIN)]
    networks = of_chain.groupby("seed")["label"].nunique()
    common = sorted(networks[networks == len(_CHAIN)].index)
    if not common:
        return
    reference = of_chain[of_chain["seed"].isin(common) & (of_chain["label"] == REFERENCE)]
    target = float(reference["best_accuracy"].median())
    crossings = _crossings(chosen.curves[chosen.curves["seed"].isin(common)], target)
    medians = {}
    for label in _CHAIN:
        runs = crossings[label]
        median = statistics.kaplan_meier_median(runs["steps"], runs["reached"])
        if not median:
            yield (
                f"BN-x5's speed-up to {percent(target)} cannot be split: over "
                f"{_listed(common)}, half of {LINES[label].label}'s never get there."
            )
            return
        medians[label] = median
    labels = list(_CHAIN)
    parts = [
        f"{medians[before] / medians[after]:.1f} from {_CHAIN[after]}"
        for before, after in zip(labels, labels[1:], strict=False)
    ]
    whole = medians[labels[0]] / medians[labels[-1]]
    yield (
        f"BN-x5's factor of {whole:.1f} to {percent(target)} ({_listed(common)}) is "
        f"{', times '.join(parts)}."
    )


def _slope(curves: pd.DataFrame) -> Iterator[str]:
    slopes = [statistics.slope_of_last_fifth(curve) for _, curve in curves.groupby("seed")]
    known = pd.Series(slopes, dtype=float).dropna()
    if len(known):
        yield (
            f"Over its last fifth Inception still gains {100 * known.median():.2f} points per "
            "1,000 steps (median over seeds): its best accuracy, the target, is not its limit."
            if known.median() > 0.0005
            else f"Over its last fifth Inception stands still ({100 * known.median():+.2f} points "
            "per 1,000 steps, median over seeds)."
        )


def _listed(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
