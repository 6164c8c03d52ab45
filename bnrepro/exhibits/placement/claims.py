"""Sections 3.2 and 5 (C21): before or after the activation, from the records of `placement`."""

import pandas as pd

from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.statistics import pair
from bnrepro.verdicts.comparison import judge_seeds, of_values
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

CRITERIA = {
    "C21.placement": SeedCriterion(
        "C21",
        "batch normalization before the activation is better than after it",
        "difference of the final accuracies, before minus after",
        "above",
        0,
    ),
}


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """C21, a verdict for each network and activation; `runs` is a frame of a `Selection`."""
    results = runs.assign(label=lambda frame: frame["config.placement"])
    found = []
    for (model, activation), of_setting in results.groupby(
        ["config.model.name", "config.activation"]
    ):
        pairs = pair(of_setting, "before", "after", "judged_final")
        gain = of_values("before minus after", pairs["first"] - pairs["second"], points=True)
        found.append(
            judge_seeds(CRITERIA["C21.placement"], gain, setting=f"{model}, {activation}: ")
        )
    return found


CLAIMS = {
    "C21": JudgedClaim(("placement",), ("C21.placement",), lambda _, chosen: verdicts(chosen.runs))
}
