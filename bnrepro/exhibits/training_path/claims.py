"""B4: what the tables of trainings' paths say, by criteria committed before their runs.

Shares are of the decomposition that takes the mean away, as the library does that Li et al. call.
A share that a walk without an aim has as well proves nothing: then the claim is empty.
"""

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "training_path"
TABLES = ("shares", "paths", "planes", "setting")
TRAINING, EQUAL, OWN = "training", "equal steps", "its own lengths"

CRITERIA = {
    "B4.share": SeedCriterion(
        "B4",
        "a plane has most of the variation of the weights along a training",
        "share of the first two components, the smaller one of both networks",
        "above",
        0.6,
    ),
    "B4.control": SeedCriterion(
        "B4",
        "and it has another share of it than of a walk of equal steps without an aim",
        "distance of these shares, the smaller one of both networks",
        "above",
        0.1,
    ),
    "B4.own_lengths": SeedCriterion(
        "B4",
        "and than of a walk whose steps are as long as the training's",
        "distance of these shares, the smaller one of both networks",
        "above",
        0.1,
    ),
}


def _measures(found: Tables) -> Measures:
    rows = found["shares"]
    return {
        "B4.share": (rows, lambda own: float(in_plane(own)[TRAINING].min())),
        "B4.control": (rows, lambda own: _distance(own, EQUAL)),
        "B4.own_lengths": (rows, lambda own: _distance(own, OWN)),
    }


def in_plane(shares: pd.DataFrame) -> pd.DataFrame:
    """The share of the first two components, a row a network and seed, a column a path."""
    both = shares.assign(share=shares["first"] + shares["second"])
    return both.pivot_table("share", index=["network", "seed"], columns="path")


def _distance(rows: pd.DataFrame, control: str) -> float:
    wide = in_plane(rows)
    return float((wide[TRAINING] - wide[control]).abs().min())


JUDGED = ComputedClaims(STUDY, TABLES, CRITERIA, _measures, in_points=tuple(CRITERIA))
