"""B1 and B2: what the tables of surfaces say, by criteria committed before their runs.

They are those of the laboratory's specification but for two things. B1 is judged with statistics
that are computed anew at the weights in question, since with frozen ones the curve is of these as
much as of the network; frozen ones, the authors', are judged beside. And the share of the loss that
bends down is taken along the lines of every seed: planes are of one seed, which carries no verdict.
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "surfaces"
TABLES = ("networks", "lines", "planes", "setting")
SKIP, PLAIN, SKIPINIT = "shortcuts", "no shortcuts", "SkipInit"
SOUND, FROZEN, BATCH = "population", "frozen", "batch"
# How far along a direction the loss is compared: half as far as the weights are long.
AT = 0.5

CRITERIA = {
    "B1.rise": SeedCriterion(
        "B1",
        "around the deepest network the loss rises more without shortcuts",
        f"mean rise at |a| = {AT:g}, without shortcuts minus with, population statistics",
        "above",
        0,
    ),
    "B1.rise_frozen": SeedCriterion(
        "B1",
        "and so it does with frozen statistics",
        f"mean rise at |a| = {AT:g}, without shortcuts minus with, frozen statistics",
        "above",
        0,
    ),
    "B1.nonconvex": SeedCriterion(
        "B1",
        "without shortcuts more of the loss bends down",
        "share of the points of lines with a negative second difference, without minus with",
        "above",
        0,
    ),
    "B1.depth": SeedCriterion(
        "B1",
        "the difference between them grows with depth",
        f"difference of the rises at |a| = {AT:g}, deepest network minus shallowest",
        "above",
        0,
    ),
    "B2.frozen": SeedCriterion(
        "B2",
        "with frozen statistics the loss rises at least as fast as with ones computed anew",
        f"least ratio of the rises at |a| = {AT:g} over networks and directions, frozen over "
        "population",
        "above",
        1,
    ),
}


def _measures(found: Tables) -> Measures:
    lines = found["lines"]
    deepest = lines[lines["layers"] == lines["layers"].max()]
    return {
        "B1.rise": (deepest, lambda rows: _gap(rows, SOUND)),
        "B1.rise_frozen": (deepest, lambda rows: _gap(rows, FROZEN)),
        "B1.nonconvex": (deepest, _nonconvex_gap),
        "B1.depth": (lines, _growth),
        "B2.frozen": (lines, _least_ratio),
    }


def rises(lines: pd.DataFrame) -> pd.Series:
    """The mean rise of the loss at `AT`, on both sides of the weights.

    By network, layers, seed, direction and mode. What is not finite is infinite.
    """
    keys = ["network", "layers", "seed", "direction", "mode"]
    known = lines.assign(loss=lines["loss"].fillna(np.inf))
    center = known[known["length"] == 0].set_index(keys)["loss"]
    beside = known[known["length"].abs() == AT].groupby(keys)["loss"].mean()
    return (beside - center).rename("rise")


def ratios_of_modes(lines: pd.DataFrame) -> pd.Series:
    """The rise with frozen statistics over that with ones computed anew, where there are both.

    By network, layers, seed and direction.
    """
    wide = rises(lines).unstack("mode").dropna(subset=[SOUND])
    return wide[FROZEN] / wide[SOUND]


def nonconvex_shares(lines: pd.DataFrame) -> pd.Series:
    """The share of a line's inner points at which the loss bends down, by the same keys."""
    keys = ["network", "layers", "seed", "direction", "mode"]
    ordered = lines.sort_values("length", kind="stable").groupby(keys)["loss"]
    return ordered.apply(lambda losses: float((~(np.diff(losses, 2) >= 0)).mean())).rename("share")


def _mean(values: pd.Series, network: str, mode: str) -> float:
    own = values.xs(network, level="network").xs(mode, level="mode")
    return float(own.mean())


def _gap(rows: pd.DataFrame, mode: str) -> float:
    found = rises(rows)
    return _mean(found, PLAIN, mode) - _mean(found, SKIP, mode)


def _nonconvex_gap(rows: pd.DataFrame) -> float:
    found = nonconvex_shares(rows)
    return _mean(found, PLAIN, SOUND) - _mean(found, SKIP, SOUND)


def _growth(rows: pd.DataFrame) -> float:
    layers = rows["layers"]
    deep, shallow = (rows[layers == limit] for limit in (layers.max(), layers.min()))
    return _gap(deep, SOUND) - _gap(shallow, SOUND)


def _least_ratio(rows: pd.DataFrame) -> float:
    return float(ratios_of_modes(rows).to_numpy().min())


JUDGED = ComputedClaims(STUDY, TABLES, CRITERIA, _measures)
