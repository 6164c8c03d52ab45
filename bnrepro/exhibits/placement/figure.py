"""Batch normalization before or after the activation, or none (study `placement`)."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bnrepro import statistics
from bnrepro.drawing.curves import write_beside
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table
from bnrepro.exhibits.paired import PAIRED_COLUMNS, paired_caption, paired_row
from bnrepro.exhibits.placement import sensitivity as placement_sensitivity
from bnrepro.exhibits.placement.sensitivity import MEASURES
from bnrepro.exhibits.selection import select
from bnrepro.exhibits.sensitivity import with_sensitivity
from bnrepro.exhibits.wording import percent, setting
from bnrepro.experiments.line import BLUE, GREEN, INK, VERMILLION

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
    "A mark is one seed, the stroke behind the marks and the number their median: open with moving "
    "averages, filled with population statistics (Algorithm 2). All panels have the same axis, "
    "whose distances are those of the logarithm of the error. Above them: before minus after, in "
    "points, medians of the differences on the same seed; in brackets with population statistics."
)
# Along the axis; an error that is smaller is drawn as this one.
_TICKS = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
_LEAST_ERROR = 0.001
# How far the rows of moving averages and of population statistics lie from their middle, and in a
# row the seeds.
_APART, _SEED_APART = 0.2, 0.022
# Where the numbers beside the axes end, in points from them.
_NUMBERS_END = 40
# Of the errors along the axis.
_Limits = tuple[float, float]
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
    gaps, limits = _gaps(paired), _limits(runs)
    panels = [
        _panel(_name(str(network), str(activation)), gaps, of_panel, limits)
        for (network, activation), of_panel in runs.groupby(_SETTINGS, sort=True)
    ]
    names = [panel.name for panel in panels]
    layout = [names[row : row + 2] for row in range(0, len(names), 2)]
    made = Exhibit(
        name="placement",
        title="Placement",
        setting=setting(runs),
        findings=_findings(gaps),
        commands=[chosen.command, "bnrepro figure placement"],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[Drawing("placement", _title(gaps), panels, layout, _CAPTION)],
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


def _gaps(paired: Table) -> dict[str, list[float]]:
    """Of each network and activation before minus after, a gap a measure."""
    gaps: dict[str, list[float]] = {}
    for row in (dict(zip(_PAIRED, row, strict=True)) for row in paired.rows):
        if row["comparison"] == "before - after":
            gaps.setdefault(_name(row["network"], row["activation"]), []).append(row["gap"])
    return gaps


def _name(network: str, activation: str) -> str:
    return f"{network.upper()}, {activation}"


def _points(gap: float) -> str:
    return f"{100 * gap:+.2f}"


def _findings(gaps: dict[str, list[float]]) -> list[str]:
    if not gaps:
        return []
    each = "; ".join(
        f"{name} {_points(moving)} ({_points(population)})"
        for name, (moving, population) in gaps.items()
    )
    return [
        "Batch normalization before rather than after the activation changes the final test "
        "accuracy by, in points with moving averages (in brackets: with population statistics): "
        f"{each}."
    ]


def _title(gaps: dict[str, list[float]]) -> str:
    """The least and the largest difference by each measure."""
    if not gaps:
        return "Final test accuracy by placement of batch normalization"
    (low, high), (lowest, highest) = (
        (_points(min(each)), _points(max(each))) for each in zip(*gaps.values(), strict=True)
    )
    return (
        f"Before the activation instead of after it: {low} to {high} points with moving averages, "
        f"{lowest} to {highest} with population statistics"
    )


def _panel(name: str, gaps: dict[str, list[float]], runs: pd.DataFrame, limits: _Limits) -> Panel:
    seen = name
    if name in gaps:
        moving, population = gaps[name]
        seen = f"{name}: before minus after {_points(moving)} ({_points(population)})"
    identifier = name.lower().replace(", ", "_")
    return Panel(identifier, seen, _describe(runs), partial(_draw, runs=runs, limits=limits))


def _limits(runs: pd.DataFrame) -> _Limits:
    """The errors between which all seeds lie, with some room."""
    errors = 1 - pd.concat([runs[column] for column in MEASURES.values()]).dropna()
    return min(1.15 * errors.max(), 1.0), max(errors.min() / 1.5, _LEAST_ERROR / 1.5)


def _draw(axes: Axes, runs: pd.DataFrame, limits: _Limits) -> None:
    """Draw a row per placement and measure: seeds as marks, the median as a stroke behind."""
    axes.set_xscale("log")
    axes.set_xlim(limits)
    for height, (placement, (color, marker)) in enumerate(_PLACEMENTS.items()):
        of_placement = runs[runs["config.placement"] == placement]
        apart = 0 if placement == "none" else _APART
        _draw_seeds(axes, of_placement["judged_final"], height - apart, marker, color, "none")
        if apart:
            _draw_seeds(
                axes, of_placement["judged_population"], height + apart, marker, color, color
            )
    names = ["no BN" if name == "none" else f"BN {name}" for name in _PLACEMENTS]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(_PLACEMENTS) - 0.5, -0.5)
    ticks = [accuracy for accuracy in _TICKS if limits[1] <= 1 - accuracy <= limits[0]]
    axes.set_xticks([1 - accuracy for accuracy in ticks], [percent(tick, 0) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(
        "final test accuracy of each seed, and the median\n"
        "(open: moving averages, filled: population)"
    )


def _draw_seeds(
    axes: Axes, accuracies: pd.Series, height: float, marker: str, color: str, fill: str
) -> None:
    """The seeds a little apart in height, so that equal ones do not hide each other."""
    errors = (1 - accuracies).clip(lower=_LEAST_ERROR)
    median = max(1 - accuracies.median(), _LEAST_ERROR)
    heights = [height + _SEED_APART * (i - (len(errors) - 1) / 2) for i in range(len(errors))]
    axes.plot([median] * 2, [height - 0.16, height + 0.16], color=INK, lw=1.6, zorder=1)
    axes.plot(errors, heights, marker, color=color, mfc=fill, mew=1.0, ms=4)
    write_beside(axes, percent(accuracies.median(), 2), height, _NUMBERS_END)


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
