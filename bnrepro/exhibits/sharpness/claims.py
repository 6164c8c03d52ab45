"""B3: what the tables of sharpness say, by criteria committed before their runs.

The rise along filter-normalized directions at |a| = 0.5 is the specification's criterion. Judged is
the loss with statistics that are computed anew at the weights in question; that with the moving
averages, the authors', stands beside it: there the curve is of these as much as of the network. And
the same is asked at equal training loss, of the network that stopped early.

How wide an end of the way between two solutions looks is the rise of the loss a quarter of the way
beyond it, above that at the solution itself: at a = -0.25 for small mini-batches, at 1.25 for large
ones. On the inner sides both look at one and the same barrier. Both steps are of one length and
direction. Again it is with statistics computed anew, since beyond the solutions moving variances
may fall below 0.
"""

from functools import partial

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "sharpness"
TABLES = ("rates", "shares", "networks", "lines", "between", "weights", "setting")
SMALL, LARGE, SHORT = "small", "large", "short"
SOUND, MOVING = "population", "frozen"
NO_DECAY, DECAY = 0.0, 5e-4
# What a line between two solutions begins with.
FIRST = "first"
# How far along a direction, and how far beyond a solution, the loss is compared.
AT, BEYOND = 0.5, 0.25

_RISE = f"mean rise at |a| = {AT:g}, large mini-batches minus"
_WIDTH = (
    f"rise from a = 1 to {1 + BEYOND:g}, of large mini-batches, minus that from 0 to {-BEYOND:g}, "
    "of small ones"
)

CRITERIA = {
    "B3.flatter": SeedCriterion(
        "B3",
        "along filter-normalized directions the solution of small mini-batches is flatter",
        f"{_RISE} small ones",
        "above",
        0,
    ),
    "B3.flatter_decayed": SeedCriterion(
        "B3",
        "and so it is with weight decay",
        f"{_RISE} small ones, weight decay {DECAY:g}",
        "above",
        0,
    ),
    "B3.flatter_moving": SeedCriterion(
        "B3",
        "the same with moving averages",
        f"{_RISE} small ones, moving averages",
        "above",
        0,
    ),
    "B3.flatter_moving_decayed": SeedCriterion(
        "B3",
        "the same with moving averages and weight decay",
        f"{_RISE} small ones, moving averages, weight decay {DECAY:g}",
        "above",
        0,
    ),
    "B3.equal_loss": SeedCriterion(
        "B3",
        "it is flatter at equal training loss, too",
        f"{_RISE} small ones that stopped early",
        "above",
        0,
    ),
    "B3.equal_loss_decayed": SeedCriterion(
        "B3",
        "and so it is with weight decay",
        f"{_RISE} small ones that stopped early, weight decay {DECAY:g}",
        "above",
        0,
    ),
    "B3.wider": SeedCriterion(
        "B3",
        "on the way between both, without decay, the end of small mini-batches looks wider",
        _WIDTH,
        "above",
        0,
    ),
    "B3.flipped": SeedCriterion(
        "B3",
        "with weight decay it looks narrower",
        f"{_WIDTH}, weight decay {DECAY:g}",
        "below",
        0,
    ),
    "B3.shrunk": SeedCriterion(
        "B3",
        "weight decay has shortened the kernels of small mini-batches more",
        "length of all kernels, small over large mini-batches, with decay over that without",
        "below",
        1,
    ),
}


def _measures(found: Tables) -> Measures:
    lines, between = found["lines"], found["between"]
    return {
        "B3.flatter": (lines, partial(_gap, mode=SOUND, decay=NO_DECAY)),
        "B3.flatter_decayed": (lines, partial(_gap, mode=SOUND, decay=DECAY)),
        "B3.flatter_moving": (lines, partial(_gap, mode=MOVING, decay=NO_DECAY)),
        "B3.flatter_moving_decayed": (lines, partial(_gap, mode=MOVING, decay=DECAY)),
        "B3.equal_loss": (lines, partial(_gap, mode=SOUND, decay=NO_DECAY, beside=SHORT)),
        "B3.equal_loss_decayed": (lines, partial(_gap, mode=SOUND, decay=DECAY, beside=SHORT)),
        "B3.wider": (between, partial(_narrower, decay=NO_DECAY)),
        "B3.flipped": (between, partial(_narrower, decay=DECAY)),
        "B3.shrunk": (found["networks"], _shrinking),
    }


def rises(lines: pd.DataFrame) -> pd.Series:
    """The mean rise of the loss at `AT`, over directions and both sides of the weights.

    By kind, decay, mode and seed. What is not finite is infinite.
    """
    keys = ["kind", "decay", "mode", "seed"]
    known = lines.assign(loss=lines["loss"].fillna(np.inf))
    center = known[known["length"] == 0].groupby(keys)["loss"].mean()
    beside = known[known["length"].abs() == AT].groupby(keys)["loss"].mean()
    return (beside - center).rename("rise")


def rises_beyond(between: pd.DataFrame) -> pd.Series:
    """The rise of the loss a quarter of the way beyond both ends: `FIRST` and `LARGE`.

    By end, kind of the first one, decay, mode and seed; nan where a moving variance is below 0.
    """
    keys = ["kind", "decay", "mode", "seed"]
    wide = between.pivot_table("loss", index=keys, columns="share", dropna=False)
    ends = {FIRST: wide[-BEYOND] - wide[0.0], LARGE: wide[1 + BEYOND] - wide[1.0]}
    return pd.concat(ends, names=["end"]).rename("rise")


def medians_beyond(between: pd.DataFrame) -> pd.Series:
    """By end, kind of the first one, decay and mode; nan unless all seeds have a number."""
    found = rises_beyond(between).groupby(level=["end", "kind", "decay", "mode"])
    return found.median().where(found.count() == found.size())


def shortening(networks: pd.DataFrame) -> pd.Series:
    """The length of all kernels with decay over that without, by kind and seed."""
    lengths = networks.set_index(["decay", "kind", "seed"])["length"]
    return lengths.xs(DECAY, level="decay") / lengths.xs(NO_DECAY, level="decay")


def _gap(rows: pd.DataFrame, mode: str, decay: float, beside: str = SMALL) -> float:
    found = rises(rows)
    large, other = (float(found.loc[kind, decay, mode].iloc[0]) for kind in (LARGE, beside))
    return large - other


def _narrower(rows: pd.DataFrame, decay: float) -> float:
    """By how much the loss rises more beyond the solution of large mini-batches."""
    found = rises_beyond(rows)
    large, small = (float(found.loc[end, SMALL, decay, SOUND].iloc[0]) for end in (LARGE, FIRST))
    return large - small


def _shrinking(rows: pd.DataFrame) -> float:
    found = shortening(rows)
    small, large = (float(found.loc[kind].iloc[0]) for kind in (SMALL, LARGE))
    return small / large


JUDGED = ComputedClaims(STUDY, TABLES, CRITERIA, _measures)
