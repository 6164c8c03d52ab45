"""G3: what the last layer alone gives, by criteria that were committed before the run they judge.

They are the laboratory's specification. A share is the gain of a variant in test accuracy over the
gain of batch normalization, both over the plain network of the same seed and with Algorithm 2's
statistics. Where batch normalization gains less than two points there is little to share, and a
share has no number.

G3b asks the same of networks that learn every training image by heart; its criteria were written
when the records of G3 had been seen, and committed before its own run. There a gain of half a point
is enough for a share, which is about what 10,000 test images resolve.
"""

import math
from functools import partial

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.exhibits.last_layer.gains import BN, NONE, gains, shares
from bnrepro.verdicts.criteria import SeedCriterion

EL2, FL2, STD, DROPOUT = "EL2", "FL2", "STD", "dropout"
# What is done to the last layer all through the training, and once at its beginning.
KEPT, BEGUN = (EL2, FL2, STD), ("INIT", "INIT 0")
# Of a smaller gain of batch normalization no share is taken.
LEAST = {"G3": 0.02, "G3b": 0.005}


def _criteria(claim: str) -> dict[str, SeedCriterion]:
    return {
        f"{claim}.gain": SeedCriterion(
            claim,
            "batch normalization generalizes better, by enough to ask for shares of it",
            "its test accuracy minus that without it",
            "above",
            LEAST[claim],
        ),
        f"{claim}.share": SeedCriterion(
            claim,
            "the last layer alone gives half of it",
            "largest share of EL2, FL2 and STD in the gain",
            "above",
            0.5,
        ),
        f"{claim}.beginning": SeedCriterion(
            claim,
            "and not by how it begins alone",
            "largest share of EL2, FL2 and STD minus the larger one of both INIT",
            "above",
            0,
        ),
        f"{claim}.penalized": SeedCriterion(
            claim,
            "without batch normalization logits grow longer than with a penalty on what they are "
            "of",
            "|f| at the end without it over that with EL2",
            "above",
            1,
        ),
        f"{claim}.normalized": SeedCriterion(
            claim,
            "and longer than with batch normalization",
            "|f| at the end without it over that with it",
            "above",
            1,
        ),
    }


def _measures(found: Tables, claim: str) -> Measures:
    rows, course = found["variants"], found["course"]
    last, least = course[course["step"] == course["step"].max()], LEAST[claim]
    return {
        f"{claim}.gain": (rows, _gain),
        f"{claim}.share": (rows, partial(_largest, variants=KEPT, least=least)),
        f"{claim}.beginning": (rows, partial(_kept_beyond_beginning, least=least)),
        f"{claim}.penalized": (last, partial(_length_over, other=EL2)),
        f"{claim}.normalized": (last, partial(_length_over, other=BN)),
    }


def _gain(rows: pd.DataFrame) -> float:
    """Of batch normalization, on one seed."""
    return float(gains(rows)[BN].iloc[0])


def _largest(rows: pd.DataFrame, variants: tuple[str, ...], least: float) -> float:
    """The largest share of some variants, on one seed."""
    return float(shares(rows, least)[list(variants)].max(axis=1).iloc[0])


def _kept_beyond_beginning(rows: pd.DataFrame, least: float) -> float:
    return _largest(rows, KEPT, least) - _largest(rows, BEGUN, least)


def _length_over(rows: pd.DataFrame, other: str) -> float:
    length = rows.set_index("variant")["logits"]
    return float(length[NONE] / length[other]) if other in length and NONE in length else math.nan


def _judged(study: str, claim: str) -> ComputedClaims:
    return ComputedClaims(
        study,
        ("variants", "course", "rates", "setting"),
        _criteria(claim),
        partial(_measures, claim=claim),
        in_points=(f"{claim}.gain",),
    )


JUDGED = _judged("last_layer", "G3")
BY_HEART = _judged("last_layer_by_heart", "G3b")
