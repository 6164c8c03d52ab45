"""G1 and C17: what dropout is worth, by criteria that were committed before the runs they judge.

G1's are the laboratory's specification; C17's are ours. The gap is training minus test accuracy,
both as the network infers with Algorithm 2's statistics, dropout off. Half a point, C17's bound, is
about what 10,000 test images resolve: the standard deviation of a difference of two accuracies of
90 % is 0.4 points. Where training accuracies differ by a point or more, a smaller gap may be one of
less training, and G1's criterion has no number.
"""

import math
from functools import partial

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "dropout"
PLAIN, NORMALIZED = "plain", "batch normalization"
CLASSIFIER, EVERYWHERE = "classifier", "everywhere"
NONE, SOME, HALF = 0.0, 0.2, 0.5
NO_DECAY, DECAY = 0.0, 5e-4
_EQUAL = 0.01

CRITERIA = {
    "C17.removed": SeedCriterion(
        "C17",
        "without dropout a batch-normalized network with weight decay overfits no more",
        "gap without dropout minus gap with dropout of 0.5",
        "below",
        0.005,
    ),
    "C17.reduced": SeedCriterion(
        "C17",
        "nor with less of it",
        "gap with dropout of 0.2 minus gap with 0.5",
        "below",
        0.005,
    ),
    "G1.gain": SeedCriterion(
        "G1",
        "dropout of 0.5 gains less with batch normalization",
        "gain in test accuracy without batch normalization minus gain with it",
        "above",
        0,
    ),
    "G1.gain_with_decay": SeedCriterion(
        "G1",
        "and so it does beside weight decay",
        "gain in test accuracy without batch normalization minus gain with it",
        "above",
        0,
    ),
    "G1.gap": SeedCriterion(
        "G1",
        "without dropout and weight decay batch normalization has the smaller gap",
        "gap without it minus gap with it, at training accuracies less than a point apart",
        "above",
        0,
    ),
    "G1.before": SeedCriterion(
        "G1",
        "dropout of 0.5 before batch normalization costs accuracy with moving averages",
        "test accuracy without dropout minus that with it",
        "above",
        0.01,
    ),
    "G1.shift": SeedCriterion(
        "G1",
        "and less with statistics computed anew",
        "test accuracy with Algorithm 2's statistics minus that with moving averages",
        "above",
        0,
    ),
}


def gaps(cells: pd.DataFrame) -> pd.DataFrame:
    """The table with `gap`, training minus test accuracy in the same way of inference."""
    return cells.assign(gap=cells["train_accuracy"] - cells["population"])


def _measures(found: Tables) -> Measures:
    cells = gaps(found["cells"])
    behind = cells[cells["place"] == CLASSIFIER]
    bare, decayed = (behind[behind["l2"] == l2] for l2 in (NO_DECAY, DECAY))
    return {
        "C17.removed": (decayed, partial(_further_gap, dropout=NONE)),
        "C17.reduced": (decayed, partial(_further_gap, dropout=SOME)),
        "G1.gain": (bare, _gain_lost),
        "G1.gain_with_decay": (decayed, _gain_lost),
        "G1.gap": (bare, _smaller_gap),
        "G1.before": (cells[cells["l2"] == NO_DECAY], _cost),
        "G1.shift": (cells[cells["l2"] == NO_DECAY], _shift),
    }


def _of(
    rows: pd.DataFrame, column: str, network: str, dropout: float, place: str = CLASSIFIER
) -> float:
    """A number of the one network of a seed."""
    own = rows[
        (rows["network"] == network) & (rows["dropout"] == dropout) & (rows["place"] == place)
    ]
    return float(own[column].iloc[0])


def _further_gap(rows: pd.DataFrame, dropout: float) -> float:
    return _of(rows, "gap", NORMALIZED, dropout) - _of(rows, "gap", NORMALIZED, HALF)


def _gain_lost(rows: pd.DataFrame) -> float:
    plain, normalized = (
        _of(rows, "population", network, HALF) - _of(rows, "population", network, NONE)
        for network in (PLAIN, NORMALIZED)
    )
    return plain - normalized


def _smaller_gap(rows: pd.DataFrame) -> float:
    plain, normalized = (
        _of(rows, "train_accuracy", network, NONE) for network in (PLAIN, NORMALIZED)
    )
    if abs(plain - normalized) >= _EQUAL:
        return math.nan
    return _of(rows, "gap", PLAIN, NONE) - _of(rows, "gap", NORMALIZED, NONE)


def _cost(rows: pd.DataFrame) -> float:
    without = _of(rows, "accuracy", NORMALIZED, NONE)
    return without - _of(rows, "accuracy", NORMALIZED, HALF, EVERYWHERE)


def _shift(rows: pd.DataFrame) -> float:
    anew, moving = (
        _of(rows, column, NORMALIZED, HALF, EVERYWHERE) for column in ("population", "accuracy")
    )
    return anew - moving


JUDGED = ComputedClaims(
    STUDY, ("cells", "rates", "setting"), CRITERIA, _measures, in_points=tuple(CRITERIA)
)
