"""E1 to E3: what the laboratory's tables of the error surface say, by criteria fixed before them.

Bounds that are not the specification's own are wide of what the closed forms foretell, so that they
fail where the mechanism does, not where a sample is an odd one.
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "error_surface"
TABLES = (
    "scales",
    "means",
    "mini_batches",
    "correlation",
    "distances",
    "images",
    "surfaces",
    "paths",
    "optimizers",
    "noise",
)
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
        "steps on features divided by their deviation over steps on standardized ones, means of "
        "squared length 5",
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
    "E2.count": SeedCriterion(
        "E2",
        "descent takes the steps that the eigenvalues foretell",
        "largest difference between counted and foretold steps",
        "below",
        1.5,
    ),
    "E2.law": SeedCriterion(
        "E2",
        "the condition number of standardized features is (1 + rho) / (1 - rho)",
        "largest relative distance of the sample's from the population's",
        "below",
        0.25,
    ),
    "E2.standardized": SeedCriterion(
        "E2",
        "standardization does nothing about correlation",
        "largest relative difference of the condition numbers, raw (deviations 1) and "
        "standardized, correlations from 0.5",
        "below",
        0.1,
    ),
    "E2.batch_normalization": SeedCriterion(
        "E2",
        "nor does batch normalization of the inputs",
        "largest relative difference of the condition numbers from standardized ones",
        "below",
        _EPSILON_BOUND,
    ),
    "E2.whitened": SeedCriterion(
        "E2",
        "whitening makes one step enough",
        "most steps with PCA and with ZCA",
        "below",
        1.5,
    ),
    "E2.closest": SeedCriterion(
        "E2",
        "of both whitenings ZCA stays closer to the features",
        "largest distance of ZCA over that of PCA",
        "below",
        1,
    ),
    "E3.count": SeedCriterion(
        "E3",
        "descent takes the steps that the eigenvalues foretell",
        "largest difference between counted and foretold steps",
        "below",
        1.5,
    ),
    "E3.order": SeedCriterion(
        "E3",
        "raw features take more steps than standardized ones, and these more than whitened ones",
        "smaller of both ratios of steps",
        "above",
        2,
    ),
    "E3.converges": SeedCriterion(
        "E3",
        "at 0.95 of the largest rate descent zigzags and arrives",
        "largest ratio of the loss after 60 steps to that before",
        "below",
        0.01,
    ),
    "E3.diverges": SeedCriterion(
        "E3",
        "at 1.05 of it descent diverges on every surface",
        "smallest ratio of the loss after 60 steps to that before",
        "above",
        100,
    ),
    **{
        f"E3.{optimizer.lower()}_{deviation}": SeedCriterion(
            "E3",
            f"along the axes {optimizer} takes fewer steps than descent, deviations 1 and "
            f"{deviation}",
            f"steps of gradient descent over those of {optimizer}, each at its best rate",
            "above",
            1,
        )
        for optimizer in ("Adam", "RMSprop")
        for deviation in (10, 100)
    },
    **{
        f"E3.turned_{deviation}": SeedCriterion(
            "E3",
            f"turned by 45 degrees Adam loses that, deviations 1 and {deviation}",
            "steps of Adam when turned over steps along the axes",
            "above",
            2,
        )
        for deviation in (10, 100)
    },
    "E3.turned_descent": SeedCriterion(
        "E3",
        "gradient descent does not notice the turn",
        "largest relative difference of its steps",
        "below",
        0.01,
    ),
    "E3.floor": SeedCriterion(
        "E3",
        "at a constant rate noise leaves the error of the law",
        "largest relative distance from the law",
        "below",
        0.03,
    ),
    "E3.decay": SeedCriterion(
        "E3",
        "with a rate that decays as 1/t the error falls as 1/t",
        "largest relative distance from the law",
        "below",
        0.03,
    ),
    "E3.decay_wins": SeedCriterion(
        "E3",
        "after 1,000 steps the rate that decays has the smaller error",
        "squared error at the smallest constant rate over that at 1/t",
        "above",
        1,
    ),
}


def _measures(found: Tables) -> Measures:
    return {**_of_scales(found), **_of_correlation(found), **_of_optimizers(found)}


def _of_scales(found: Tables) -> Measures:
    scales, means = (found[name].assign(table=name) for name in ("scales", "means"))
    e1 = pd.concat([scales, means])
    return {
        "E1.count": (e1, _largest_miss),
        "E1.below": (e1, lambda rows: rows["loss_below"].max()),
        "E1.above": (e1, lambda rows: rows["loss_above"].min()),
        "E1.scale": (scales, _distance_from_square),
        "E1.standardized": (scales[scales["setting"] == 10], lambda rows: _gain(rows, "raw")),
        "E1.mean": (
            means[means["setting"] == 5],
            lambda rows: _gain(rows, "divided by its deviation"),
        ),
        "E1.batch_normalization": (e1, lambda rows: _apart(rows, "batch normalization")),
        "E1.mini_batches": (found["mini_batches"], _distance_from_root),
        "E1.law": (found["mini_batches"], lambda rows: _off(rows["difference"], rows["law"])),
    }


def _of_correlation(found: Tables) -> Measures:
    correlated = found["correlation"].assign(table="correlation")
    from_half = correlated[correlated["setting"] >= 0.5]
    whitened = correlated[correlated["normalization"].isin(["PCA", "ZCA"])]
    standardized = correlated[correlated["normalization"] == "standardized"]
    return {
        "E2.count": (correlated, _largest_miss),
        "E2.law": (standardized, lambda rows: _off(rows["condition"], rows["law"])),
        "E2.standardized": (from_half, lambda rows: _apart(rows, "raw")),
        "E2.batch_normalization": (correlated, lambda rows: _apart(rows, "batch normalization")),
        "E2.whitened": (whitened, lambda rows: rows["counted_steps"].max()),
        "E2.closest": (found["distances"], _largest_ratio),
    }


def _of_optimizers(found: Tables) -> Measures:
    paths, noise, optimizers = found["paths"], found["noise"], found["optimizers"]
    constant, decaying = noise[noise["rate"].notna()], noise[noise["rate"].isna()]
    return {
        "E3.count": (found["surfaces"], _largest_miss),
        "E3.order": (found["surfaces"], _least_gain),
        "E3.converges": (
            paths[paths["rate"] == "0.95 of the largest"],
            lambda rows: _growth(rows).max(),
        ),
        "E3.diverges": (
            paths[paths["rate"] == "1.05 of the largest"],
            lambda rows: _growth(rows).min(),
        ),
        "E3.adam_10": (_at(optimizers, 10), lambda rows: _faster(rows, "Adam")),
        "E3.adam_100": (_at(optimizers, 100), lambda rows: _faster(rows, "Adam")),
        "E3.rmsprop_10": (_at(optimizers, 10), lambda rows: _faster(rows, "RMSprop")),
        "E3.rmsprop_100": (_at(optimizers, 100), lambda rows: _faster(rows, "RMSprop")),
        "E3.turned_10": (_at(optimizers, 10), lambda rows: _turned(rows)["Adam"].max()),
        "E3.turned_100": (_at(optimizers, 100), lambda rows: _turned(rows)["Adam"].max()),
        "E3.turned_descent": (
            optimizers,
            lambda rows: (_turned(rows)["gradient descent"] - 1).abs().max(),
        ),
        "E3.floor": (constant, lambda rows: _off(rows["squared_error"], rows["law"])),
        "E3.decay": (decaying, lambda rows: _off(rows["squared_error"], rows["law"])),
        "E3.decay_wins": (noise[noise["step"] == noise["step"].max()], _decay_wins),
    }


def _largest_miss(rows: pd.DataFrame) -> float:
    return float((rows["counted_steps"] - rows["predicted_steps"]).abs().max())


def _off(measured: pd.Series, law: pd.Series) -> float:
    """The largest relative distance from a law."""
    return float((measured / law - 1).abs().max())


def _gain(rows: pd.DataFrame, normalization: str) -> float:
    """How many times the steps of standardized features a normalization takes."""
    steps = rows.set_index("normalization")["counted_steps"]
    return float(steps[normalization] / steps["standardized"])


def _apart(rows: pd.DataFrame, normalization: str) -> float:
    """The largest relative difference of the condition number from the standardized one."""
    keyed = rows.set_index(["table", "setting", "normalization"])["condition"]
    conditions = keyed.unstack("normalization")
    return _off(conditions[normalization], conditions["standardized"])


def _distance_from_square(rows: pd.DataFrame) -> float:
    raw = rows[(rows["normalization"] == "raw") & (rows["setting"] >= 3)]
    return abs(_exponent(raw["setting"], raw["counted_steps"]) - 2)


def _distance_from_root(rows: pd.DataFrame) -> float:
    return abs(_exponent(rows["batch_size"], rows["difference"]) + 0.5)


def _exponent(x: pd.Series, y: pd.Series) -> float:
    """The exponent of the power law that is nearest by least squares of logarithms."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _largest_ratio(rows: pd.DataFrame) -> float:
    distances = rows.pivot_table("distance", index="setting", columns="normalization")
    return float((distances["ZCA"] / distances["PCA"]).max())


def _least_gain(rows: pd.DataFrame) -> float:
    steps = rows.set_index("normalization")["counted_steps"]
    return float(
        min(steps["raw"] / steps["standardized"], steps["standardized"] / steps["whitened"])
    )


def _growth(rows: pd.DataFrame) -> pd.Series:
    """The loss after the last step over that before the first, by normalization."""
    excess = rows.sort_values("step", kind="stable").groupby("normalization")["excess"]
    return excess.last() / excess.first()


def _at(rows: pd.DataFrame, deviation: float) -> pd.DataFrame:
    return rows[rows["deviation"] == deviation]


def _faster(rows: pd.DataFrame, optimizer: str) -> float:
    """Steps of gradient descent along the axes over those of an optimizer."""
    steps = rows[rows["turn"] == "aligned"].set_index("optimizer")["steps"]
    return float(steps["gradient descent"] / steps[optimizer])


def _turned(rows: pd.DataFrame) -> pd.DataFrame:
    """Steps when turned over those along the axes, a column per optimizer."""
    steps = rows.set_index(["deviation", "optimizer", "turn"])["steps"].unstack("turn")
    return (steps["rotated"] / steps["aligned"]).unstack("optimizer")


def _decay_wins(rows: pd.DataFrame) -> float:
    errors = rows.set_index("rate")["squared_error"]
    constant = errors[errors.index.notna()].sort_index(kind="stable")
    return float(constant.iloc[0] / errors[errors.index.isna()].iloc[0])


JUDGED = ComputedClaims(STUDY, TABLES, CRITERIA, _measures)
