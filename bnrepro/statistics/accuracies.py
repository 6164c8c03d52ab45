"""Accuracies of runs as they are compared: a diverged run counts as chance."""

import numpy as np
import pandas as pd

from bnrepro.statistics.curves import counted


def judged(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that are results, with `chance`, `judged_best` and `judged_final` beside them.

    `runs` is a frame of `record.load_runs`.
    """
    results = counted(runs)
    chance = 1 / results["data.num_classes"].astype(float)
    diverged = results["status"] == "diverged"
    return results.assign(
        chance=chance,
        judged_best=np.where(diverged, chance, results["best_accuracy"].astype(float)),
        judged_final=np.where(diverged, chance, results["final_accuracy"].astype(float)),
    )
