"""A2: is the error surface smoother along the gradient? By the records of `smoothness`.

The bounds are the specification's own. Medians are over the steps of the measurements, of which
many are early. Where a loss is not finite its range counts as infinite.

The pilot's plain network stood on a plateau for a hundred steps, where its gradients are tiny and
its surface is flat for want of learning; most measurements are there. So the same quantities, with
the same bounds, are also judged after the first fifth of the training (`late`): written when only
the pilot had been seen.
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

_QUANTITIES = {
    "loss": (
        "the loss ranges less along the gradient",
        "median log10 of the highest loss over the lowest, without minus with batch normalization",
        0,
    ),
    "gradient": (
        "the gradient changes less along itself",
        "median of its greatest change, without over with batch normalization",
        3,
    ),
    "beta": (
        "effective beta-smoothness is smaller",
        "median effective beta, without over with batch normalization",
        1.5,
    ),
    "relative": (
        "the gradient changes less at steps that are an equal share of the weights",
        "median change relative to the gradient, without over with batch normalization, least of "
        "steps of 0.1, 1 and 10 % of the weights' norm",
        1,
    ),
}
_AFTER = "after the first fifth of the training "
CRITERIA = {
    **{
        f"A2.{name}": SeedCriterion(
            "A2",
            f"in the first fifth of the training {sentence}" if name == "loss" else sentence,
            measure,
            "above",
            bound,
        )
        for name, (sentence, measure, bound) in _QUANTITIES.items()
    },
    **{
        f"A2.late_{name}": SeedCriterion("A2", _AFTER + sentence, measure, "above", bound)
        for name, (sentence, measure, bound) in _QUANTITIES.items()
    },
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


def late(rows: pd.DataFrame) -> pd.DataFrame:
    """Of `per_step`, those after the first fifth of the training."""
    return rows[rows["step"] > _EARLY * rows["step"].max()]


def verdicts(chosen: Selection) -> list[Verdict]:
    """A2, from the study's records."""
    rows = per_step(measured(labelled(chosen.runs), "landscape"))
    early = rows[rows["step"] <= _EARLY * rows["step"].max()]
    found = _judged(rows) | {"loss": _range_difference(early)}
    found |= {f"late_{name}": value for name, value in _judged(late(rows)).items()}
    return [
        judge_seeds(criterion, compared("median", found[key.removeprefix("A2.")]))
        for key, criterion in CRITERIA.items()
    ]


def _judged(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """What is held against the bounds, by seed."""
    relative = pd.concat([ratios(rows, move, "relative_change") for move in RELATIVE], axis=1)
    return {
        "loss": _range_difference(rows),
        "gradient": ratios(rows, "gradient", "greatest_change"),
        "beta": ratios(rows, "gradient", "beta"),
        "relative": relative.min(axis=1, skipna=False),
    }


def _range_difference(rows: pd.DataFrame) -> pd.Series:
    ranges = medians(rows, "gradient", "range")
    return ranges[PLAIN] - ranges[BN]


CLAIMS = {"A2": JudgedClaim((STUDY,), tuple(CRITERIA), lambda _, chosen: verdicts(chosen))}
