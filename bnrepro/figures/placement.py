"""Batch normalization before or after the activation, or none (study `placement`)."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bnrepro import statistics
from bnrepro.figures.exhibit import Drawing, Exhibit, Table
from bnrepro.figures.paired import PAIRED_CAPTION, PAIRED_COLUMNS, paired_row
from bnrepro.figures.placement_sensitivity import sensitivity
from bnrepro.figures.selection import select, select_optional
from bnrepro.figures.style import BLUE, GREEN, INK, VERMILLION, Panel
from bnrepro.figures.wording import percent, setting

# From top to bottom.
_PLACEMENTS = {"before": (BLUE, "s"), "after": (GREEN, "^"), "none": (VERMILLION, "o")}
_SETTINGS = ["config.model.name", "config.activation"]
_COLUMNS = ("network", "activation", "placement", "n", "accuracy", "accuracy_low", "accuracy_high")
_PAIRED = ("network", "activation", *PAIRED_COLUMNS)


def exhibit(results_dir: str) -> Exhibit:
    """Final accuracy by placement, from the studies `placement` and `placement_sensitivity`.

    Raises:
        ConfigError: if none of the runs of `placement` is there.
        RecordError: if a record or a curve cannot be read.
    """
    chosen = select("placement", results_dir)
    runs = chosen.runs
    varied, missing = select_optional("placement_sensitivity", results_dir)
    paired = _paired(runs)
    tables = [_table(runs), paired]
    if varied is not None:
        tables.append(sensitivity(chosen, varied))
    panels = [
        Panel(
            f"{network}_{activation}",
            f"{str(network).upper()}, {activation}",
            _describe(of_panel),
            partial(_draw, runs=of_panel),
        )
        for (network, activation), of_panel in runs.groupby(_SETTINGS, sort=True)
    ]
    names = [panel.name for panel in panels]
    layout = [names[row : row + 2] for row in range(0, len(names), 2)]
    return Exhibit(
        name="placement",
        title="Placement",
        setting=setting(runs),
        findings=_findings(paired),
        commands=[chosen.command, "bnrepro figure placement"],
        missing=[line for line in (chosen.missing, missing) if line],
        drawings=[Drawing("placement", panels, layout)],
        tables=tables,
        series=[],
        runs=runs,
    )


def _table(runs: pd.DataFrame) -> Table:
    rows = []
    for values, of_row in runs.groupby([*_SETTINGS, "config.placement"], sort=True):
        median = statistics.median_with_interval(of_row["judged_final"])
        rows.append([*values, len(of_row), *median])
    caption = "Final test accuracy: median over seeds with its order-statistic interval."
    return Table("table", _COLUMNS, rows, caption)


def _paired(runs: pd.DataFrame) -> Table:
    rows = []
    for values, of_row in runs.groupby(_SETTINGS, sort=True):
        labelled = of_row.assign(label=of_row["config.placement"])
        for first, second in (("before", "after"), ("before", "none"), ("after", "none")):
            row = paired_row(labelled, first, second, "judged_final")
            if row:
                rows.append([*values, *row])
    caption = f"Differences of the final test accuracy on the same seed: {PAIRED_CAPTION}."
    return Table("paired", _PAIRED, rows, caption)


def _findings(paired: Table) -> list[str]:
    rows = [dict(zip(_PAIRED, row, strict=True)) for row in paired.rows]
    gaps = [
        f"{row['network'].upper()}, {row['activation']} {100 * row['gap']:+.2f}"
        for row in rows
        if row["comparison"] == "before - after"
    ]
    if not gaps:
        return []
    return [
        "Batch normalization before rather than after the activation changes the final test "
        f"accuracy by, in points: {'; '.join(gaps)}."
    ]


def _draw(axes: Axes, runs: pd.DataFrame) -> None:
    """A row a placement: every seed as a mark, the median as a line."""
    for height, (placement, (color, marker)) in enumerate(_PLACEMENTS.items()):
        accuracies = runs["judged_final"][runs["config.placement"] == placement]
        heights = [height] * len(accuracies)
        axes.plot(accuracies, heights, marker, color=color, mfc="none", mew=1.2, label=placement)
        axes.plot([accuracies.median()] * 2, [height - 0.3, height + 0.3], color=INK, lw=1.6)
    names = ["no BN" if name == "none" else f"BN {name}" for name in _PLACEMENTS]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(_PLACEMENTS) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    axes.set_xlabel("final test accuracy: each seed, and the median")


def _describe(runs: pd.DataFrame) -> str:
    each = "; ".join(
        f"{placement} {percent(of_row['judged_final'].median(), 2)}"
        for placement, of_row in runs.groupby("config.placement", sort=True)
    )
    return f"Median final test accuracy over seeds, by placement of batch normalization: {each}."
