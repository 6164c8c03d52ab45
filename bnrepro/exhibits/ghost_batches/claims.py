"""G2 and C19: statistics over parts of a mini-batch, by criteria committed before their runs.

The gap is training minus test accuracy, both as the network infers with Algorithm 2's statistics.
C19 says that batch normalization regularizes, and why. Were it so, less company and with it more
noise would mean a smaller gap (the specification's criterion), and company that never changes would
mean a larger one than company that is drawn anew, and by more than a fixed order does to a network
without normalization, whose examples do not see each other.

A rank correlation of five sizes takes steps of 0.1; a bound of 0.75 is passed from 0.8 on. The
control of the noise is judged at 16, the middle one of the sizes.
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "ghost_batches"
GHOSTS, NOISE, FIXED = "ghosts", "noise", "fixed"
PLAIN, PLAIN_FIXED = "plain", "plain, fixed"
CONTROLLED = 16

CRITERIA = {
    "C19.company": SeedCriterion(
        "C19",
        "the fewer examples statistics go over, the smaller is the gap",
        "rank correlation of gap and number of examples",
        "above",
        0.75,
    ),
    "C19.fixed": SeedCriterion(
        "C19",
        f"where the same {CONTROLLED} examples are always normalized together the gap is larger",
        "gap with fixed company minus gap with company drawn anew",
        "above",
        0,
    ),
    "C19.order": SeedCriterion(
        "C19",
        "and not because of the fixed order",
        "that difference minus the same one without normalization",
        "above",
        0,
    ),
    "G2.interior": SeedCriterion(
        "G2",
        "the best size is neither the largest nor the smallest",
        "best test accuracy of the sizes between them minus the better one of both",
        "above",
        0,
    ),
    "G2.smallest": SeedCriterion(
        "G2",
        "the smallest one is worse than whole mini-batches, with moving averages",
        "test accuracy with whole mini-batches minus that with the smallest parts",
        "above",
        0,
    ),
    "G2.noise": SeedCriterion(
        "G2",
        f"the noise of {CONTROLLED} examples alone makes more than half of the difference",
        "mean of the gaps over whole mini-batches and over parts minus the gap with noise alone",
        "above",
        0,
    ),
}


def gaps(sizes: pd.DataFrame) -> pd.DataFrame:
    """The table with `gap`, training minus test accuracy in the same way of inference."""
    return sizes.assign(gap=sizes["train_accuracy"] - sizes["population"])


def whole(sizes: pd.DataFrame) -> int:
    """The number of examples in a mini-batch."""
    return int(sizes["size"].max())


def _measures(found: Tables) -> Measures:
    sizes = gaps(found["sizes"])
    ghosts = sizes[sizes["kind"] == GHOSTS]
    return {
        "C19.company": (ghosts, _rank_correlation),
        "C19.fixed": (sizes, _further_gap),
        "C19.order": (sizes, lambda rows: _further_gap(rows) - _further_gap_of_order(rows)),
        "G2.interior": (ghosts, _interior),
        "G2.smallest": (ghosts, _smallest),
        "G2.noise": (sizes, _by_noise),
    }


def _rank_correlation(rows: pd.DataFrame) -> float:
    """Spearman's; nan where one of them diverged."""
    if rows["gap"].isna().any():
        return float("nan")
    ranks = rows[["size", "gap"]].rank()
    return float(np.corrcoef(ranks["size"], ranks["gap"])[0, 1])


def _gap(rows: pd.DataFrame, kind: str, size: int) -> float:
    return float(rows[(rows["kind"] == kind) & (rows["size"] == size)]["gap"].iloc[0])


def _further_gap(rows: pd.DataFrame) -> float:
    return _gap(rows, FIXED, CONTROLLED) - _gap(rows, GHOSTS, CONTROLLED)


def _further_gap_of_order(rows: pd.DataFrame) -> float:
    return _gap(rows, PLAIN_FIXED, whole(rows)) - _gap(rows, PLAIN, whole(rows))


def _interior(rows: pd.DataFrame) -> float:
    of_size = rows.set_index("size")["population"].sort_index(kind="stable")
    return float(of_size.iloc[1:-1].max() - of_size.iloc[[0, -1]].max())


def _smallest(rows: pd.DataFrame) -> float:
    of_size = rows.set_index("size")["accuracy"].sort_index(kind="stable")
    return float(of_size.iloc[-1] - of_size.iloc[0])


def _by_noise(rows: pd.DataFrame) -> float:
    both = _gap(rows, GHOSTS, whole(rows)) + _gap(rows, GHOSTS, CONTROLLED)
    return both / 2 - _gap(rows, NOISE, CONTROLLED)


JUDGED = ComputedClaims(
    STUDY,
    ("sizes", "rates", "setting"),
    CRITERIA,
    _measures,
    in_points=tuple(key for key in CRITERIA if key != "C19.company"),
)
