"""D2: what the laboratory's tables of moving averages say, by criteria fixed before them."""

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "moving_averages"
MOMENTUM = 0.99
CONSTANT, DECAYED = "constant", "cosine"
# The share of the steps that is the beginning of a training.
BEGINNING = 0.2

CRITERIA = {
    "D2.never_worse": SeedCriterion(
        "D2",
        "statistics computed anew are nowhere worse than moving averages",
        "largest test accuracy with moving averages minus that with statistics computed anew",
        "below",
        0.005,
    ),
    "D2.beginning": SeedCriterion(
        "D2",
        "at momentum 0.99 moving averages are far behind in the first fifth of the steps",
        "median over the evaluations of the same difference, the other way round",
        "above",
        0.02,
    ),
    "D2.decayed": SeedCriterion(
        "D2",
        "where the rate decays to 0 they agree at the end",
        "the difference after the last step, either way",
        "below",
        0.003,
    ),
    "D2.images": SeedCriterion(
        "D2",
        "statistics of 1,000 images are enough",
        "test accuracy after the last step with those of 10,000 minus that with those of 1,000",
        "below",
        0.005,
    ),
}


def deficits(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `deficit`: by how much moving averages are behind, as a share."""
    return rows.assign(deficit=rows["recomputed"] - rows["moving"])


def _measures(found: Tables) -> Measures:
    judged = deficits(found["accuracies"])
    judged = judged[judged["momentum"] == MOMENTUM]
    constant, decayed = (judged[judged["schedule"] == name] for name in (CONSTANT, DECAYED))
    beginning = constant[constant["step"] <= BEGINNING * constant["step"].max()]
    counts = found["counts"]
    at_end = counts[counts["step"] == counts["step"].max()]
    return {
        "D2.never_worse": (constant, lambda rows: -rows["deficit"].min()),
        "D2.beginning": (beginning, lambda rows: rows["deficit"].median()),
        "D2.decayed": (
            decayed[decayed["step"] == decayed["step"].max()],
            lambda rows: rows["deficit"].abs().max(),
        ),
        "D2.images": (at_end, _loss_of_few),
    }


def _loss_of_few(rows: pd.DataFrame) -> float:
    accuracy = rows.set_index("images")["accuracy"].sort_index(kind="stable")
    few = accuracy[accuracy.index >= 1000].iloc[0]
    return float(accuracy.iloc[-1] - few)


JUDGED = ComputedClaims(
    STUDY, ("accuracies", "counts"), CRITERIA, _measures, in_points=tuple(CRITERIA)
)
