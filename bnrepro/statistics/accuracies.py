"""Accuracies of runs as they are compared: a diverged run counts as chance, as one without any."""

import numpy as np
import pandas as pd

from bnrepro.statistics.curves import counted


def judged(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that are results, with `chance` and what they count for beside them.

    `judged_best` and `judged_final` are by moving averages; `judged_population` is the final
    accuracy with population statistics (Algorithm 2), that of `judged_final` where nothing is
    normalized by mini-batches. `runs` is a frame of `loading.load_runs`.
    """
    results = counted(runs)
    chance = 1 / results["data.num_classes"].astype(float)
    diverged = results["status"] == "diverged"
    best = results["best_accuracy"].astype(float).fillna(chance)
    final = results["final_accuracy"].astype(float).fillna(chance)
    population = results["final_accuracy_population"].astype(float).fillna(final)
    return results.assign(
        chance=chance,
        judged_best=np.where(diverged, chance, best),
        judged_final=np.where(diverged, chance, final),
        judged_population=np.where(diverged, chance, population),
    )
