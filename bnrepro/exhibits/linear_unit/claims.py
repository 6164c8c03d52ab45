"""D8: what the laboratory's tables of one linear unit say, by criteria fixed before them.

All of it can be worked out. The bound on the exponent leaves room for the next orders of 1/M, which
count at mini-batches of 4; that on the size for chance.
"""

import math

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "linear_unit"
JUDGED_SIZE = 32
CONDITION = 100.0
LEAST_SQUARES, NORMALIZED = "least squares", "normalized, rate by length"
CONSTANT, WHITENED = "normalized, constant rate", "whitened"

CRITERIA = {
    "D8.exponent": SeedCriterion(
        "D8",
        "what statistics of M examples add to the loss shrinks like 1/M",
        "exponent of M, 4 to 128: largest distance from -1 of normal, uniform and Laplace values",
        "below",
        0.5,
    ),
    "D8.size": SeedCriterion(
        "D8",
        "it is 1 - E s, s being the deviation of M values",
        f"normal values, M = {JUDGED_SIZE}: relative distance from it",
        "below",
        0.1,
    ),
    "D8.rate": SeedCriterion(
        "D8",
        "descent on the normalized form, its rate by the length, arrives linearly",
        "loss above its minimum over (1 - 1 / condition)^(2 steps) of the first, largest",
        "below",
        1,
    ),
}


def normal_law(size: int) -> float:
    """1 - E s of so many normal values, s with the biased variance."""
    gamma = math.exp(math.lgamma(size / 2) - math.lgamma((size - 1) / 2))
    return 1 - math.sqrt(2 / size) * gamma


def exponent(rows: pd.DataFrame) -> float:
    """Of M, by least squares on logarithms, of one seed's rows of one kind of values."""
    return float(np.polyfit(np.log(rows["size"]), np.log(rows["gap"]), 1)[0])


def _measures(found: Tables) -> Measures:
    gaps, descents = found["gaps"], found["descents"]
    normal = gaps[(gaps["values"] == "normal") & (gaps["size"] == JUDGED_SIZE)]
    return {
        "D8.exponent": (gaps, _distance_from_one),
        "D8.size": (normal, _distance_from_law),
        "D8.rate": (descents[descents["descent"] == NORMALIZED], _over_bound),
    }


def _distance_from_one(rows: pd.DataFrame) -> float:
    return max(abs(exponent(own) + 1) for _, own in rows.groupby("values"))


def _distance_from_law(rows: pd.DataFrame) -> float:
    return abs(float(rows["gap"].iloc[0]) / normal_law(JUDGED_SIZE) - 1)


def _over_bound(rows: pd.DataFrame) -> float:
    own = rows.set_index("step")["excess"].sort_index(kind="stable")
    steps = own.index[1:].to_numpy()
    bound = own.iloc[0] * (1 - 1 / CONDITION) ** (2 * steps)
    return float((own.iloc[1:].to_numpy() / bound).max())


JUDGED = ComputedClaims(STUDY, ("gaps", "descents", "arrivals"), CRITERIA, _measures)
