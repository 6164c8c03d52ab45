"""Section 4.1 (C11, C12) and the initial scale (C20), from the records of the MNIST network."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from bnrepro import paper
from bnrepro.exhibits.figure_1.figure import load_percentiles
from bnrepro.exhibits.figure_1.summary import NORMALIZED, PERCENTILE_CURVES, PLAIN, paper_spread
from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.statistics import crossings, pair, speedup
from bnrepro.verdicts.comparison import Comparison, judge_seeds, nothing, of_steps, of_values
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

# Figure 1 is judged at this accuracy, which the paper's network without batch normalization
# reaches at about 14,000 steps.
FIGURE_1_TARGET = 0.95

CRITERIA = {
    "C11.median": SeedCriterion(
        "C11",
        "the median of the sigmoid's input wanders less",
        "largest |median|, averaged over units, without over with batch normalization",
        "above",
        3,
    ),
    "C11.spread": SeedCriterion(
        "C11",
        "the spread of the sigmoid's input changes less",
        "largest over smallest spread between the 15th and 85th percentile, averaged over units, "
        "without over with batch normalization",
        "above",
        3,
    ),
    "C12.steps": SeedCriterion(
        "C12",
        "the network with batch normalization trains faster",
        f"steps to {FIGURE_1_TARGET:g} without over with batch normalization",
        "above",
        1,
    ),
    "C12.accuracy": SeedCriterion(
        "C12",
        "the network with batch normalization ends at a higher accuracy",
        "difference of the final accuracies",
        "above",
        0,
    ),
    "C20.scale": SeedCriterion(
        "C20",
        "the initial scale matters less with batch normalization",
        "range of the final accuracies over the initial scales, without minus with batch "
        "normalization",
        "above",
        0,
    ),
}


def stability(percentiles: pd.DataFrame) -> list[Verdict]:
    """C11; `percentiles` has the columns of `figure_1/percentiles.csv`.

    Of the percentiles averaged over the units of the last hidden layer; beside it the same of the
    one unit that the paper drew. Our network without normalization begins with a spread several
    times less than the paper's, which makes the ratio of the spreads as many times larger.
    """
    units = percentiles[percentiles["unit"] == "mean"]
    units = units.assign(median=units["p50"].abs(), spread=units["p85"] - units["p15"])
    of_run = units.groupby(["experiment", "seed"])
    measures = pd.DataFrame(
        {
            "median": of_run["median"].max(),
            "spread": of_run["spread"].max() / of_run["spread"].min(),
        }
    ).reset_index(names=["label", "seed"])
    return [
        judge_seeds(CRITERIA["C11.median"], _ratio(measures, "median", _drawn_median)),
        judge_seeds(CRITERIA["C11.spread"], _ratio(measures, "spread", _drawn_widening)),
    ]


def accuracy(chosen: Selection) -> list[Verdict]:
    """C12: steps to a target, and the final accuracy."""
    curves = chosen.curves
    plain, normalized = (
        crossings(curves[curves["label"] == label], FIGURE_1_TARGET)
        for label in (PLAIN, NORMALIZED)
    )
    pairs = pair(chosen.runs, PLAIN, NORMALIZED, "judged_final")
    ratio = of_steps("ratio", plain, normalized, speedup(plain, normalized))
    differences = of_values("gain", pairs["second"] - pairs["first"], points=True)
    return [
        judge_seeds(CRITERIA["C12.steps"], ratio),
        judge_seeds(CRITERIA["C12.accuracy"], differences),
    ]


def initial_scale(base: pd.DataFrame, varied: pd.DataFrame) -> list[Verdict]:
    """C20, from the runs of figure 1 and those that vary its setting; frames of a `Selection`.

    Only runs that differ from figure 1 in nothing but the initial scale are compared.
    """
    keys = ["config.learning_rate", "config.data.binary"]
    runs = pd.concat([base, varied], ignore_index=True).drop_duplicates(["name", "seed"])
    results = runs.merge(base[keys].drop_duplicates())
    network = np.where(results["config.placement"] == "none", PLAIN, NORMALIZED)
    accuracies = results.assign(network=network).pivot_table(
        "judged_final", index=["seed", "config.initializer.scale"], columns="network"
    )
    # Both networks at the same scales.
    accuracies = accuracies.dropna()
    of_seed = accuracies.groupby("seed")
    ranges = (of_seed.max() - of_seed.min())[of_seed.size() > 1]
    if ranges.empty:
        return [judge_seeds(CRITERIA["C20.scale"], nothing("other initial scales"))]
    scales = accuracies.index.get_level_values(1)
    name = f"scales {scales.min():g} to {scales.max():g}, the range without is larger by"
    difference = of_values(name, ranges[PLAIN] - ranges[NORMALIZED], points=True)
    return [judge_seeds(CRITERIA["C20.scale"], difference)]


def _ratio(measures: pd.DataFrame, column: str, drawn: Callable[[str], float]) -> Comparison:
    pairs = pair(measures, PLAIN, NORMALIZED, column)
    of_paper = drawn(PLAIN) / drawn(NORMALIZED)
    name = f"by the paper's curves, of one unit, {of_paper:.3g}, here a ratio of"
    return of_values(name, pairs["first"] / pairs["second"])


def _drawn_median(experiment: str) -> float:
    return float(paper.curve(PERCENTILE_CURVES[experiment], "p50")["value"].abs().max())


def _drawn_widening(experiment: str) -> float:
    spread = paper_spread(experiment)
    return float(spread.max() / spread.min())


CLAIMS = {
    "C11": JudgedClaim(
        ("figure_1",),
        ("C11.median", "C11.spread"),
        lambda _, chosen: stability(load_percentiles(chosen.runs)),
    ),
    "C12": JudgedClaim(
        ("figure_1",), ("C12.steps", "C12.accuracy"), lambda _, chosen: accuracy(chosen)
    ),
    "C20": JudgedClaim(
        ("figure_1", "figure_1_sensitivity"),
        ("C20.scale",),
        lambda _, base, varied: initial_scale(base.runs, varied.runs),
    ),
}
