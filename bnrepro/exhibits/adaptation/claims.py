"""C24: what the laboratory's table of adaptation says, by criteria that are older than its runs.

The bound on each gain, 5 points, and the number of images were set before a pilot on seeds 100 and
101, which was seen before this file was written; nothing was changed by it.
"""

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "adaptation"
SOURCE = "as trained on"
TARGETS = ("inverted", "noisy", "rotated")
IMAGES = 1000

CRITERIA = {
    **{
        f"C24.{domain}": SeedCriterion(
            "C24",
            f"statistics of {domain} images adapt the network to them",
            f"test accuracy with the statistics of {IMAGES:,} of them minus that with the source's",
            "above",
            0.05,
        )
        for domain in TARGETS
    },
    "C24.source": SeedCriterion(
        "C24",
        "where there is no other domain nothing is lost",
        f"test accuracy with the source's statistics minus that with those of {IMAGES:,} images",
        "below",
        0.01,
    ),
}


def accuracies(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the normalized network, a row per seed and domain, a column per number of images."""
    own = rows[rows["network"] == "with BN"]
    return own.pivot_table("accuracy", index=["seed", "domain"], columns="images")


def _measures(found: Tables) -> Measures:
    rows = found["adaptation"]
    gains = {f"C24.{domain}": (rows[rows["domain"] == domain], _gain) for domain in TARGETS}
    at_home = rows[rows["domain"] == SOURCE]
    return {**gains, "C24.source": (at_home, lambda own: -_gain(own))}


def _gain(rows: pd.DataFrame) -> float:
    """Of one seed in one domain."""
    each = accuracies(rows).iloc[0]
    return float(each[IMAGES] - each[0])


JUDGED = ComputedClaims(STUDY, ("adaptation",), CRITERIA, _measures, in_points=tuple(CRITERIA))
