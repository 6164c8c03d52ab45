"""E1: what the laboratory's tables of the error surface say, by criteria fixed before them.

Bounds that are not the specification's own are wide of what the closed forms foretell, so that they
fail where the mechanism does, not where a sample is an odd one.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from bnrepro.records import laboratory
from bnrepro.verdicts.comparison import judge_seeds, of_values
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

STUDY = "error_surface"
# Twice the epsilon of batch normalization: features whose variance is 1 or more shrink by half of
# epsilon, relative to their size, and their Hessian by all of it.
_EPSILON_BOUND = 2e-5

CRITERIA = {
    "E1.count": SeedCriterion(
        "E1",
        "descent takes the steps that the eigenvalues foretell",
        "largest difference between counted and foretold steps",
        "below",
        1.5,
    ),
    "E1.below": SeedCriterion(
        "E1",
        "just below 2 over the largest eigenvalue the loss falls",
        "largest ratio of the loss after 100 steps to that before, at 0.99 times that rate",
        "below",
        1,
    ),
    "E1.above": SeedCriterion(
        "E1",
        "just above it the loss grows",
        "smallest ratio of the loss after 100 steps to that before, at 1.01 times that rate",
        "above",
        1,
    ),
    "E1.scale": SeedCriterion(
        "E1",
        "steps grow as the square of the scale of a feature",
        "exponent of the steps over scales from 3 to 100, distance from 2",
        "below",
        0.1,
    ),
    "E1.standardized": SeedCriterion(
        "E1",
        "standardization makes descent fast",
        "steps on raw features over steps on standardized ones, deviations 1 and 10",
        "above",
        10,
    ),
    "E1.mean": SeedCriterion(
        "E1",
        "a mean matters as a scale does",
        "the same with deviations of 1 and means of squared length 5",
        "above",
        10,
    ),
    "E1.batch_normalization": SeedCriterion(
        "E1",
        "batch normalization of raw inputs is standardization",
        "largest relative difference of the condition numbers",
        "below",
        _EPSILON_BOUND,
    ),
    "E1.mini_batches": SeedCriterion(
        "E1",
        "in mini-batches it differs as one over the root of their size",
        "exponent of the difference over sizes from 4 to 1024, distance from -1/2",
        "below",
        0.05,
    ),
    "E1.law": SeedCriterion(
        "E1",
        "the difference is what the law of normal samples says",
        "largest relative distance from the law",
        "below",
        0.05,
    ),
}


def verdicts(results_dir: str) -> list[Verdict]:
    """All of E1, from the tables below `results_dir`.

    Raises:
        RecordError: if a table cannot be read.
    """
    scales, means, batches = (
        laboratory.read_table(results_dir, STUDY, name)
        for name in ("scales", "means", "mini_batches")
    )
    both = pd.concat([scales, means])
    found = {
        "E1.count": (both, _largest_miss),
        "E1.below": (both, lambda rows: rows["loss_below"].max()),
        "E1.above": (both, lambda rows: rows["loss_above"].min()),
        "E1.scale": (scales, _distance_from_square),
        "E1.standardized": (scales[scales["setting"] == 10], _gain),
        "E1.mean": (means[means["setting"] == 5], _gain),
        "E1.batch_normalization": (both, _distance_from_standardized),
        "E1.mini_batches": (batches, _distance_from_root),
        "E1.law": (batches, lambda rows: (rows["difference"] / rows["law"] - 1).abs().max()),
    }
    return [_judge(key, rows, measure) for key, (rows, measure) in found.items()]


def _judge(key: str, rows: pd.DataFrame, measure: Callable[[pd.DataFrame], float]) -> Verdict:
    of_seeds = [measure(own) for _, own in rows.groupby("seed", sort=True)]
    return judge_seeds(CRITERIA[key], of_values("median", of_seeds))


def _largest_miss(rows: pd.DataFrame) -> float:
    return float((rows["counted_steps"] - rows["predicted_steps"]).abs().max())


def _gain(rows: pd.DataFrame) -> float:
    steps = rows.set_index("normalization")["counted_steps"]
    return float(steps["raw"] / steps["standardized"])


def _distance_from_square(rows: pd.DataFrame) -> float:
    raw = rows[(rows["normalization"] == "raw") & (rows["setting"] >= 3)]
    return abs(_exponent(raw["setting"], raw["counted_steps"]) - 2)


def _distance_from_root(rows: pd.DataFrame) -> float:
    return abs(_exponent(rows["batch_size"], rows["difference"]) + 0.5)


def _distance_from_standardized(rows: pd.DataFrame) -> float:
    conditions = rows.pivot_table("condition", index="setting", columns="normalization")
    ratios = conditions["batch normalization"] / conditions["standardized"]
    return float((ratios - 1).abs().max())


def _exponent(x: pd.Series, y: pd.Series) -> float:
    """The exponent of the power law that is nearest by least squares of logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
