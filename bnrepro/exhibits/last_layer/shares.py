"""Which share of batch normalization's gain in accuracy a variant has, on each seed."""

import math

import numpy as np
import pandas as pd

NONE, BN = "none", "BN"


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """By seed and variant, (accuracy - none's) / (BN's - none's), with Algorithm 2's statistics."""
    accuracy = rows.pivot_table("population", index="seed", columns="variant", sort=False)
    gain = accuracy[BN] - accuracy[NONE]
    return accuracy.sub(accuracy[NONE], axis=0).div(gain, axis=0)


def shares_at_equal_loss(course: pd.DataFrame) -> pd.DataFrame:
    """The same at the training loss that the variant, BN and none all come to.

    That is the largest of the smallest losses that the three were seen at; accuracies are where
    each was first there, between two looks linear in the logarithm of the loss.
    """
    found = {seed: _at_equal_loss(own) for seed, own in course.groupby("seed")}
    return pd.DataFrame(found).T.rename_axis(index="seed", columns="variant")


def _at_equal_loss(course: pd.DataFrame) -> pd.Series:
    """Of one seed, by variant."""
    courses = {
        str(name): own.sort_values("step") for name, own in course.groupby("variant", sort=False)
    }
    return pd.Series(
        {name: _share(own, courses[NONE], courses[BN]) for name, own in courses.items()}
    )


def _share(*courses: pd.DataFrame) -> float:
    """Of a variant, none and BN."""
    loss = max(float(each["train_loss"].min()) for each in courses)
    own, none, normalized = (accuracy_at(each, loss) for each in courses)
    return (own - none) / (normalized - none) if normalized != none else math.nan


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
