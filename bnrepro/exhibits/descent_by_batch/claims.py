"""F3: descent over all examples, mini-batches or one, by criteria committed before its runs.

They are those of the laboratory's specification; which fluctuation is meant is ours: successive
mini-batches' losses differ, and the deviation of these differences leaves the trend out.
"""

import math

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "descent_by_batch"
TABLES = ("descents", "setting")
TARGET = 0.3

CRITERIA = {
    "F3.examples": SeedCriterion(
        "F3",
        "descent over single examples or mini-batches needs fewer examples than over all",
        f"examples to a loss of {TARGET:g} on all images, over all at once over the fewer of both",
        "above",
        1,
    ),
    "F3.fluctuation": SeedCriterion(
        "F3",
        "the smaller the mini-batch, the more its loss fluctuates at the end",
        "deviation of successive losses' differences, smallest ratio to the next larger size",
        "above",
        1,
    ),
}


def _measures(found: Tables) -> Measures:
    rows = found["descents"]
    return {"F3.examples": (rows, _fewer_examples), "F3.fluctuation": (rows, _least_ratio)}


def to_target(rows: pd.DataFrame, column: str) -> float:
    """Where one network's loss first falls to the target, between two observations by ratios.

    Infinite where it never does.
    """
    ordered = rows.sort_values("updates", kind="stable")
    below = np.flatnonzero((ordered["loss"] <= TARGET).to_numpy())
    if not len(below):
        return math.inf
    place = int(below[0])
    losses, values = ordered["loss"].to_numpy(), ordered[column].to_numpy(float)
    if place == 0 or values[place - 1] <= 0:
        return float(values[place])
    share = (losses[place - 1] - TARGET) / (losses[place - 1] - losses[place])
    return float(values[place - 1] * (values[place] / values[place - 1]) ** share)


def _fewer_examples(rows: pd.DataFrame) -> float:
    sizes = sorted(rows["batch_size"].unique())
    needed = [to_target(rows[rows["batch_size"] == size], "examples") for size in sizes]
    fewest = min(needed[:-1])
    return math.nan if math.isinf(fewest) else needed[-1] / fewest


def _least_ratio(rows: pd.DataFrame) -> float:
    known = rows.dropna(subset="fluctuation").set_index("batch_size")["fluctuation"]
    by_size = known.sort_index(kind="stable")
    values = by_size.to_numpy()
    return float((values[:-1] / values[1:]).min())


JUDGED = ComputedClaims(STUDY, TABLES, CRITERIA, _measures)
