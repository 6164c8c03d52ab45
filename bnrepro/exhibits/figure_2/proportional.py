"""How figure 2 in the paper's proportions is judged: shares, targets and criteria.

Committed before its first run; the reasons and what is expected stand in
`results/published/figure_2/PLAN.md`.
"""

from typing import TYPE_CHECKING

import numpy as np

from bnrepro.experiments import EXPERIMENTS
from bnrepro.verdicts.criteria import SeedCriterion

if TYPE_CHECKING:
    import pandas as pd

# The primary target is the accuracy of the pilot's Inception after this share of its steps.
TARGET_SHARE_OF_STEPS = 0.4
# What the pilot decided by its rule (a839132), before the first final run.
PRIMARY_TARGET = 0.72
# Over this last share of Inception's steps the pilot takes the slope of its accuracy.
SLOPE_SHARE_OF_STEPS = 0.2
# BN-x30 trains in the pilot if it ends above this share of Inception's accuracy.
TRAINS_SHARE = 0.5
# "At first" is the way to this share of the primary target.
EARLY_SHARE = 0.9
# A factor is of the paper's size if it is at most this many times larger or smaller.
SAME_SIZE = 2.0
# Shares of Inception's best accuracy at which our factors and the paper's are shown.
SHOWN_SHARES = (0.8, 0.9, 0.95, 0.99)

_STEPS = "steps to the primary target"
_SIZE = "over the paper's factor at the same share of Inception's best"
_BEST = "difference of the best accuracies"
_SHARE = "best accuracy as a share of the way from chance to Inception's median best"

CRITERIA = {
    "baseline_steps": SeedCriterion(
        "C13",
        "BN-Baseline needs fewer steps than Inception",
        f"{_STEPS}, Inception over BN-Baseline",
        "above",
        1,
    ),
    "baseline_size": SeedCriterion(
        "C13",
        "BN-Baseline needs fewer steps than Inception by as much as in the paper",
        f"{_STEPS}, Inception over BN-Baseline, {_SIZE}",
        "within",
        SAME_SIZE,
    ),
    "x5_steps": SeedCriterion(
        "C14",
        "BN-x5 needs fewer steps than Inception",
        f"{_STEPS}, Inception over BN-x5",
        "above",
        1,
    ),
    "x5_size": SeedCriterion(
        "C14",
        "BN-x5 needs fewer steps than Inception by as much as in the paper",
        f"{_STEPS}, Inception over BN-x5, {_SIZE}",
        "within",
        SAME_SIZE,
    ),
    "x30_steps": SeedCriterion(
        "C15",
        "BN-x30 needs fewer steps than Inception",
        f"{_STEPS}, Inception over BN-x30",
        "above",
        1,
    ),
    "x30_size": SeedCriterion(
        "C15",
        "BN-x30 needs fewer steps than Inception by as much as in the paper",
        f"{_STEPS}, Inception over BN-x30, {_SIZE}",
        "within",
        SAME_SIZE,
    ),
    "x5_end": SeedCriterion(
        "C14",
        "BN-x5 ends above BN-Baseline",
        f"{_BEST}, BN-x5 minus BN-Baseline",
        "above",
        0,
    ),
    "x30_end": SeedCriterion(
        "C15",
        "BN-x30 ends highest of the five",
        f"{_BEST}, BN-x30 minus each of the other four",
        "above",
        0,
    ),
    "x30_first": SeedCriterion(
        "C15",
        "BN-x30 is slower than BN-x5 at first",
        f"steps to {EARLY_SHARE:g} of the primary target, BN-x30 over BN-x5",
        "above",
        1,
    ),
    "sigmoid_trains": SeedCriterion("C16", "BN-x5-Sigmoid trains", _SHARE, "above", 0.5),
    "sigmoid_end": SeedCriterion(
        "C16",
        "BN-x5-Sigmoid ends below BN-x5",
        f"{_BEST}, BN-x5 minus BN-x5-Sigmoid",
        "above",
        0,
    ),
    "inception_x5": SeedCriterion(
        "C14",
        "Inception at x5 stays at chance or does worse",
        f"{_BEST} up to the last step of Inception at x5, Inception minus Inception at x5",
        "above",
        0,
    ),
    "inception_sigmoid": SeedCriterion(
        "C16", "Inception with sigmoids stays at chance", _SHARE, "below", 0.05
    ),
}


def paper_factor(experiment: str, share: float) -> float | None:
    """How many times fewer steps than Inception the paper's network needs to the same accuracy.

    The accuracy is `share` of the best of the paper's Inception; both curves of figure 2 are read
    on straight lines between their points. None where the network never reaches it.
    """
    reference, own = EXPERIMENTS["inception"].paper_curve, EXPERIMENTS[experiment].paper_curve
    if reference is None or own is None:
        raise KeyError(f"{experiment}: figure 2 has no such curve")
    target = share * reference["value"].max()
    steps, reference_steps = _first_step_at(own, target), _first_step_at(reference, target)
    return reference_steps / steps if steps and reference_steps else None


def _first_step_at(curve: "pd.DataFrame", target: float) -> float | None:
    """The first step at which a drawn curve has the target, on straight lines between points."""
    steps, values = curve["step"].to_numpy(), curve["value"].to_numpy()
    above = np.flatnonzero(values >= target)
    if not above.size:
        return None
    end = above[0]
    if end == 0:
        return float(steps[0])
    part = (target - values[end - 1]) / (values[end] - values[end - 1])
    return float(steps[end - 1] + part * (steps[end] - steps[end - 1]))
