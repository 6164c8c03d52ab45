"""Before against after the activation under other lengths, rates, activations and averaging."""

import pandas as pd

from bnrepro import statistics
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.sensitivity import Row, between

# Of the final test accuracy: the two ways to the statistics at inference (section 3.1).
MEASURES = {"moving averages": "judged_final", "population statistics": "judged_population"}
# A setting, and the names of the table's columns.
_VARIED = {
    "config.model.name": "network",
    "config.activation": "activation",
    "config.learning_rate": "learning_rate",
    "config.train_steps": "steps",
    "config.batch_normalization.momentum": "momentum",
}
_COLUMNS = (
    "measure",
    *_VARIED.values(),
    "n",
    "before_accuracy",
    "after_accuracy",
    "gap",
    "gap_low",
    "gap_high",
    "coverage_percent",
)


def sensitivity(base: Selection, varied: Selection) -> Table:
    """One row per measure and setting, those of the study `placement` included.

    `n`: the seeds that both placements have.
    """
    runs = pd.concat([base.runs, varied.runs], ignore_index=True)
    labelled = runs.assign(label=runs["config.placement"])
    rows = []
    for measure, column in MEASURES.items():
        for values, of_setting in labelled.groupby(list(_VARIED), sort=True):
            pairs = statistics.pair(of_setting, "before", "after", column)
            if pairs.empty:
                continue
            medians = (float(pairs[side].median()) for side in ("first", "second"))
            gap = statistics.median_with_interval(pairs["first"] - pairs["second"])
            coverage = statistics.coverage_of_median(len(pairs))
            rows.append([measure, *values, len(pairs), *medians, *gap, coverage])
    caption = (
        "Before against after under other settings: medians over seeds of the final test accuracy; "
        "the gap is before minus after on the same seed, with its order-statistic interval "
        "and the coverage that it has. Momentum is that of the moving averages."
    )
    return Table("sensitivity", _COLUMNS, rows, caption)


def findings(table: Table) -> list[str]:
    """The least and the largest gap of each measure, a sentence each."""
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in table.rows]
    of_measures = {name: [row for row in rows if row["measure"] == name] for name in MEASURES}
    return [
        f"Over {len(chosen)} settings the difference with {measure} {between(chosen, _in_words)}."
        for measure, chosen in of_measures.items()
        if chosen
    ]


def _in_words(row: Row) -> str:
    return (
        f"{100 * row['gap']:+.2f} points ({row['network'].upper()}, {row['activation']}, rate "
        f"{row['learning_rate']:g}, {row['steps']:,} steps, momentum {row['momentum']:g})"
    )
