"""A1: must distributions be stable? By the records of `smoothness`.

The bounds are the specification's own but for A1.noise: 20 points cannot be lost where the plain
network is not 20 points above chance, as after a short training; so half of what it has gained.
"""

import pandas as pd

from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.smoothness.networks import (
    BN,
    NOISE,
    NOISY,
    PLAIN,
    STUDY,
    compared,
    labelled,
    measured,
    train_accuracies,
)
from bnrepro.verdicts.comparison import judge_seeds, nothing
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

CRITERIA = {
    "A1.sooner": SeedCriterion(
        "A1",
        "noisy batch normalization is where the plain network ends in half its steps",
        "training accuracy of noisy batch normalization after half of the steps minus that of the "
        "plain network after all",
        "above",
        0,
    ),
    "A1.close": SeedCriterion(
        "A1",
        "the noise costs batch normalization little",
        "final training accuracy with batch normalization, distance from that with noise",
        "below",
        0.03,
    ),
    "A1.unstable": SeedCriterion(
        "A1",
        "with the noise distributions are less stable than without batch normalization",
        "median change of a unit's mean in one step over that of the plain network, least of three "
        "layers",
        "above",
        5,
    ),
    "A1.noise": SeedCriterion(
        "A1",
        "the same noise stops the plain network",
        "share of the plain network's final training accuracy above chance that is lost with noise",
        "above",
        0.5,
    ),
}


def train_accuracy(chosen: Selection) -> pd.DataFrame:
    """Training accuracy, a row a seed and step, a column a network; chance where it diverged."""
    table = train_accuracies(labelled(chosen.runs), chosen.curves, chosen.num_classes)
    return table.reindex(columns=[PLAIN, BN, NOISY, NOISE])


def verdicts(chosen: Selection) -> list[Verdict]:
    """A1, from the study's records."""
    accuracy = train_accuracy(chosen)
    last = accuracy.index.get_level_values("step").max()
    final, halfway = (accuracy.xs(step, level="step") for step in (last, last // 2))
    gained = final[PLAIN] - 1 / chosen.num_classes
    found = {
        "A1.sooner": halfway[NOISY] - final[PLAIN],
        "A1.close": (final[NOISY] - final[BN]).abs(),
        "A1.unstable": _least_ratio(measured(labelled(chosen.runs), "distributions")),
        "A1.noise": (final[PLAIN] - final[NOISE]) / gained,
    }
    return [
        judge_seeds(criterion, compared("median", found[key]) if len(found[key]) else nothing(key))
        for key, criterion in CRITERIA.items()
    ]


def changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Median over steps of a mean's change in one step, a row a seed and layer, a column a network.

    `rows` are those of the measure `distributions`.
    """
    medians = rows.groupby(["seed", "layer", "network"])["mean_change"].median()
    return medians.unstack("network").reindex(columns=[PLAIN, BN, NOISY, NOISE])


def _least_ratio(rows: pd.DataFrame) -> pd.Series:
    by_layer = changes(rows)
    return (by_layer[NOISY] / by_layer[PLAIN]).groupby("seed").min()


CLAIMS = {"A1": JudgedClaim((STUDY,), tuple(CRITERIA), lambda _, chosen: verdicts(chosen))}
