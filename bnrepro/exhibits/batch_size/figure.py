"""Networks with and without batch normalization, in mini-batches of 1 to 128 (`batch_size`)."""

from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, PercentFormatter

from bnrepro import statistics
from bnrepro.drawing.curves import Label, label_ends
from bnrepro.drawing.style import LINES, Line, Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, rows_of
from bnrepro.exhibits.paired import PAIRED_COLUMNS, paired_caption, paired_row
from bnrepro.exhibits.selection import Selection, select
from bnrepro.exhibits.wording import percent, points, setting

_NETWORKS = {"without BN": LINES["figure_1_plain"], "with BN": LINES["figure_1_bn"]}
_QUANTITIES = ("accuracy", "train_accuracy", "gap")
_CAPTION = (
    "Lines are medians over the seeds, bands their order-statistic intervals. Differences on the "
    "same seed are in the tables."
)
_COMPARED = {
    "final test accuracy": "accuracy",
    "gap between training and test accuracy": "gap",
}
_PAIRED = ("measure", "batch_size", *PAIRED_COLUMNS)


def exhibit(results_dir: str) -> Exhibit:
    """Accuracy and the gap between training and test, from the records of the study `batch_size`.

    Raises:
        ConfigError: if none of the runs is there.
        RecordError: if a record or a curve cannot be read.
    """
    chosen = select("batch_size", results_dir)
    runs = _measured(chosen)
    frame, paired = _medians(runs), _paired(runs)
    titles = {"accuracy": "Final test accuracy", "gap": "Training minus test accuracy"}
    panels = [
        Panel(name, title, _describe(frame, name), partial(_draw, frame=frame, quantity=name))
        for name, title in titles.items()
    ]
    caption = (
        "Medians over seeds with order-statistic intervals, which hold the median as often as "
        "coverage_percent says; a run that diverged counts as chance. "
        "Training accuracy is over the mini-batches since the last evaluation, as trained on. A "
        "mini-batch of 1 with batch normalization is refused: its variance is 0."
    )
    return Exhibit(
        name="batch_size",
        title="Batch size",
        setting=setting(chosen.runs),
        findings=_findings(paired),
        commands=[chosen.command, "bnrepro figure batch_size"],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[Drawing("batch_size", panels, [[panel.name for panel in panels]], _CAPTION)],
        tables=[Table("table", list(frame.columns), rows_of(frame), caption), paired],
        series=[],
        runs=chosen.runs,
    )


def _measured(chosen: Selection) -> pd.DataFrame:
    """The runs with their network, as `label`, and what is compared of them."""
    runs = chosen.runs.assign(
        label=(chosen.runs["config.placement"] == "none").map(
            {True: "without BN", False: "with BN"}
        ),
        batch_size=chosen.runs["config.batch_size"].astype(int),
        accuracy=chosen.runs["judged_final"],
        train_accuracy=_train_accuracy(chosen),
    )
    return runs.assign(gap=runs["train_accuracy"] - runs["accuracy"])


def _medians(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per network and batch size."""
    rows = []
    for (network, size), of_row in runs.groupby(["label", "batch_size"], sort=True):
        row: dict[str, Any] = {
            "network": network,
            "batch_size": size,
            "n": len(of_row),
            "coverage_percent": statistics.coverage_of_median(len(of_row)),
        }
        for quantity in _QUANTITIES:
            median, low, high = statistics.median_with_interval(of_row[quantity])
            row |= {quantity: median, f"{quantity}_low": low, f"{quantity}_high": high}
        rows.append({**row, "diverged": int((of_row["status"] == "diverged").sum())})
    return pd.DataFrame(rows)


def _paired(runs: pd.DataFrame) -> Table:
    rows = [
        [measure, size, *row]
        for measure, column in _COMPARED.items()
        for size, of_size in runs.groupby("batch_size", sort=True)
        if (row := paired_row(of_size, "with BN", "without BN", column))
    ]
    caption = f"Differences on the same seed: {paired_caption(rows)}"
    return Table("paired", _PAIRED, rows, caption)


def _findings(paired: Table) -> list[str]:
    changes: dict[str, list[str]] = {}
    for row in (dict(zip(_PAIRED, row, strict=True)) for row in paired.rows):
        change = f"{points(row['gap'], 2)} at {row['batch_size']}"
        changes.setdefault(row["measure"], []).append(change)
    return [
        f"Batch normalization changes the {measure} by, in points and examples in a mini-batch: "
        f"{', '.join(each)} (medians of the differences on the same seed)."
        for measure, each in changes.items()
    ]


def _train_accuracy(chosen: Selection) -> pd.Series:
    """The training accuracy in the last row of each run's curve; chance where it diverged."""
    last = chosen.curves.sort_values("step").groupby(["name", "seed"])["train_accuracy"].last()
    keys = pd.MultiIndex.from_frame(chosen.runs[["name", "seed"]])
    values = pd.Series(last.reindex(keys).to_numpy(), index=chosen.runs.index)
    return values.mask(chosen.runs["status"] == "diverged", 1 / chosen.num_classes)


def _draw(axes: Axes, frame: pd.DataFrame, quantity: str) -> None:
    ends = []
    for network, line in _NETWORKS.items():
        rows = frame[frame["network"] == network]
        if not rows.empty:
            ends.append(_draw_network(axes, rows, line, quantity))
    sizes = sorted(frame["batch_size"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=1, symbol=" %"))
    axes.set_xlabel("examples in a mini-batch")
    label_ends(axes, ends)


def _draw_network(axes: Axes, rows: pd.DataFrame, line: Line, quantity: str) -> Label:
    sizes, values = rows["batch_size"], rows[quantity]
    low, high = rows[f"{quantity}_low"].fillna(values), rows[f"{quantity}_high"].fillna(values)
    axes.fill_between(sizes, low, high, color=line.color, alpha=0.18, linewidth=0)
    axes.plot(
        sizes, values, color=line.color, linestyle=line.style, marker=line.marker, label=line.label
    )
    return Label(sizes.iloc[-1], values.iloc[-1], line.label, line.text_color)


def _describe(frame: pd.DataFrame, quantity: str) -> str:
    each = "; ".join(
        f"{row['network']}, {row['batch_size']}: {percent(row[quantity], 2)}"
        for row in frame.to_dict("records")
    )
    return f"Median over seeds by network and examples in a mini-batch: {each}."
