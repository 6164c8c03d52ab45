"""A4 and A5: what the laboratory's tables of l_p norms say, by criteria fixed before them.

The bounds are the specification's own. A pilot of 60 steps on seeds 100 and 101 chose the number of
steps; it showed already that the changes along the gradient are greater with a normalization here.
"""

from functools import partial

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "lp_norms"
PLAIN, BN = "without", "deviation (BN)"
NORMS = ("l1", "l2", "linf")
# Of the steps, in which the range of the loss is judged.
_EARLY = 0.2
RELATIVE = ("relative_0001", "relative_001", "relative_01")

CRITERIA = {
    **{
        f"A4.{name}": SeedCriterion(
            "A4",
            f"with {name} it trains faster than without",
            "steps to the final loss of the network without, over all of its steps",
            "below",
            1,
        )
        for name in NORMS
    },
    "A4.l1_best": SeedCriterion(
        "A4",
        "l1 is best in a deep linear network",
        "final loss over the least of the other normalizations",
        "below",
        1,
    ),
    **{
        f"A4.change_{name}": SeedCriterion(
            "A4",
            f"with {name} the gradient changes less along itself",
            "median of its greatest change, over that without",
            "below",
            1,
        )
        for name in NORMS
    },
    "A5.loss": SeedCriterion(
        "A5",
        "in the first fifth of the steps the loss ranges less along the gradient",
        "median log10 of the highest loss over the lowest, without minus with batch normalization",
        "above",
        0,
    ),
    "A5.change": SeedCriterion(
        "A5",
        "the gradient changes less along itself",
        "median of its greatest change, without over with batch normalization",
        "above",
        3,
    ),
    "A5.beta": SeedCriterion(
        "A5",
        "effective beta-smoothness is smaller",
        "median effective beta, without over with batch normalization",
        "above",
        1.5,
    ),
    "A5.relative": SeedCriterion(
        "A5",
        "the gradient changes less at steps that are an equal share of the weights",
        "median change relative to the gradient, without over with batch normalization, least of "
        "steps of 0.1, 1 and 10 % of the weights' norm",
        "above",
        1,
    ),
}


def steps_to(rows: pd.DataFrame, network: str) -> float:
    """Steps of one seed's network to the final loss of that without; infinite where it has not."""
    losses = rows.pivot_table("loss", index="step", columns="network", dropna=False)
    reached = losses.index[losses[network] <= losses[PLAIN].iloc[-1]]
    return float(reached[0]) if len(reached) else np.inf


def medians(rows: pd.DataFrame, quantity: str) -> pd.Series:
    """Over the measurements, by network; what is not finite counts as infinite."""
    return rows.fillna({quantity: np.inf}).groupby("network")[quantity].median()


def with_range(rows: pd.DataFrame) -> pd.DataFrame:
    """New: `range`, log10 of the highest loss along the gradient over the lowest."""
    return rows.assign(range=np.log10(rows["highest_loss"] / rows["lowest_loss"]))


def _measures(found: Tables) -> Measures:
    losses, along = found["losses"], with_range(found["along"])
    early = along[along["step"] <= _EARLY * along["step"].max()]
    return {
        **{f"A4.{name}": (losses, partial(_steps_over_all, network=name)) for name in NORMS},
        "A4.l1_best": (losses[losses["step"] == losses["step"].max()], _l1_over_least),
        **{f"A4.change_{name}": (along, partial(_over_plain, network=name)) for name in NORMS},
        "A5.loss": (early, _range_difference),
        "A5.change": (along, lambda rows: _ratio(rows, BN)),
        "A5.beta": (along, lambda rows: _ratio(rows, BN, "beta")),
        "A5.relative": (along, lambda rows: min(_ratio(rows, BN, each) for each in RELATIVE)),
    }


def _steps_over_all(rows: pd.DataFrame, network: str) -> float:
    return steps_to(rows, network) / float(rows["step"].max())


def _l1_over_least(rows: pd.DataFrame) -> float:
    losses = rows.set_index("network")["loss"]
    return float(losses["l1"] / losses[[BN, "l2", "linf"]].min())


def _over_plain(rows: pd.DataFrame, network: str) -> float:
    return 1 / _ratio(rows, network)


def _ratio(rows: pd.DataFrame, network: str, quantity: str = "greatest_change") -> float:
    """Median without over that with."""
    found = medians(rows, quantity)
    return float(found[PLAIN] / found[network])


def _range_difference(rows: pd.DataFrame) -> float:
    found = medians(rows, "range")
    return float(found[PLAIN] - found[BN])


JUDGED = ComputedClaims(STUDY, ("losses", "along"), CRITERIA, _measures)
