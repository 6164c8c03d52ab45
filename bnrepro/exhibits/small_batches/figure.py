"""Small mini-batches, from what `bnrepro laboratory small_batches` has left."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator, NullLocator

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, scale_of
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.small_batches.claims import JUDGED, LARGE, PAIRS, SHUFFLED, SMALL, STUDY
from bnrepro.exhibits.wording import percent
from bnrepro.experiments.line import (
    BLUE,
    DASHED,
    DOTTED,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    Line,
)
from bnrepro.records.laboratory import LaboratoryRecord

# What is drawn, by the network and the column of its accuracy.
_LINES = {
    ("batch", "accuracy"): Line("BN, moving averages", VERMILLION, "-", "v"),
    ("batch", "population"): Line("BN, computed anew", BLUE, DASHED, "o"),
    ("renorm", "accuracy"): Line("renorm", PURPLE, "-", "s"),
    ("group", "accuracy"): Line("group", GREEN, DASHED, "^"),
    ("layer", "accuracy"): Line("layer", ORANGE, DOTTED, "D"),
    ("none", "accuracy"): Line("none", GRAY, DOTTED, "x"),
}
_COMPARED = (("batch", "accuracy"), ("batch", "population"), ("renorm", "accuracy"))
_CAPTION = (
    "Digits of 8 x 8, the cnn at a quarter of its width, 8,000 images seen by every network, rate "
    "in proportion to the mini-batch (0.05 at 32). Lines: medians; marks: seeds, six of what "
    "is judged, else three. (b) Mini-batches of 8; in class pairs two images each of four classes; "
    "computed anew: by Algorithm 2 over mini-batches of the same kind."
)
_LEAD = (
    "A mean of two images is a poor guess of the mean of all. Batch normalization bets on its "
    "mini-batch: the noise in its statistics is noise in every value of the network, and inference "
    "normalizes by numbers that no mini-batch ever had. Whatever looks at one image at a time, as "
    "layer and group normalization do, does not notice how many others there are.",
    "Worse than few images are images of few kinds. If every mini-batch holds two images each of "
    "four classes, then its statistics say which classes these are, and a network can learn to "
    "read that. In inference it is not there to be read. Batch renormalization takes its "
    "statistics back towards the moving averages while it trains.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """D1 and D1b, from the study's tables."""
    sizes, orders = found["sizes"], found["orders"]
    return Told(
        title="Small mini-batches",
        setting=f"cnn, digits{scale_of(record)}, n = {sizes['seed'].nunique()}",
        findings=_findings(sizes, orders),
        drawings=[_drawing(sizes, orders)],
    )


def _drawing(sizes: pd.DataFrame, orders: pd.DataFrame) -> Drawing:
    panels = [
        Panel(
            "sizes",
            "(a) Images in a mini-batch",
            _describe(sizes, "batch"),
            partial(_draw_sizes, rows=sizes),
        ),
        Panel(
            "orders",
            "(b) Mini-batches that are no sample",
            _describe(orders, "order"),
            partial(_draw_orders, rows=orders),
        ),
    ]
    errors = _medians(sizes, "batch")
    batch, group = ("batch", "accuracy"), ("group", "accuracy")
    title = (
        f"From mini-batches of {LARGE} to {SMALL} the error goes from "
        f"{percent(1 - errors[batch][LARGE])} to {percent(1 - errors[batch][SMALL])} with batch "
        f"normalization, from {percent(1 - errors[group][LARGE])} to "
        f"{percent(1 - errors[group][SMALL])} with group normalization"
    )
    return Drawing(STUDY, title, panels, [["sizes", "orders"]], _CAPTION, _LEAD)


def _medians(rows: pd.DataFrame, over: str) -> dict[tuple[str, str], pd.Series]:
    """The median accuracy of each line, by what it is drawn over."""
    return {
        (network, column): rows[rows["network"] == network].groupby(over)[column].median()
        for network, column in _LINES
        if network in set(rows["network"])
    }


def _findings(sizes: pd.DataFrame, orders: pd.DataFrame) -> list[str]:
    by_size, by_order = _medians(sizes, "batch"), _medians(orders, "order")
    each = "; ".join(
        f"{line.label} "
        + ", ".join(f"{size}: {percent(1 - value)}" for size, value in by_size[key].items())
        for key, line in _LINES.items()
    )
    pairs = "; ".join(
        f"{_LINES[key].label} {percent(by_order[key][SHUFFLED])} and "
        f"{percent(by_order[key][PAIRS])}"
        for key in _COMPARED
    )
    return [
        f"Test error by images in a mini-batch (medians): {each}.",
        "Test accuracy after shuffled mini-batches and after ones of two images each of four "
        f"classes (medians): {pairs}.",
    ]


def _draw_sizes(axes: Axes, rows: pd.DataFrame) -> None:
    for (network, column), line in _LINES.items():
        own = rows[rows["network"] == network]
        median = 1 - own.groupby("batch")[column].median()
        axes.plot(own["batch"], 1 - own[column], line.marker, color=line.color, markersize=3)
        axes.plot(
            median.index, median, color=line.color, linestyle=line.style, marker=line.marker,
            markersize=3, label=line.label,
        )  # fmt: skip
    sizes = sorted(rows["batch"].unique())
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.xaxis.set_minor_locator(NullLocator())
    # As in Wu and He's figure 1: smaller to the right.
    axes.invert_xaxis()
    axes.set_xlabel("images in a mini-batch")
    axes.set_ylabel("test error")
    axes.set_ylim(0, None)
    percent_axis(axes.yaxis)
    axes.legend(frameon=False, fontsize=7.5, loc="upper left")


def _draw_orders(axes: Axes, rows: pd.DataFrame) -> None:
    for place, (network, column) in enumerate(_COMPARED):
        line = _LINES[network, column]
        wide = rows[rows["network"] == network].pivot_table(column, index="seed", columns="order")
        for _, pair in wide.iterrows():
            axes.plot(
                [place - 0.15, place + 0.15], [pair[SHUFFLED], pair[PAIRS]], color=line.color,
                marker=line.marker, markersize=3.5, linewidth=0.8,
            )  # fmt: skip
    names = [_LINES[key].label.replace(", ", ",\n") for key in _COMPARED]
    axes.set_xticks(range(len(_COMPARED)), names)
    axes.set_xlabel("left: shuffled; right: class pairs", color=INK)
    axes.yaxis.set_major_locator(MultipleLocator(0.01))
    axes.set_ylabel("test accuracy")
    percent_axis(axes.yaxis)


def _describe(rows: pd.DataFrame, over: str) -> str:
    each = "; ".join(
        f"{_LINES[key].label}, {place}: {percent(value)}"
        for key, medians in _medians(rows, over).items()
        for place, value in medians.items()
    )
    return f"Median test accuracy: {each}."
