"""F4: decays against a constant rate, by criteria that were committed before their runs.

That each decay beats the constant rate is the laboratory's specification; of the effective rate it
asks to draw it, and the criteria are ours: they follow from its definition and from what weight
decay does to the kernels.
"""

from functools import partial

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measure, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "rate_decay"
TABLES = ("decays", "setting")
NETWORKS = {
    "plain": "without batch normalization",
    "batch normalization": "with it",
    "and weight decay": "with it and weight decay",
}

CRITERIA = {
    **{
        f"F4.loss_{network.replace(' ', '_')}": SeedCriterion(
            "F4",
            f"each decay ends at a smaller training loss than the constant rate, {words}",
            "training loss at the constant rate over that of a decay, smallest over the decays",
            "above",
            1,
        )
        for network, words in NETWORKS.items()
    },
    "F4.follows": SeedCriterion(
        "F4",
        "with weight decay the effective rate falls less than the rate",
        "share that is left of the effective rate over that of the rate, smallest over the decays",
        "above",
        1,
    ),
    "F4.runs_ahead": SeedCriterion(
        "F4",
        "without weight decay it falls more",
        "share that is left of the effective rate over that of the rate, largest over the decays",
        "below",
        1,
    ),
}


def effective(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `share`, of the rate, and `effective`, of eta / |w|^2, both 1 at step 0."""
    ordered = rows.sort_values("step", kind="stable")
    by_network = ordered.groupby(["network", "schedule", "seed"])
    first_rate, first_norm = (by_network[name].transform("first") for name in ("rate", "norm"))
    share = ordered["rate"] / first_rate
    return ordered.assign(share=share, effective=share / (ordered["norm"] / first_norm) ** 2)


def _measures(found: Tables) -> Measures:
    rows = effective(found["decays"])
    last = rows[rows["step"] == rows["step"].max()]
    measures: dict[str, tuple[pd.DataFrame, Measure]] = {}
    for network in NETWORKS:
        own = last[last["network"] == network]
        measures[f"F4.loss_{network.replace(' ', '_')}"] = (own, _least_gain)
    decaying = last[last["schedule"] != "constant"]
    for key, network, name in (
        ("F4.follows", "and weight decay", "min"),
        ("F4.runs_ahead", "batch normalization", "max"),
    ):
        measures[key] = (decaying[decaying["network"] == network], partial(_left, which=name))
    return measures


def _least_gain(rows: pd.DataFrame) -> float:
    losses = rows.set_index("schedule")["train_loss"]
    return float((losses["constant"] / losses.drop("constant")).min(skipna=False))


def _left(rows: pd.DataFrame, which: str) -> float:
    return float((rows["effective"] / rows["share"]).agg(which))


JUDGED = ComputedClaims(STUDY, TABLES, CRITERIA, _measures)
