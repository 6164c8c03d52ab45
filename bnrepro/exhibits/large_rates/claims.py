"""D4b: what batch normalization gains at small rates and at the best, by committed criteria.

The first two bounds are those of the laboratory's specification, committed before the runs that
they judge. Accuracies that are alike because nothing was learned say nothing: where neither network
is twice as often right as by chance, the first criterion has no number.

The map of |dL/d output| has a row an example and a column a class. If the same columns light up in
all rows, what varies in it varies between columns: `between_columns` is the variance of the
columns' means over that of all values. With R rows that have nothing in common it is about 1 / R;
where every example is seen as one class it is about 0.4 of ten classes, since the label's column
lights up, too, another one in each row. That it is twice as large without batch normalization is
ours, written before the share of any map was computed.
"""

import math

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "large_rates"
PLAIN, BN = "plain", "batch normalization"
SMALL = 1e-4

CRITERIA = {
    "D4b.small_rate": SeedCriterion(
        "D4b",
        "at a rate of 1e-4 both train alike",
        "distance of the test accuracies at the end, where one of them is above twice chance",
        "below",
        0.03,
    ),
    "D4b.best": SeedCriterion(
        "D4b",
        "each at its best rate, batch normalization is ahead",
        "best test accuracy over the rates, with batch normalization minus without",
        "above",
        0,
    ),
    "D4b.outputs": SeedCriterion(
        "D4b",
        "at initialization gradients by the outputs are more alike for all examples without it",
        "share of the variance of |dL/d output| that is between classes, without over with",
        "above",
        2,
    ),
}


def between_columns(gradients: np.ndarray) -> float:
    """The variance of the columns' means over that of all values, (examples, classes)."""
    return float(gradients.mean(axis=0).var() / gradients.var())


def gradients_of(outputs: pd.DataFrame, network: str) -> np.ndarray:
    """|dL/d output| of one seed's network, (examples, classes)."""
    own = outputs[outputs["network"] == network]
    return own.filter(regex=r"^class_\d+$").to_numpy(float)


def at_smallest(ends: pd.DataFrame) -> pd.DataFrame:
    """The trainings at the rate of 1e-4."""
    return ends[np.isclose(ends["rate"], SMALL)]


def best(ends: pd.DataFrame, network: str) -> float:
    """The best test accuracy over the rates, of one seed; 0 where it diverged at all of them."""
    return float(ends.loc[ends["network"] == network, "accuracy"].fillna(0.0).max())


def _measures(found: Tables) -> Measures:
    ends, outputs = found["ends"], found["outputs"]
    chance = 1 / outputs.filter(regex=r"^class_\d+$").shape[1]
    return {
        "D4b.small_rate": (at_smallest(ends), lambda own: _distance(own, 2 * chance)),
        "D4b.best": (ends, lambda own: best(own, BN) - best(own, PLAIN)),
        "D4b.outputs": (outputs, _more_alike),
    }


def _distance(rows: pd.DataFrame, learned: float) -> float:
    plain, normalized = (best(rows, network) for network in (PLAIN, BN))
    return abs(plain - normalized) if max(plain, normalized) > learned else math.nan


def _more_alike(rows: pd.DataFrame) -> float:
    plain, normalized = (between_columns(gradients_of(rows, each)) for each in (PLAIN, BN))
    return plain / normalized


JUDGED = ComputedClaims(
    STUDY,
    ("ends", "outputs", "curves", "setting"),
    CRITERIA,
    _measures,
    in_points=("D4b.small_rate", "D4b.best"),
)
