"""D3 and C3: what the laboratory's tables of rate and decay say, by criteria fixed before them.

A pilot on seed 100 chose the number of steps and the cell whose lengths are replayed, no bound.
The specification asks of the replay that accuracies differ by more without it; accuracies on MNIST
differ too little for that, so that training losses are compared, as ratios.
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "effective_rate"
MOMENTUM = 0.9
# Of steps over which losses at the end are averaged.
LAST = 200
# An equilibrium is judged once so many of its time constants, (1 - mu) / (4 eta lambda), are over.
TIME_CONSTANTS = 10
# Without momentum; the largest is 6 times the one before.
RATES, SCALED_RATE = (0.02, 0.1, 0.6), 0.1

CRITERIA = {
    "D3.rotation": SeedCriterion(
        "D3",
        "a step turns a unit by the law, whatever rate and decay are each",
        "largest relative distance from sqrt(2 eta lambda / (1 + mu)) over the cells that have had "
        f"{TIME_CONSTANTS} time constants, both layers",
        "below",
        0.2,
    ),
    "D3.replay_accuracy": SeedCriterion(
        "D3",
        "given the lengths of the decayed network's weights, one without decay ends like it",
        "difference of the test accuracies, either way",
        "below",
        0.01,
    ),
    "D3.replay_loss": SeedCriterion(
        "D3",
        "and its training loss is nearer to that of the decayed one than without these lengths",
        "|log of the ratio of losses| without the lengths over the same with them",
        "above",
        2,
    ),
    "C3.gradients": SeedCriterion(
        "C3",
        "kernels ten times as large get gradients a tenth as large",
        "distance of ten times the ratio of the first gradients' lengths from 1",
        "below",
        0.05,
    ),
    "C3.growth": SeedCriterion(
        "C3",
        "a kernel's growth slows as it grows",
        "exponent of its length over steps, second half, at 30 times the rate (1/4 by the law, 1/2 "
        "for steps of constant length in random directions)",
        "below",
        0.4,
    ),
    "C3.effective_rate": SeedCriterion(
        "C3",
        "six times the rate is less than twice the effective rate in the end",
        "eta / |w|^2 at 30 times the rate over that at 5 times",
        "below",
        2,
    ),
}


def law(rows: pd.DataFrame) -> pd.Series:
    """By how much a step turns a unit in equilibrium."""
    return np.sqrt(2 * rows["rate"] * rows["decay"] / (1 + MOMENTUM))


def is_in_equilibrium(rows: pd.DataFrame, steps: int) -> pd.Series:
    """Whether a cell's networks have had the time to get there."""
    return rows["rate"] * rows["decay"] >= TIME_CONSTANTS * (1 - MOMENTUM) / (4 * steps) * 0.999


def _measures(found: Tables) -> Measures:
    grid, replay, growth = found["grid"], found["replay"], found["growth"]
    cells = grid[is_in_equilibrium(grid, replay["step"].max())]
    normalized = growth[growth["network"] == "with BN"]
    drawn = normalized[normalized["scale"] == 1]
    fastest = drawn[drawn["rate"] == RATES[-1]]
    return {
        "D3.rotation": (cells, _distance_from_law),
        "D3.replay_accuracy": (replay, _accuracy_apart),
        "D3.replay_loss": (replay, _nearer),
        "C3.gradients": (normalized[normalized["rate"] == SCALED_RATE], _gradients),
        "C3.growth": (fastest, growth_exponent),
        "C3.effective_rate": (drawn, _effective_rates),
    }


def _distance_from_law(rows: pd.DataFrame) -> float:
    off = [(rows[f"angle_{layer}"] / law(rows) - 1).abs().max() for layer in (1, 2)]
    return float(max(off))


def _accuracy_apart(rows: pd.DataFrame) -> float:
    accuracy = rows.groupby("network")["accuracy"].first()
    return float(abs(accuracy["replayed lengths"] - accuracy["decayed"]))


def _nearer(rows: pd.DataFrame) -> float:
    last = rows[rows["step"] > rows["step"].max() - LAST]
    logs = np.log(last.groupby("network")["loss"].mean())
    return float(
        abs(logs["without decay"] - logs["decayed"])
        / abs(logs["replayed lengths"] - logs["decayed"])
    )


def _gradients(rows: pd.DataFrame) -> float:
    first = rows[rows["step"] == 1].set_index("scale")["gradient"]
    return float(abs(10 * first[10] / first[1] - 1))


def growth_exponent(rows: pd.DataFrame) -> float:
    """The exponent of the power of steps with which a kernel's length grows in the second half."""
    late = rows[rows["step"] >= rows["step"].max() / 2]
    return float(np.polyfit(np.log(late["step"]), np.log(late["length"]), 1)[0])


def _effective_rates(rows: pd.DataFrame) -> float:
    last = rows[rows["step"] == rows["step"].max()].set_index("rate")
    effective = last.index.to_series() / last["length"] ** 2
    return float(effective[RATES[2]] / effective[RATES[1]])


JUDGED = ComputedClaims(
    STUDY,
    ("grid", "rotation", "replay", "growth"),
    CRITERIA,
    _measures,
    in_points=("D3.replay_accuracy",),
)
