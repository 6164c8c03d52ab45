"""A2: is the error surface smoother along the gradient? By the records of `smoothness`.

The bounds are the specification's own. Medians are over the steps of the measurements, of which
many are early. Where a loss is not finite its range counts as infinite.
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.smoothness.networks import BN, PLAIN, STUDY, compared, labelled, measured
from bnrepro.verdicts.comparison import judge_seeds
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

# Santurkar's range is widest early; of so much of the training it is judged.
_EARLY = 0.2
RELATIVE = ("relative 0.001", "relative 0.01", "relative 0.1")

CRITERIA = {
    "A2.loss": SeedCriterion(
        "A2",
        "the loss ranges less along the gradient, in the first fifth of the training",
        "median log10 of the highest loss over the lowest, without minus with batch normalization",
        "above",
        0,
    ),
    "A2.gradient": SeedCriterion(
        "A2",
        "the gradient changes less along itself",
        "median of its greatest change, without over with batch normalization",
        "above",
        3,
    ),
    "A2.beta": SeedCriterion(
        "A2",
        "effective beta-smoothness is smaller",
        "median effective beta, without over with batch normalization",
        "above",
        1.5,
    ),
    "A2.relative": SeedCriterion(
        "A2",
        "the gradient changes less at steps that are an equal share of the weights",
        "median change relative to the gradient, without over with batch normalization, least of "
        "steps of 0.1, 1 and 10 % of the weights' norm",
        "above",
        1,
    ),
}


def per_step(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the measure `landscape` with what is compared; infinite where it is not finite.

    New: `range` (log10 of the highest loss over the lowest), `relative_range` (greatest difference
    from the loss itself, over it) and `relative_change` (greatest change over the gradient).
    """
    finite = rows.fillna({"highest_loss": np.inf, "greatest_change": np.inf, "beta": np.inf})
    up = finite["highest_loss"] - finite["loss"]
    down = finite["loss"] - finite["lowest_loss"]
    return finite.assign(
        range=np.log10(finite["highest_loss"] / finite["lowest_loss"]),
        relative_range=up.where(up > down, down) / finite["loss"],
        relative_change=finite["greatest_change"] / finite["gradient_norm"],
    )


def medians(rows: pd.DataFrame, move: str, quantity: str) -> pd.DataFrame:
    """Medians over steps, a row a seed, a column a network; `rows` as `per_step` gives them."""
    own = rows[rows["move"] == move]
    table = own.groupby(["seed", "network"])[quantity].median().unstack("network")
    return table.reindex(columns=[PLAIN, BN])


def ratios(rows: pd.DataFrame, move: str, quantity: str) -> pd.Series:
    """Medians without over those with batch normalization, by seed."""
    table = medians(rows, move, quantity)
    return table[PLAIN] / table[BN]


def verdicts(chosen: Selection) -> list[Verdict]:
    """A2, from the study's records."""
    rows = per_step(measured(labelled(chosen.runs), "landscape"))
    early = rows[rows["step"] <= _EARLY * rows["step"].max()]
    ranges = medians(early, "gradient", "range")
    relative = pd.concat([ratios(rows, move, "relative_change") for move in RELATIVE], axis=1)
    found = {
        "A2.loss": ranges[PLAIN] - ranges[BN],
        "A2.gradient": ratios(rows, "gradient", "greatest_change"),
        "A2.beta": ratios(rows, "gradient", "beta"),
        "A2.relative": relative.min(axis=1, skipna=False),
    }
    return [judge_seeds(one, compared("median", found[key])) for key, one in CRITERIA.items()]


CLAIMS = {"A2": JudgedClaim((STUDY,), tuple(CRITERIA), lambda _, chosen: verdicts(chosen))}
