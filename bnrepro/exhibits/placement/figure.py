"""Batch normalization before or after the activation, or none (study `placement`)."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bnrepro import statistics
from bnrepro.drawing.style import BLUE, GREEN, INK, VERMILLION, Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table
from bnrepro.exhibits.paired import PAIRED_COLUMNS, paired_caption, paired_row
from bnrepro.exhibits.placement import sensitivity as placement_sensitivity
from bnrepro.exhibits.placement.sensitivity import MEASURES
from bnrepro.exhibits.selection import select
from bnrepro.exhibits.sensitivity import with_sensitivity
from bnrepro.exhibits.wording import percent, setting

# From top to bottom.
_PLACEMENTS = {"before": (BLUE, "s"), "after": (GREEN, "^"), "none": (VERMILLION, "o")}
_SETTINGS = ["config.model.name", "config.activation"]
_COLUMNS = (
    "network",
    "activation",
    "placement",
    "n",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "population_accuracy",
    "population_accuracy_low",
    "population_accuracy_high",
    "coverage_percent",
)
_CAPTION = (
    "A mark is one seed, a stroke the median over the seeds: open with moving averages, filled "
    "with population statistics (Algorithm 2)."
)
_PAIRED = ("measure", "network", "activation", *PAIRED_COLUMNS)


def exhibit(results_dir: str) -> Exhibit:
    """Final accuracy by placement, from the studies `placement` and `placement_sensitivity`.

    Raises:
        ConfigError: if none of the runs of `placement` is there.
        RecordError: if a record or a curve cannot be read.
    """
    chosen = select("placement", results_dir)
    runs = chosen.runs
    paired = _paired(runs)
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
    made = Exhibit(
        name="placement",
        title="Placement",
        setting=setting(runs),
        findings=_findings(paired),
        commands=[chosen.command, "bnrepro figure placement"],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[Drawing("placement", panels, layout, _CAPTION)],
        tables=[_table(runs), paired],
        series=[],
        runs=runs,
    )
    return with_sensitivity(
        made,
        "placement_sensitivity",
        results_dir,
        partial(placement_sensitivity.sensitivity, chosen),
        placement_sensitivity.findings,
    )


def _table(runs: pd.DataFrame) -> Table:
    rows = []
    for values, of_row in runs.groupby([*_SETTINGS, "config.placement"], sort=True):
        medians = [
            each
            for column in MEASURES.values()
            for each in statistics.median_with_interval(of_row[column])
        ]
        coverage = statistics.coverage_of_median(len(of_row))
        rows.append([*values, len(of_row), *medians, coverage])
    caption = (
        "Final test accuracy by moving averages, and with population statistics (Algorithm 2): "
        "median over seeds with its order-statistic interval and the coverage that it has."
    )
    return Table("table", _COLUMNS, rows, caption)


def _paired(runs: pd.DataFrame) -> Table:
    labelled = runs.assign(label=runs["config.placement"])
    rows = [
        [measure, *values, *row]
        for measure, column in MEASURES.items()
        for values, of_row in labelled.groupby(_SETTINGS, sort=True)
        for first, second in (("before", "after"), ("before", "none"), ("after", "none"))
        if (row := paired_row(of_row, first, second, column))
    ]
    caption = f"Differences of the final test accuracy on the same seed: {paired_caption(rows)}"
    return Table("paired", _PAIRED, rows, caption)


def _findings(paired: Table) -> list[str]:
    gaps: dict[str, list[str]] = {}
    for row in (dict(zip(_PAIRED, row, strict=True)) for row in paired.rows):
        if row["comparison"] == "before - after":
            name = f"{row['network'].upper()}, {row['activation']}"
            gaps.setdefault(name, []).append(f"{100 * row['gap']:+.2f}")
    if not gaps:
        return []
    each = "; ".join(
        f"{name} {moving} ({population})" for name, (moving, population) in gaps.items()
    )
    return [
        "Batch normalization before rather than after the activation changes the final test "
        "accuracy by, in points with moving averages (in brackets: with population statistics): "
        f"{each}."
    ]


def _draw(axes: Axes, runs: pd.DataFrame) -> None:
    """Draw one row per placement and measure: seeds as marks, the median as a line."""
    for height, (placement, (color, marker)) in enumerate(_PLACEMENTS.items()):
        of_placement = runs[runs["config.placement"] == placement]
        apart = 0 if placement == "none" else 0.17
        _draw_seeds(axes, of_placement["judged_final"], height - apart, marker, color, "none")
        if apart:
            _draw_seeds(
                axes, of_placement["judged_population"], height + apart, marker, color, color
            )
    names = ["no BN" if name == "none" else f"BN {name}" for name in _PLACEMENTS]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(_PLACEMENTS) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    axes.set_xlabel(
        "final test accuracy: each seed, and the median\n"
        "(open: moving averages, filled: population)"
    )


def _draw_seeds(
    axes: Axes, accuracies: pd.Series, height: float, marker: str, color: str, fill: str
) -> None:
    heights = [height] * len(accuracies)
    axes.plot(accuracies, heights, marker, color=color, mfc=fill, mew=1.2)
    axes.plot([accuracies.median()] * 2, [height - 0.15, height + 0.15], color=INK, lw=1.6)


def _describe(runs: pd.DataFrame) -> str:
    each = "; ".join(
        f"{placement} {percent(of_row['judged_final'].median(), 2)}"
        + (
            f" (with population statistics {percent(of_row['judged_population'].median(), 2)})"
            if placement != "none"
            else ""
        )
        for placement, of_row in runs.groupby("config.placement", sort=True)
    )
    return f"Median final test accuracy over seeds, by placement of batch normalization: {each}."
