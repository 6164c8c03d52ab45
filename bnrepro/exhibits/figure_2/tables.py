"""The tables of figure 2: fixed targets, accuracies after equal steps, differences within seeds."""

from typing import NamedTuple

import pandas as pd

from bnrepro import statistics
from bnrepro.exhibits.exhibit import Table, rows_of
from bnrepro.exhibits.figure_2.findings import REFERENCE
from bnrepro.exhibits.paired import PAIRED_COLUMNS, paired_caption, paired_row
from bnrepro.exhibits.selection import Selection
from bnrepro.experiments import FIGURE_3

ROWS = tuple(FIGURE_3)
# Ours: accuracies that do not depend on how far Inception comes. They were chosen when the runs of
# seed 0 had been seen, so that only seeds 1 to 5 come after them.
_FIXED_TARGETS = (0.5, 0.6, 0.65, 0.7)
_FIXED_COLUMNS = (
    "target_accuracy",
    "experiment",
    "n",
    "reached",
    "steps",
    "steps_low",
    "steps_high",
    "coverage_percent",
)
MORE_COMPARISONS = (("bn_x5", "bn_baseline"), ("bn_x30", "bn_baseline"), ("bn_x30", "bn_x5"))


class EqualStepsRow(NamedTuple):
    """The median accuracy of an experiment's seeds after as many steps as the shortest training."""

    experiment: str
    n: int
    steps: int
    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None
    coverage_percent: int | None


def with_accuracy_after_equal_steps(chosen: Selection) -> tuple[int, pd.DataFrame]:
    """The shortest training's steps, and the runs with their `accuracy` after as many.

    Diverged runs are at chance.
    """
    steps = int(chosen.runs["config.train_steps"].min())
    curves = chosen.curves[chosen.curves["step"] == steps]
    runs = chosen.runs.merge(curves[["name", "seed", "evaluation_accuracy"]])
    return steps, runs.assign(accuracy=runs["evaluation_accuracy"].fillna(runs["chance"]))


def fixed_targets(chosen: Selection) -> Table:
    """Steps to accuracies that do not depend on how far Inception comes."""
    frame = statistics.steps_against_target(chosen.curves, list(_FIXED_TARGETS))
    frame = frame[frame["label"].isin(ROWS)].rename(
        columns={"label": "experiment", "target": "target_accuracy"}
    )
    order = frame["experiment"].map(ROWS.index)
    frame = frame.assign(order=order).sort_values(["target_accuracy", "order"])
    caption = (
        "Steps to fixed accuracies, which were chosen after the runs of seed 0 and before those of "
        "seeds 1 to 5: how many seeds reach them, and the median over seeds with its "
        "order-statistic interval and the coverage that it has."
    )
    return Table("targets", _FIXED_COLUMNS, rows_of(frame[list(_FIXED_COLUMNS)]), caption)


def equal_steps(chosen: Selection) -> Table:
    """Accuracies after as many steps as the shortest training has."""
    steps, runs = with_accuracy_after_equal_steps(chosen)
    rows = []
    for label in chosen.labels:
        accuracies = runs["accuracy"][runs["label"] == label]
        n = len(accuracies)
        median = statistics.median_with_interval(accuracies)
        coverage = statistics.coverage_of_median(n)
        rows.append(EqualStepsRow(label, n, steps, *median, coverage))
    caption = (
        "Some networks train for longer than others. Here all have made as many steps as the "
        "shortest training: test accuracy, median over seeds with its order-statistic interval and "
        "the coverage that it has."
    )
    return Table("equal_steps", EqualStepsRow._fields, rows, caption)


def paired(chosen: Selection) -> Table:
    """Differences on the same seed, at the end and after equal steps."""
    steps, runs = with_accuracy_after_equal_steps(chosen)
    others = [label for label in chosen.labels if label != REFERENCE]
    comparisons = [*((label, REFERENCE) for label in others), *MORE_COMPARISONS]
    rows = [
        [measure, *row]
        for measure, column in (
            ("best accuracy", "judged_best"),
            (f"accuracy after {steps:,} steps", "accuracy"),
        )
        for first, second in comparisons
        if (row := paired_row(runs, first, second, column))
    ]
    caption = f"Differences of test accuracies on the same seed: {paired_caption(rows)}"
    return Table("paired", ("measure", *PAIRED_COLUMNS), rows, caption)
