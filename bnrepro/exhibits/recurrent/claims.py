"""R1 to R3: normalization in a recurrent network, by criteria committed before its runs.

Three papers are held against the same networks. Laurent et al. and Cooijmans et al. contradict each
other on the recurrent connections, so that one number is judged from both sides. What is judged is
the sign of each difference: none of the papers promises a size on this task. Steps are counted to
the training loss at which another network ends, each network at its best rate; accuracies are those
of inference with moving averages, on all test images.
"""

import math
from functools import partial

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "recurrent"
TABLES = ("courses", "ends", "rates", "setting")
# The rows of a course over which its loss is averaged.
WINDOW = 5

_STEPS_OF_NONE = "steps to the last training loss without normalization: without it, over with it"
_STEPS_OF_INPUT = (
    "steps to the last training loss with the input connections alone: with these, over with both"
)
CRITERIA = {
    "R1.input": SeedCriterion(
        "R1",
        "batch normalization of the input connections trains faster",
        _STEPS_OF_NONE,
        "above",
        1,
    ),
    "R1.recurrent": SeedCriterion(
        "R1",
        "that of the recurrent connections too is of no further help",
        _STEPS_OF_INPUT,
        "below",
        1,
    ),
    "R1.accuracy": SeedCriterion(
        "R1",
        "that of the input connections does not generalize better",
        "test accuracy with it minus that without normalization",
        "below",
        0,
    ),
    "R2.faster": SeedCriterion(
        "R2",
        "batch normalization of both trains faster",
        _STEPS_OF_NONE,
        "above",
        1,
    ),
    "R2.recurrent": SeedCriterion(
        "R2",
        "and faster than that of the input connections alone",
        _STEPS_OF_INPUT,
        "above",
        1,
    ),
    "R2.accuracy": SeedCriterion(
        "R2",
        "batch normalization of both generalizes better",
        "test accuracy with it minus that without normalization",
        "above",
        0,
    ),
    "R3.layer": SeedCriterion(
        "R3",
        "layer normalization of both trains faster",
        _STEPS_OF_NONE,
        "above",
        1,
    ),
}


def losses(course: pd.DataFrame) -> pd.Series:
    """One network's training loss by step: a mean over the mini-batches of `WINDOW` rows."""
    known = course.dropna(subset="train_loss").sort_values("step", kind="stable")
    return known.set_index("step")["train_loss"].rolling(WINDOW).mean().dropna()


def steps_to(course: pd.DataFrame, target: float) -> float:
    """The first step at which one network's training loss is at most `target`; infinite if none."""
    below = losses(course)
    reached = below.index[(below <= target).to_numpy()]
    return float(reached[0]) if len(reached) else math.inf


def _measures(found: Tables) -> Measures:
    courses, ends = found["courses"], found["ends"]
    recurrent = partial(_speedup, network="both", reference="input")
    return {
        "R1.input": (courses, partial(_speedup, network="input", reference="none")),
        "R1.recurrent": (courses, recurrent),
        "R1.accuracy": (ends, partial(_gain, network="input")),
        "R2.faster": (courses, partial(_speedup, network="both", reference="none")),
        "R2.recurrent": (courses, recurrent),
        "R2.accuracy": (ends, partial(_gain, network="both")),
        "R3.layer": (courses, partial(_speedup, network="layer", reference="none")),
    }


def _speedup(rows: pd.DataFrame, network: str, reference: str) -> float:
    """How many times as many steps the reference needs to its own last loss; 0 for never."""
    theirs = rows[rows["network"] == reference]
    target = float(losses(theirs).iloc[-1])
    return steps_to(theirs, target) / steps_to(rows[rows["network"] == network], target)


def _gain(rows: pd.DataFrame, network: str) -> float:
    accuracies = rows.set_index("network")["accuracy"]
    return float(accuracies[network] - accuracies["none"])


JUDGED = ComputedClaims(
    STUDY, TABLES, CRITERIA, _measures, in_points=("R1.accuracy", "R2.accuracy")
)
