"""Figure 1 under other settings: what the paper left open, varied one at a time."""

from typing import Any

import pandas as pd

from bnrepro import statistics
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.sensitivity import Row, between

# What the paper does not give for section 4.1, and the names of the table's columns.
_VARIED = {
    "config.learning_rate": "learning_rate",
    "config.initializer.scale": "initial_scale",
    "config.data.binary": "binary_input",
}
TARGET = 0.90
_COLUMNS = (
    *_VARIED.values(),
    "n",
    "without_bn_accuracy",
    "with_bn_accuracy",
    "gap",
    "gap_low",
    "gap_high",
    "coverage_percent",
    "without_bn_steps_to_90",
    "with_bn_steps_to_90",
)


def sensitivity(base: Selection, varied: Selection) -> Table:
    """One row per setting, that of figure 1 included; `n`: the seeds that both networks have."""
    runs = pd.concat([base.runs, varied.runs], ignore_index=True)
    curves = pd.concat([base.curves, varied.curves], ignore_index=True)
    rows = [
        [*values, *_measured(of_setting, curves)]
        for values, of_setting in runs.groupby(list(_VARIED), sort=True)
    ]
    caption = (
        "With and without BN under other settings, of which the paper gives none: medians over "
        "seeds of the final test accuracy; the gap is with minus without BN on the same seed, with "
        "its order-statistic interval and the coverage that it has."
    )
    return Table("sensitivity", _COLUMNS, rows, caption)


def findings(table: Table) -> list[str]:
    """The smallest and the largest gap, in a sentence."""
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in table.rows]
    known = [row for row in rows if row["gap"] is not None]
    if not known:
        return []
    return [
        f"Over {len(known)} settings of what the paper leaves open the final gap "
        f"{between(known, _in_words)}."
    ]


def _in_words(row: Row) -> str:
    images = "binary" if row["binary_input"] else "grey"
    return (
        f"{100 * row['gap']:.2f} points (rate {row['learning_rate']:g}, initial deviation "
        f"{row['initial_scale']:g}, {images} images)"
    )


def _measured(runs: pd.DataFrame, curves: pd.DataFrame) -> list[Any]:
    without = runs["config.placement"] == "none"
    labelled = runs.assign(label=without.map({True: "without", False: "with"}))
    pairs = statistics.pair(labelled, "without", "with", "judged_final")
    gap = pairs["second"] - pairs["first"]
    return [
        len(pairs),
        *(_median(runs["judged_final"][chosen]) for chosen in (without, ~without)),
        *(statistics.median_with_interval(gap) if len(gap) else (None, None, None)),
        statistics.coverage_of_median(len(gap)),
        *(_steps(runs[chosen], curves) for chosen in (without, ~without)),
    ]


def _median(values: pd.Series) -> float | None:
    return float(values.median()) if len(values) else None


def _steps(runs: pd.DataFrame, curves: pd.DataFrame) -> float | None:
    crossings = statistics.crossings(curves.merge(runs[["name", "seed"]]), TARGET)
    return statistics.kaplan_meier_median(crossings["steps"], crossings["reached"])
