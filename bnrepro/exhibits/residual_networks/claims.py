"""D4, D7: deep residual networks without batch normalization and with it, by committed criteria.

The bounds are those of the laboratory's specification, committed before the runs that they judge.
"""

import math

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "residual_networks"
PLAIN, BN, SKIPINIT, FIXUP = "plain", "batch normalization", "SkipInit", "Fixup"
SCALED = "scaled weights"
# A first step is borne if it leaves the loss below so many times what it was (Bjorck et al. 2018).
BORNE = 1e3
# A network trains at a rate if it sees so many of its training images rightly at the end.
TRAINED = 0.5
_LARGE = 0.01

CRITERIA = {
    "D4.first_step": SeedCriterion(
        "D4",
        "the first step may be much longer with batch normalization",
        "largest rate up to which a first step leaves the loss below 1,000 times what it was, with "
        "batch normalization over without",
        "above",
        10,
    ),
    "D4.depth": SeedCriterion(
        "D4",
        "values grow over the blocks far faster without it",
        "slope of the logarithm of their deviation over the blocks, without over with",
        "above",
        3,
    ),
    "D7.plain": SeedCriterion(
        "D7",
        "without it the plain network trains at no large rate",
        "largest rate at which it trains, 0 for none",
        "below",
        _LARGE,
    ),
    **{
        f"D7.{name.lower()}": SeedCriterion(
            "D7",
            f"{name} trains at a large rate without it",
            "largest rate at which it trains, 0 for none",
            "above",
            0.009,
        )
        for name in (SKIPINIT, FIXUP)
    },
    "D7.scaled": SeedCriterion(
        "D7",
        "SkipInit with scaled weights trains at a large rate without it",
        "largest rate at which it trains, 0 for none",
        "above",
        0.009,
    ),
    "D7.larger": SeedCriterion(
        "D7",
        "batch normalization bears twice the rate that SkipInit and Fixup bear",
        "largest rate at which it trains over the larger of theirs, on a grid of factors of 2",
        "above",
        1.9,
    ),
    "D7.larger_than_scaled": SeedCriterion(
        "D7",
        "batch normalization bears twice the rate that scaled weights bear",
        "largest rate at which it trains over theirs, on a grid of factors of 2",
        "above",
        1.9,
    ),
}


def largest_borne(rows: pd.DataFrame) -> float:
    """Up to which rate every first step of one seed's network is borne.

    The smallest one, where not even that is.
    """
    ordered = rows.sort_values("rate", kind="stable")
    is_borne = (ordered["relative_loss"] < BORNE).to_numpy()
    count = len(is_borne) if is_borne.all() else int(np.argmin(is_borne))
    return float(ordered["rate"].iloc[max(count, 1) - 1])


def largest_trained(rows: pd.DataFrame) -> float:
    """The largest rate at which one seed's network trains; 0 where there is none."""
    rates = rows.loc[rows["accuracy"] >= TRAINED, "rate"]
    return float(rates.max()) if len(rates) else 0.0


def slope(rows: pd.DataFrame) -> float:
    """The slope of log10 of the deviation over the blocks, of one seed's network."""
    return float(np.polyfit(rows["block"], np.log10(rows["deviation"]), 1)[0])


def _of(rows: pd.DataFrame, network: str) -> pd.DataFrame:
    return rows[rows["network"] == network]


def _measures(found: Tables) -> Measures:
    steps, blocks, trained = found["first_steps"], found["blocks"], found["trained"]
    return {
        "D4.first_step": (steps, _longer_first_step),
        "D4.depth": (blocks, lambda own: slope(_of(own, PLAIN)) / slope(_of(own, BN))),
        "D7.plain": (_of(trained, PLAIN), largest_trained),
        "D7.skipinit": (_of(trained, SKIPINIT), largest_trained),
        "D7.fixup": (_of(trained, FIXUP), largest_trained),
        "D7.scaled": (_of(trained, SCALED), largest_trained),
        "D7.larger": (trained, lambda own: _larger_rate(own, SKIPINIT, FIXUP)),
        "D7.larger_than_scaled": (trained, lambda own: _larger_rate(own, SCALED)),
    }


def _longer_first_step(rows: pd.DataFrame) -> float:
    return largest_borne(_of(rows, BN)) / largest_borne(_of(rows, PLAIN))


def _larger_rate(rows: pd.DataFrame, *networks: str) -> float:
    others = max(largest_trained(_of(rows, network)) for network in networks)
    return largest_trained(_of(rows, BN)) / others if others else math.inf


JUDGED = ComputedClaims(STUDY, ("first_steps", "blocks", "trained", "setting"), CRITERIA, _measures)
