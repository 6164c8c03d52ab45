"""Before against after the activation under other lengths, rates and activations."""

import pandas as pd

from bnrepro import statistics
from bnrepro.figures.exhibit import Table
from bnrepro.figures.selection import Selection

# A setting, and the names of the table's columns.
_VARIED = {
    "config.model.name": "network",
    "config.activation": "activation",
    "config.learning_rate": "learning_rate",
    "config.train_steps": "steps",
}
_COLUMNS = (*_VARIED.values(), "n", "before", "after", "gap", "gap_low", "gap_high")


def sensitivity(base: Selection, varied: Selection) -> Table:
    """A row a setting, those of the study `placement` included; `n`: the seeds that both have."""
    runs = pd.concat([base.runs, varied.runs], ignore_index=True)
    rows = []
    for values, of_setting in runs.groupby(list(_VARIED), sort=True):
        labelled = of_setting.assign(label=of_setting["config.placement"])
        pairs = statistics.pair(labelled, "before", "after", "judged_final")
        if pairs.empty:
            continue
        medians = (float(pairs[side].median()) for side in ("first", "second"))
        gap = statistics.median_with_interval(pairs["first"] - pairs["second"])
        rows.append([*values, len(pairs), *medians, *gap])
    caption = (
        "Medians over seeds of the final test accuracy; the gap is before minus after on the same "
        "seed, with its order-statistic interval."
    )
    return Table("sensitivity", _COLUMNS, rows, caption)
