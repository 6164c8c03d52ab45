"""G3: what the last layer alone gives, by criteria that were committed before the run they judge.

They are the laboratory's specification. A share is the gain of a variant in test accuracy over the
gain of batch normalization, both over the plain network of the same seed and with Algorithm 2's
statistics. Where batch normalization gains less than two points there is little to share, and a
share has no number.
"""

import math
from functools import partial

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.exhibits.last_layer.gains import BN, LEAST, NONE, gains, shares
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "last_layer"
EL2, FL2, STD, DROPOUT = "EL2", "FL2", "STD", "dropout"
# What is done to the last layer all through the training, and once at its beginning.
KEPT, BEGUN = (EL2, FL2, STD), ("INIT", "INIT 0")

CRITERIA = {
    "G3.gain": SeedCriterion(
        "G3",
        "batch normalization generalizes better, by enough to ask for shares of it",
        "its test accuracy minus that without it",
        "above",
        LEAST,
    ),
    "G3.share": SeedCriterion(
        "G3",
        "the last layer alone gives half of it",
        "largest share of EL2, FL2 and STD in the gain",
        "above",
        0.5,
    ),
    "G3.beginning": SeedCriterion(
        "G3",
        "and not by how it begins alone",
        "largest share of EL2, FL2 and STD minus the larger one of both INIT",
        "above",
        0,
    ),
    "G3.penalized": SeedCriterion(
        "G3",
        "without batch normalization logits grow longer than with a penalty on what they are of",
        "|f| at the end without it over that with EL2",
        "above",
        1,
    ),
    "G3.normalized": SeedCriterion(
        "G3",
        "and longer than with batch normalization",
        "|f| at the end without it over that with it",
        "above",
        1,
    ),
}


def _measures(found: Tables) -> Measures:
    rows, course = found["variants"], found["course"]
    last = course[course["step"] == course["step"].max()]
    return {
        "G3.gain": (rows, _gain),
        "G3.share": (rows, _kept),
        "G3.beginning": (rows, _kept_beyond_beginning),
        "G3.penalized": (last, partial(_length_over, other=EL2)),
        "G3.normalized": (last, partial(_length_over, other=BN)),
    }


def _gain(rows: pd.DataFrame) -> float:
    """Of batch normalization, on one seed."""
    return float(gains(rows)[BN].iloc[0])


def _largest(rows: pd.DataFrame, variants: tuple[str, ...]) -> float:
    """Of one seed."""
    return float(shares(rows)[list(variants)].max(axis=1).iloc[0])


def _kept(rows: pd.DataFrame) -> float:
    return _largest(rows, KEPT)


def _kept_beyond_beginning(rows: pd.DataFrame) -> float:
    return _largest(rows, KEPT) - _largest(rows, BEGUN)


def _length_over(rows: pd.DataFrame, other: str) -> float:
    length = rows.set_index("variant")["logits"]
    return float(length[NONE] / length[other]) if other in length and NONE in length else math.nan


JUDGED = ComputedClaims(
    STUDY, ("variants", "course", "rates", "setting"), CRITERIA, _measures, in_points=("G3.gain",)
)
