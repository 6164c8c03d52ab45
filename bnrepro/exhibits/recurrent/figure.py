"""Normalization in a recurrent network, from what `bnrepro laboratory recurrent` has left."""

import math

import pandas as pd

from bnrepro.exhibits.computed import Tables, Told, images_of
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.recurrent import curves
from bnrepro.exhibits.recurrent.claims import JUDGED, losses, steps_to
from bnrepro.exhibits.wording import listed, percent, points
from bnrepro.records.laboratory import LaboratoryRecord


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """R1 to R3, from the study's tables."""
    courses, ends, shared = found["courses"], found["ends"], found["setting"].iloc[0]
    units = 100 * shared["width"]
    return Told(
        title="Recurrent networks",
        setting=(
            f"rows of {images_of(found['setting'])}, an LSTM of {units:g} units, momentum, "
            f"{shared['train_steps']:,} steps of {shared['batch_size']} examples, "
            f"n = {ends['seed'].nunique()} seeds"
        ),
        findings=_findings(courses, ends),
        drawings=[curves.drawing(courses, ends)],
        tables=[_tried(found["rates"])],
    )


def _findings(courses: pd.DataFrame, ends: pd.DataFrame) -> list[str]:
    steps = listed(
        f"{_median_steps(courses, name)} ({line.label})" for name, line in curves.LINES.items()
    )
    rates = ends.groupby("network")["rate"].first()
    chosen = listed(f"{rates[name]:g} ({line.label})" for name, line in curves.LINES.items())
    return [
        f"Steps to the last training loss without normalization (medians): {steps}.",
        f"Test accuracy at the end (medians): {curves.accuracies(ends)}.",
        "With Algorithm 2's statistics in place of moving averages the median accuracy changes by "
        f"{_change(ends, 'input')} points with batch normalization of the input connections, by "
        f"{_change(ends, 'both')} with that of both.",
        f"Accuracy in the last mini-batches (medians): {_in_training(ends)}.",
        f"Best of the rates that were tried: {chosen}.",
    ]


def _median_steps(courses: pd.DataFrame, network: str) -> str:
    """Steps to the last loss without normalization of the same seed."""
    each = []
    for _, rows in courses.groupby("seed"):
        target = float(losses(rows[rows["network"] == "none"]).iloc[-1])
        each.append(steps_to(rows[rows["network"] == network], target))
    median = float(pd.Series(each).median())
    return "never" if math.isinf(median) else f"{median:,.0f}"


def _change(ends: pd.DataFrame, network: str) -> str:
    own = ends[ends["network"] == network]
    return points((own["population"] - own["accuracy"]).median(), 2)


def _in_training(ends: pd.DataFrame) -> str:
    medians = ends.groupby("network")["train_accuracy"].median()
    return listed(
        f"{percent(medians[name], 2)} ({line.label})" for name, line in curves.LINES.items()
    )


def _tried(rates: pd.DataFrame) -> Table:
    """The rates that were tried, means over the seeds that chose."""
    wide = rates.pivot_table("accuracy", index="network", columns="rate", aggfunc="mean")
    rows = [
        [line.label, *(float(f"{value:.4g}") for value in wide.loc[name])]
        for name, line in curves.LINES.items()
    ]
    columns = ["network", *(f"rate {rate:g}" for rate in wide.columns)]
    return Table(
        "rates",
        columns,
        rows,
        "Accuracy on held-out training images after a third of the steps, by rate; means over "
        f"{rates['seed'].nunique()} seeds that are judged by nothing else.",
    )
