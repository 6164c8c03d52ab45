"""What each variant gains in test accuracy over the plain network of its seed, and its share."""

import math

import numpy as np
import pandas as pd

NONE, BN = "none", "BN"


def gains(rows: pd.DataFrame) -> pd.DataFrame:
    """By seed and variant, test accuracy minus none's, with Algorithm 2's statistics."""
    accuracy = rows.pivot_table("population", index="seed", columns="variant", sort=False)
    return accuracy.sub(accuracy[NONE], axis=0)


def shares(rows: pd.DataFrame, least: float) -> pd.DataFrame:
    """The gains over that of batch normalization; nan on seeds where that is below `least`."""
    every = gains(rows)
    return every.div(every[BN].where(every[BN] >= least), axis=0)


def gains_at_equal_loss(course: pd.DataFrame) -> pd.DataFrame:
    """By seed and variant, what it gains at the training loss that it and none both come to.

    That is the larger of the smallest losses that both were seen at; accuracies are where each was
    there first, between two looks linear in the logarithm of the loss.
    """
    found = {seed: _at_equal_loss(own) for seed, own in course.groupby("seed")}
    return pd.DataFrame(found).T.rename_axis(index="seed", columns="variant")


def _at_equal_loss(course: pd.DataFrame) -> pd.Series:
    """Of one seed, by variant."""
    courses = {
        str(name): own.sort_values("step", kind="stable")
        for name, own in course.groupby("variant", sort=False)
    }
    return pd.Series({name: _gain(own, courses[NONE]) for name, own in courses.items()})


def _gain(*courses: pd.DataFrame) -> float:
    """Of a variant and none."""
    loss = max(float(each["train_loss"].min()) for each in courses)
    own, none = (accuracy_at(each, loss) for each in courses)
    return own - none


def accuracy_at(course: pd.DataFrame, loss: float) -> float:
    """A network's test accuracy where its training loss first is `loss`; nan if it never is."""
    losses, accuracies = (course[name].to_numpy() for name in ("train_loss", "accuracy"))
    there = np.flatnonzero(losses <= loss)
    if not len(there):
        return math.nan
    at = there[0]
    if at == 0:
        return float(accuracies[0])
    way = math.log(losses[at - 1] / loss) / math.log(losses[at - 1] / losses[at])
    return float(accuracies[at - 1] + way * (accuracies[at] - accuracies[at - 1]))
