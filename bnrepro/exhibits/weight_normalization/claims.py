"""D6: what weight normalization gives, by the records of the study `weight_normalization`.

The first three criteria are those of the study's file: of gradient descent, each at one rate that
was chosen beforehand. The others ask the same of both optimizers, each network at the best of its
rates. All stood before any run that they judge had finished. The best rate is the one of the least
training loss on the seeds that are judged, so that it flatters each network a little and alike.
"""

import math
from functools import partial

import pandas as pd

from bnrepro.config import study
from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.weight_normalization.networks import (
    FROM_DATA,
    OPTIMIZERS,
    PLAIN,
    STUDY,
    WEIGHT,
    WITH_MEAN,
    at_best_rate,
    courses,
    ends,
)
from bnrepro.verdicts.comparison import judge_seeds, of_values
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.own_study import compare
from bnrepro.verdicts.verdict import Verdict

# In the order of the study's file.
OF_FILE = {
    "D6.sooner": SeedCriterion(
        "D6",
        "weight normalization that is fitted to the first mini-batch learns sooner than the plain "
        "network",
        "steps to 30 % without over with it, gradient descent at rate 0.1",
        "above",
        1,
    ),
    "D6.mean": SeedCriterion(
        "D6",
        "the mean of each mini-batch adds to it",
        "best accuracy with that mean taken away minus without, gradient descent at rate 0.1",
        "above",
        0,
    ),
    "D6.start": SeedCriterion(
        "D6",
        "the start from data widens the range of rates at which it trains",
        "final accuracy with that start minus without, gradient descent at rate 0.3",
        "above",
        0.1,
    ),
}
AT_BEST = {
    "D6.best_sooner": SeedCriterion(
        "D6",
        "at their best rates, fitted to the first mini-batch it needs fewer steps to the plain "
        "network's last training loss",
        "steps of the plain network over steps with it, which are infinite if it never gets there",
        "above",
        1,
    ),
    "D6.best_mean": SeedCriterion(
        "D6",
        "at their best rates, the mean of each mini-batch adds to it",
        "final accuracy with that mean taken away minus without",
        "above",
        0,
    ),
    "D6.rates": SeedCriterion(
        "D6",
        "the start from data lets it train at more rates",
        "rates of four at which the final accuracy is above twice that of chance, with that start "
        "minus without",
        "above",
        0,
    ),
}
CRITERIA = {**OF_FILE, **AT_BEST}


def verdicts(chosen: Selection) -> list[Verdict]:
    """D6: by the study's file, and for each optimizer of which there are runs."""
    criteria = study.load(STUDY).criteria
    found = [
        judge_seeds(OF_FILE[key], compare(criterion, chosen.runs, chosen.curves))
        for key, criterion in zip(OF_FILE, criteria, strict=True)
    ]
    of_runs = ends(chosen)
    for optimizer in OPTIMIZERS.values():
        own = of_runs[of_runs["optimizer"] == optimizer]
        if len(own):
            found += _at_best(optimizer, own, chosen)
    return found


def steps_to_plain(of_courses: pd.DataFrame) -> pd.DataFrame:
    """Steps to the plain network's last training loss of the same seed, a column a network.

    `of_courses` are `courses` of one optimizer at the best rates. A network that never gets there
    or diverges needs infinitely many; seeds without the plain network have no row.
    """
    rows = {
        seed: _steps_of_seed(own.sort_values("step", kind="stable"))
        for seed, own in of_courses.groupby("seed")
        if PLAIN in set(own["network"])
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _steps_of_seed(of_seed: pd.DataFrame) -> dict[str, float]:
    target = float(of_seed.loc[of_seed["network"] == PLAIN, "loss"].iloc[0])
    return {
        str(network): _first(own, target) for network, own in of_seed.groupby("network", sort=False)
    }


def _first(course: pd.DataFrame, target: float) -> float:
    below = course.loc[(course["train_loss"] <= target) & ~course["diverged"], "step"]
    return float(below.iloc[0]) if len(below) else math.inf


def _at_best(optimizer: str, own: pd.DataFrame, chosen: Selection) -> list[Verdict]:
    best = at_best_rate(own)
    steps = steps_to_plain(courses(chosen, best))
    accuracies = best.pivot_table("accuracy", index="seed", columns="network")
    trained = own.pivot_table("trained", index=["seed", "rate"], columns="network")
    more_rates = _paired(trained, FROM_DATA, WEIGHT, "minus").groupby("seed").sum()
    named = partial(of_values, "median")
    compared = {
        "D6.best_sooner": named(_paired(steps, PLAIN, FROM_DATA, "over")),
        "D6.best_mean": named(_paired(accuracies, WITH_MEAN, FROM_DATA, "minus"), points=True),
        "D6.rates": named(more_rates),
    }
    return [judge_seeds(AT_BEST[key], each, setting=f"{optimizer}: ")
            for key, each in compared.items()]  # fmt: skip


def _paired(by_seed: pd.DataFrame, first: str, second: str, relation: str) -> pd.Series:
    """One number a seed that both networks have."""
    both = by_seed.reindex(columns=[first, second]).dropna()
    return both[first] / both[second] if relation == "over" else both[first] - both[second]


CLAIMS = {"D6": JudgedClaim((STUDY,), tuple(CRITERIA), lambda _, chosen: verdicts(chosen))}
