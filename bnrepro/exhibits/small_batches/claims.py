"""D1 and D1b: what the laboratory's tables of small mini-batches say, by criteria fixed before."""

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "small_batches"
SMALL, LARGE = 2, 32
SHUFFLED, PAIRS = "shuffled", "class pairs"

CRITERIA = {
    "D1.batch": SeedCriterion(
        "D1",
        "batch normalization is worse in mini-batches of 2 than of 32",
        "test accuracy at 32 minus that at 2, with moving averages",
        "above",
        0.04,
    ),
    "D1.batch_population": SeedCriterion(
        "D1",
        "and so it is with statistics computed anew",
        "test accuracy at 32 minus that at 2, with Algorithm 2's statistics",
        "above",
        0.04,
    ),
    "D1.group": SeedCriterion(
        "D1",
        "group normalization hardly is",
        "test accuracy at 32 minus that at 2",
        "below",
        0.02,
    ),
    "D1.small": SeedCriterion(
        "D1",
        "group normalization is better in mini-batches of 2",
        "its test accuracy minus that of batch normalization",
        "above",
        0,
    ),
    "D1.large": SeedCriterion(
        "D1",
        "batch normalization is better in mini-batches of 32",
        "its test accuracy minus that of group normalization",
        "above",
        0,
    ),
    "D1.renorm": SeedCriterion(
        "D1",
        "batch renormalization lies between both in mini-batches of 2",
        "the smaller one of its distances from them, negative beyond one",
        "above",
        0,
    ),
    "D1b.batch": SeedCriterion(
        "D1b",
        "batch normalization suffers from mini-batches of two images each of four classes",
        "test accuracy after shuffled mini-batches of 8 minus that after these",
        "above",
        0.05,
    ),
    "D1b.renorm": SeedCriterion(
        "D1b",
        "batch renormalization hardly does",
        "the same difference",
        "below",
        0.02,
    ),
}


def _measures(found: Tables) -> Measures:
    sizes, orders = found["sizes"], found["orders"]
    return {
        "D1.batch": (_of(sizes, "batch"), lambda rows: _fall(rows, "accuracy")),
        "D1.batch_population": (_of(sizes, "batch"), lambda rows: _fall(rows, "population")),
        "D1.group": (_of(sizes, "group"), lambda rows: _fall(rows, "accuracy")),
        "D1.small": (sizes, lambda rows: _accuracy(rows, "group") - _accuracy(rows, "batch")),
        "D1.large": (
            sizes,
            lambda rows: _accuracy(rows, "batch", LARGE) - _accuracy(rows, "group", LARGE),
        ),
        "D1.renorm": (sizes, _between),
        "D1b.batch": (_of(orders, "batch"), _suffered),
        "D1b.renorm": (_of(orders, "renorm"), _suffered),
    }


def _of(rows: pd.DataFrame, network: str) -> pd.DataFrame:
    return rows[rows["network"] == network]


def _accuracy(rows: pd.DataFrame, network: str, batch: int = SMALL) -> float:
    own = rows[(rows["network"] == network) & (rows["batch"] == batch)]
    return float(own["accuracy"].iloc[0])


def _fall(rows: pd.DataFrame, column: str) -> float:
    of_size = rows.set_index("batch")[column]
    return float(of_size[LARGE] - of_size[SMALL])


def _between(rows: pd.DataFrame) -> float:
    renorm = _accuracy(rows, "renorm")
    return min(renorm - _accuracy(rows, "batch"), _accuracy(rows, "group") - renorm)


def _suffered(rows: pd.DataFrame) -> float:
    of_order = rows.set_index("order")["accuracy"]
    return float(of_order[SHUFFLED] - of_order[PAIRS])


JUDGED = ComputedClaims(STUDY, ("sizes", "orders"), CRITERIA, _measures, in_points=tuple(CRITERIA))
