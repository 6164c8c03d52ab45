"""Sensitivity to the rate, from what `bnrepro laboratory rate_sensitivity` has left."""

import pandas as pd

from bnrepro.exhibits.computed import Tables, Told, images_of
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.rate_sensitivity import curves
from bnrepro.exhibits.rate_sensitivity.claims import ACTIVATIONS, JUDGED, OPTIMIZERS
from bnrepro.exhibits.rate_sensitivity.widths import widths
from bnrepro.records.laboratory import LaboratoryRecord

_COLUMNS = (
    "activation", "optimizer", "network", "width", "lowest", "highest", "cut", "best_rate",
    "best_accuracy", "area",
)  # fmt: skip


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """F1, from the study's tables."""
    rates, all_widths = found["rates"], widths(found["rates"])
    return Told(
        title="Sensitivity to the rate",
        setting=setting(found),
        findings=[_finding(activation, all_widths) for activation in ACTIVATIONS],
        drawings=[
            *(curves.drawing(activation, rates, all_widths) for activation in ACTIVATIONS),
            curves.norms(rates),
        ],
        tables=[_table(all_widths)],
    )


def setting(found: dict[str, pd.DataFrame]) -> str:
    """What all networks share, in a line."""
    shared, seeds = found["setting"].iloc[0], found["rates"].groupby("optimizer")["seed"].nunique()
    return (
        f"{images_of(found['setting'])}, 3 hidden layers of 100 units, constant rate, after "
        f"{shared['train_steps']:,} steps of {shared['batch_size']} examples, n = {seeds['sgd']} "
        f"seeds (Nesterov, Adagrad, RMSprop: {seeds['adagrad']})"
    )


def _finding(activation: str, all_widths: pd.DataFrame) -> str:
    own = all_widths[all_widths["activation"] == activation]
    medians = curves.median_widths(own)
    each = ", ".join(
        f"{name} {curves.decades(medians, optimizer)}" for optimizer, name in OPTIMIZERS.items()
    )
    return (
        f"Decades of the rate within a point of the best accuracy, {ACTIVATIONS[activation]}, "
        f"without and with batch normalization: {each} (medians; > is cut off by the grid)."
    )


def _table(all_widths: pd.DataFrame) -> Table:
    """A row per activation, optimizer and network: medians over the seeds."""
    rows = []
    for key, own in all_widths.groupby(["activation", "optimizer", "network"], sort=False):
        low, median, high = own["width"].quantile([0, 0.5, 1])
        rows.append(
            [
                *key, float(median), float(low), float(high), int((own["cut"] > 0).sum()),
                float(own["best_rate"].median()), float(own["best_accuracy"].median()),
                float(own["area"].median()),
            ]
        )  # fmt: skip
    caption = (
        "Windows of good rates: width in decades (median, lowest and highest seed), on how many "
        "seeds the grid cuts it off, the best rate and its accuracy, and the mean accuracy over "
        "the grid."
    )
    return Table("windows", _COLUMNS, rows, caption)
