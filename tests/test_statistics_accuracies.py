"""What a run's accuracies count for."""

import math

import pandas as pd

from bnrepro.statistics import judged


def run(status="completed", best=0.9, final=0.8, population=0.85):
    accuracies = {"best_accuracy": best, "final_accuracy": final}
    accuracies["final_accuracy_population"] = population
    return {"status": status, "data.num_classes": 10, **accuracies}


def test_a_run_counts_for_its_accuracies_and_a_diverged_one_for_chance():
    runs = judged(pd.DataFrame([run(), run("diverged", population=None), run("failed")]))
    assert list(runs["status"]) == ["completed", "diverged"]
    assert list(runs["chance"]) == [0.1, 0.1]
    assert list(runs["judged_best"]) == [0.9, 0.1]
    assert list(runs["judged_final"]) == [0.8, 0.1]
    assert list(runs["judged_population"]) == [0.85, 0.1]


def test_without_population_statistics_the_final_accuracy_counts():
    assert list(judged(pd.DataFrame([run(population=math.nan)]))["judged_population"]) == [0.8]


def test_a_run_that_never_had_a_finite_score_counts_for_chance():
    runs = judged(pd.DataFrame([run(best=None, final=None, population=None), run()]))
    counted = runs[["judged_best", "judged_final", "judged_population"]]
    assert counted.iloc[0].tolist() == [0.1, 0.1, 0.1]
