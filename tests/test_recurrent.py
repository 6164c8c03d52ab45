"""R1 to R3: what their criteria make of tables whose answer is known."""

import math

import pandas as pd
import pytest

from bnrepro.exhibits.recurrent.claims import CRITERIA, JUDGED, losses, steps_to
from bnrepro.lab import recurrent
from bnrepro.verdicts.verdict import Verdict

STEPS = 720
# The loss falls as exp(-step / time); the others are twice as fast, or half as fast, as none.
AS_PUBLISHED = {"none": 400, "input": 200, "both": 100, "layer": 200}
ALL_SLOWER = {"none": 200, "input": 400, "both": 800, "layer": 400}


def tables(times, accuracies):
    seeds = recurrent.SETTINGS["published"].seeds
    courses = [
        (network, seed, step, (1 + seed / 10) * math.exp(-step / time), math.nan)
        for network, time in times.items()
        for seed in seeds
        for step in range(recurrent.MEAN_OVER, STEPS + 1, recurrent.MEAN_OVER)
    ]
    ends = [
        (network, 0.1, seed, 0.9, accuracy + seed / 1000, math.nan, math.nan)
        for network, accuracy in accuracies.items()
        for seed in seeds
    ]
    return {
        "courses": pd.DataFrame(courses, columns=recurrent.Course._fields),
        "ends": pd.DataFrame(ends, columns=recurrent.End._fields),
    }


def outcomes(times, accuracies) -> dict[str, str]:
    found: list[Verdict] = JUDGED.verdicts(tables(times, accuracies))
    return dict(zip(CRITERIA, (each.verdict for each in found), strict=True))


def test_networks_that_train_faster_bear_cooijmans_out_and_contradict_laurent():
    found = outcomes(AS_PUBLISHED, {"none": 0.9, "input": 0.91, "both": 0.92, "layer": 0.9})
    contradicted = {"R1.recurrent", "R1.accuracy"}
    assert {key for key, one in found.items() if one == "not reproduced"} == contradicted
    assert {key for key, one in found.items() if one == "reproduced"} == {*CRITERIA} - contradicted


def test_networks_that_train_more_slowly_leave_only_what_denies_a_gain():
    found = outcomes(ALL_SLOWER, {"none": 0.9, "input": 0.89, "both": 0.88, "layer": 0.9})
    assert {key for key, one in found.items() if one == "reproduced"} == {
        "R1.recurrent",
        "R1.accuracy",
    }


def test_steps_are_counted_to_a_mean_of_five_rows():
    rows = tables(AS_PUBLISHED, {"none": 0.9})["courses"]
    one = rows[(rows["network"] == "none") & (rows["seed"] == 0)]
    mean = sum(math.exp(-step / 400) for step in (20, 40, 60, 80, 100)) / 5
    assert losses(one).iloc[0] == pytest.approx(mean)
    assert steps_to(one, mean + 1e-9) == 100
    assert steps_to(one, mean - 1e-9) == 120
    assert steps_to(one, 0) == math.inf


@pytest.mark.parametrize(("lost", "best"), [(None, 0.3), (0.3, 0.1)])
def test_the_best_rate_is_that_of_the_highest_mean_and_no_rate_that_diverged(lost, best):
    accuracies = {0.03: (0.7, 0.9), 0.1: (0.8, 0.82), 0.3: (0.95, 0.7)}
    tried = [
        recurrent.Tried("none", rate, seed, math.nan if rate == lost else accuracy, 0.0)
        for rate, each in accuracies.items()
        for seed, accuracy in enumerate(each)
    ]
    assert recurrent.best_rate(tried) == best
