"""Sections 3.2 and 5 (C21): before or after the activation, from the records of `placement`."""

import pandas as pd

from bnrepro.statistics import judged, pair
from bnrepro.verdicts.comparison import judge_seeds, of_values
from bnrepro.verdicts.verdict import Verdict


def verdicts(runs: pd.DataFrame) -> list[Verdict]:
    """C21, a verdict for each network and activation."""
    results = judged(runs).assign(label=lambda frame: frame["config.placement"])
    found = []
    for (model, activation), of_setting in results.groupby(
        ["config.model.name", "config.activation"]
    ):
        pairs = pair(of_setting, "before", "after", "judged_final")
        gain = of_values("before minus after", pairs["first"] - pairs["second"], points=True)
        found.append(judge_seeds("C21.placement", gain, setting=f"{model}, {activation}: "))
    return found
