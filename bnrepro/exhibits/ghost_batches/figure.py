"""Ghost batches, from what `bnrepro laboratory ghost_batches` has left."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, little_data, network_on_little_data
from bnrepro.exhibits.exhibit import Drawing, Table
from bnrepro.exhibits.ghost_batches.claims import (
    CONTROLLED,
    FIXED,
    GHOSTS,
    JUDGED,
    NOISE,
    PLAIN,
    PLAIN_FIXED,
    STUDY,
    gaps,
    whole,
)
from bnrepro.exhibits.wording import percent, points
from bnrepro.experiments.line import (
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    Line,
)
from bnrepro.records.laboratory import LaboratoryRecord

_ACCURACIES = {
    "train_accuracy": Line("training images", BLUE, "-", "s"),
    "population": Line("test images", VERMILLION, DASHED, "o"),
    "accuracy": Line("test images, moving averages", ORANGE, DOTTED, "v"),
}
_KINDS = {
    GHOSTS: Line("company drawn anew", BLUE, "-", "s"),
    FIXED: Line("company fixed", VERMILLION, DASHED, "o"),
    NOISE: Line("noise alone", GREEN, DASH_DOTTED, "^"),
    PLAIN: Line("without BN", GRAY, "", "x"),
    PLAIN_FIXED: Line("without BN, order fixed", PURPLE, "", "D"),
}
_CAPTION = (
    "everything but the statistics is the same in all "
    "networks with batch normalization. Lines: medians; marks: seeds. (a) As the network infers, "
    "with Algorithm 2's statistics; and with the moving averages of the training. (b) Training "
    "minus test accuracy, both with Algorithm 2's statistics. Company fixed: the same examples "
    "share a mini-batch, and the statistics of a part of it, in every epoch. Noise alone: "
    "statistics of whole mini-batches, times and plus the noise that those of so many normal "
    "values have."
)
_LEAD = (
    "In training with batch normalization an example does not have one image in the network: what "
    "it is turned into depends on the others of its mini-batch. The paper takes that for the "
    "reason why batch normalization regularizes. If so, it must matter how many the others are, "
    "and nothing else needs to change for that: compute the statistics over parts of the "
    "mini-batch, and the gradient over all of it.",
    "But fewer examples change two things at once, the company and the noise of the statistics. "
    "Take them apart. Keep the parts small, but let the same examples meet in every epoch: the "
    "network can then learn each in its company by heart. And the other way round, keep the "
    "statistics of the whole mini-batch and draw at random what those of a part would be off by.",
)


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """G2 and C19, from the study's tables."""
    sizes = gaps(found["sizes"])
    return Told(
        title="Ghost batches",
        setting=little_data(found["setting"], sizes),
        findings=_findings(sizes),
        drawings=[_drawing(sizes, network_on_little_data(found["setting"]))],
        tables=[_table(sizes)],
    )


def _drawing(sizes: pd.DataFrame, network: str) -> Drawing:
    panels = [
        Panel("accuracy", "(a) Accuracy", _describe(sizes), partial(_draw_accuracy, rows=sizes)),
        Panel("gap", "(b) The gap, and controls", _describe(sizes), partial(_draw_gap, rows=sizes)),
    ]
    gap = _medians(sizes, "gap")
    title = (
        f"Statistics over {CONTROLLED} examples instead of {whole(sizes)} change the gap by "
        f"{points(gap[GHOSTS, CONTROLLED] - gap[GHOSTS, whole(sizes)], 1)} points; with company "
        f"that never changes by {points(gap[FIXED, CONTROLLED] - gap[GHOSTS, whole(sizes)], 1)}"
    )
    caption = f"{network}; {_CAPTION}"
    return Drawing(STUDY, title, panels, [[panel.name for panel in panels]], caption, _LEAD)


def _medians(rows: pd.DataFrame, column: str) -> pd.Series:
    """By kind and size, sizes descending."""
    return (
        rows.groupby(["kind", "size"])[column].median().sort_index(ascending=False, kind="stable")
    )


def _findings(sizes: pd.DataFrame) -> list[str]:
    gap, test = _medians(sizes, "gap"), _medians(sizes, "population")
    moving = _medians(sizes, "accuracy")
    each = "; ".join(
        f"{size}: {percent(test[GHOSTS, size])}, {percent(moving[GHOSTS, size])}, "
        f"{100 * gap[GHOSTS, size]:.2f}"
        for size in gap[GHOSTS].index
    )
    controls = "; ".join(
        f"{line.label}, {size}: {100 * gap[kind, size]:.2f}"
        for kind, line in _KINDS.items()
        if kind != GHOSTS
        for size in gap[kind].index
    )
    return [
        "Test accuracy with Algorithm 2's statistics and with moving averages, and gap in points, "
        f"by the number of examples that statistics go over (medians): {each}.",
        f"Gap in points of the controls (medians): {controls}.",
    ]


def _table(sizes: pd.DataFrame) -> Table:
    columns = ["train_accuracy", "population", "gap", "accuracy", "train_loss", "loss"]
    medians = sizes.groupby(["kind", "size", "rate"], sort=False)[columns].median().reset_index()
    caption = (
        "Medians over the seeds. Accuracy is with moving averages, everything else with "
        "Algorithm 2's statistics."
    )
    return Table("sizes", tuple(medians.columns), medians.to_numpy().tolist(), caption)


def _draw_accuracy(axes: Axes, rows: pd.DataFrame) -> None:
    ghosts = rows[rows["kind"] == GHOSTS]
    for column, line in _ACCURACIES.items():
        _line(axes, ghosts, column, line)
    axes.set_ylabel("accuracy")
    _dress(axes, rows)


def _draw_gap(axes: Axes, rows: pd.DataFrame) -> None:
    for kind, line in _KINDS.items():
        _line(axes, rows[rows["kind"] == kind], "gap", line)
    axes.set_ylabel("gap")
    _dress(axes, rows)


def _line(axes: Axes, rows: pd.DataFrame, column: str, line: Line) -> None:
    median = rows.groupby("size")[column].median()
    axes.plot(rows["size"], rows[column], line.marker, color=line.color, markersize=2.5)
    axes.plot(
        median.index, median, color=line.color, linestyle=line.style, marker=line.marker,
        markersize=4.5, label=line.label,
    )  # fmt: skip


def _dress(axes: Axes, rows: pd.DataFrame) -> None:
    sizes = sorted(rows["size"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.invert_xaxis()
    axes.set_xlabel("examples that statistics go over")
    percent_axis(axes.yaxis)
    axes.legend(frameon=False, fontsize=7.5)


def _describe(sizes: pd.DataFrame) -> str:
    each = "; ".join(
        f"{line.label}, {size}: {percent(value)}"
        for kind, line in _KINDS.items()
        for size, value in _medians(sizes, "gap")[kind].items()
    )
    return f"Median gap: {each}."
