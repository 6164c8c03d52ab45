"""Networks with and without batch normalization, in mini-batches of 1 to 128 (`batch_size`)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from bnrepro import statistics
from bnrepro.drawing.curves import Label, label_ends, percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, rows_of
from bnrepro.exhibits.paired import PAIRED_COLUMNS, paired_caption, paired_row
from bnrepro.exhibits.selection import Selection, select
from bnrepro.exhibits.wording import listed, percent, points, setting
from bnrepro.experiments import EXPERIMENTS
from bnrepro.experiments.line import INK, Line

_NETWORKS = {"without BN": EXPERIMENTS["figure_1_plain"], "with BN": EXPERIMENTS["figure_1_bn"]}
_MINUS = "\N{MINUS SIGN}"
_QUANTITIES = ("accuracy", "train_accuracy", "gap")
_CAPTION = (
    "Line: median over the seeds; band: its order-statistic interval. Differences on the same seed "
    "are in the tables. With batch normalization there is no point at 1: one example has no "
    "variance to divide by, so such a run is refused."
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
    panels = [
        Panel(
            "accuracy",
            f"(a) {_at_smallest(frame, 'accuracy', percent)}",
            _describe(frame, "accuracy"),
            partial(_draw_accuracy, frame=frame),
        ),
        Panel(
            "gap",
            f"(b) {_at_smallest(frame, 'gap', partial(points, digits=1))}",
            _describe(frame, "gap"),
            partial(_draw_gap, frame=frame),
        ),
    ]
    layout = [[panel.name for panel in panels]]
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
        drawings=[Drawing("batch_size", _title(paired), panels, layout, _CAPTION)],
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


def _title(paired: Table) -> str:
    """In mini-batches of which sizes batch normalization gains test accuracy, and in which not."""
    of_accuracy = [
        row
        for row in (dict(zip(_PAIRED, row, strict=True)) for row in paired.rows)
        if _COMPARED[row["measure"]] == "accuracy"
    ]
    gains = [f"{row['batch_size']}" for row in of_accuracy if row["gap"] > 0]
    losses = [f"{row['batch_size']}" for row in of_accuracy if row["gap"] < 0]
    said = []
    if gains:
        said.append(f"gains test accuracy with mini-batches of {listed(gains)}")
    if losses:
        said.append(f"loses it with {listed(losses)}" if gains else "loses test accuracy")
    return f"Batch normalization {', '.join(said)}" if said else "Accuracy over the batch size"


def _at_smallest(frame: pd.DataFrame, quantity: str, in_words: Callable[[float], str]) -> str:
    """The medians at the smallest size that every network was trained with."""
    sizes = frame.groupby("batch_size").size()
    size = sizes[sizes == sizes.max()].index.min()
    of_size = frame[frame["batch_size"] == size].to_dict("records")
    each = (f"{in_words(row[quantity])} {row['network']}" for row in of_size)
    return f"Mini-batches of {size}: {', '.join(each)}"


def _train_accuracy(chosen: Selection) -> pd.Series:
    """The training accuracy in the last row of each run's curve; chance where it diverged."""
    ordered = chosen.curves.sort_values("step", kind="stable")
    last = ordered.groupby(["name", "seed"])["train_accuracy"].last()
    keys = pd.MultiIndex.from_frame(chosen.runs[["name", "seed"]])
    values = pd.Series(last.reindex(keys).to_numpy(), index=chosen.runs.index)
    return values.mask(chosen.runs["status"] == "diverged", 1 / chosen.num_classes)


def _draw_accuracy(axes: Axes, frame: pd.DataFrame) -> None:
    _draw(axes, frame, "accuracy")
    axes.set_ylabel("final test accuracy, median")
    percent_axis(axes.yaxis)


def _draw_gap(axes: Axes, frame: pd.DataFrame) -> None:
    _draw(axes, frame, "gap")
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.set_ylabel("training minus test accuracy, points")
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda gap, _: f"{100 * gap:g}".replace("-", _MINUS))
    )


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
    axes.set_xlabel("examples in a mini-batch")
    if 1 in sizes and 1 not in set(frame["batch_size"][frame["network"] == "with BN"]):
        _say_why_none(axes)
    label_ends(axes, ends)


def _say_why_none(axes: Axes) -> None:
    line = _NETWORKS["with BN"]
    axes.annotate(
        "no BN at 1:\nno variance",
        xy=(1, 0.5),
        xycoords=("data", "axes fraction"),
        fontsize=8,
        color=line.text_color,
    )


def _draw_network(axes: Axes, rows: pd.DataFrame, line: Line, quantity: str) -> Label:
    sizes, values = rows["batch_size"], rows[quantity]
    # A single seed has no interval, and its column no number.
    low, high = (rows[f"{quantity}_{end}"].astype(float).fillna(values) for end in ("low", "high"))
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
