"""Moving averages over a training, from what `bnrepro laboratory moving_averages` has left."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from bnrepro.drawing.curves import Label, label_ends, percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, made_on
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.moving_averages.claims import (
    BEGINNING,
    CONSTANT,
    JUDGED,
    MOMENTUM,
    STUDY,
    deficits,
)
from bnrepro.exhibits.wording import percent, points
from bnrepro.experiments.line import (
    BLUE,
    DASHED,
    DOTTED,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    Line,
)
from bnrepro.records.laboratory import LaboratoryRecord

_ACCURACIES = {
    "train_accuracy": Line("in training", ORANGE, DOTTED, "D"),
    "moving": Line("moving averages", VERMILLION, "-", "v"),
    "recomputed": Line("computed anew", BLUE, DASHED, "o"),
}
_MOMENTA = {
    0.5: Line("0.5", GREEN, DOTTED, "^"),
    0.9: Line("0.9", BLUE, DASHED, "o"),
    0.99: Line("0.99", VERMILLION, "-", "v"),
    0.999: Line("0.999", PURPLE, "-", "s"),
}
_CAPTION = (
    "Accuracy on all test images at a constant rate. Lines: medians over the seeds; band (a): from "
    "the lowest to the highest seed. In training: in mini-batches, since the evaluation before. "
    "Computed anew: Algorithm 2 over 50 mini-batches of 60. (b) Six seeds at 0.99, three at the "
    "others. (c) Momentum 0.99; statistics of training images in mini-batches of 60."
)
_LEAD = (
    '"My validation accuracy is at chance and my training accuracy is fine." It is the question '
    "that everybody asks who watches the first steps of a network with batch normalization, and "
    "nothing is wrong. In training, a layer normalizes by its mini-batch. In inference it uses "
    "moving averages, which begin at mean 0 and variance 1, and with momentum a still hold a "
    "share a^t of these after t steps: at 0.99 more than a third after 100. Meanwhile the weights "
    "move fastest of all. Take the same weights, run some training images through the network and "
    "average their statistics, as Algorithm 2 of the paper says, and the network is as good as "
    "its training said.",
    "Once the averages have forgotten where they began they stay some 1 / (1 - a) steps behind; "
    "how much that costs hangs on how fast the weights move. Where the rate decays to 0 they stop "
    "moving, and both say the same.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """D2, from the study's tables."""
    return Told(
        title="Moving averages",
        setting=f"mlp of sigmoids, mini-batches of 60, {made_on(record, found['accuracies'])}",
        findings=_findings(deficits(found["accuracies"]), found["counts"]),
        drawings=[_drawing(deficits(found["accuracies"]), found["counts"])],
    )


def _drawing(rows: pd.DataFrame, counts: pd.DataFrame) -> Drawing:
    constant = rows[rows["schedule"] == CONSTANT]
    panels = [
        Panel(
            "accuracy",
            f"(a) Momentum {MOMENTUM}",
            _describe(constant),
            partial(_draw_accuracy, rows=constant[constant["momentum"] == MOMENTUM]),
        ),
        Panel(
            "deficit",
            "(b) Moving averages are behind by",
            _describe(constant),
            partial(_draw_deficit, rows=constant),
        ),
        Panel(
            "counts",
            "(c) How many images are enough",
            _describe_counts(counts),
            partial(_draw_counts, counts=counts),
        ),
    ]
    title = (
        f"Over the first fifth of the steps moving averages of momentum {MOMENTUM} are behind by "
        f"{100 * _beginning(constant)[MOMENTUM]:.1f} points, and 1,000 images would mend it"
    )
    return Drawing(STUDY, title, panels, [[panel.name for panel in panels]], _CAPTION, _LEAD)


def _beginning(constant: pd.DataFrame) -> pd.Series:
    """The deficit over the first fifth of the steps by momentum: a median over seeds of medians."""
    first = constant[constant["step"] <= BEGINNING * constant["step"].max()]
    of_seeds = first.groupby(["momentum", "seed"])["deficit"].median()
    return of_seeds.groupby("momentum").median()


def _findings(rows: pd.DataFrame, counts: pd.DataFrame) -> list[str]:
    constant = rows[rows["schedule"] == CONSTANT]
    behind = ", ".join(
        f"{momentum:g}: {points(round(value, 3) + 0.0, 1)}"
        for momentum, value in _beginning(constant).items()
    )
    last = rows[(rows["step"] == rows["step"].max()) & (rows["momentum"] == MOMENTUM)]
    ends = last.groupby("schedule")["deficit"].median()
    medians = counts.groupby(["step", "images"])["accuracy"].median().unstack("images")
    each = "; ".join(
        f"after {step:,} steps "
        + ", ".join(f"{count:,}: {percent(value)}" for count, value in row.items())
        for step, row in medians.iterrows()
    )
    return [
        "Points of test accuracy by which statistics computed anew are better over the first fifth "
        f"of the steps, by the momentum of the moving averages (medians): {behind}.",
        f"After the last step the difference at momentum {MOMENTUM} is "
        f"{points(ends[CONSTANT], 2)} points at a constant rate and "
        f"{points(ends.drop(CONSTANT).iloc[0], 2)} where the rate has decayed to 0.",
        f"Test accuracy by the number of images of which the statistics are (medians): {each}.",
    ]


def _draw_accuracy(axes: Axes, rows: pd.DataFrame) -> None:
    ends = []
    for column, line in _ACCURACIES.items():
        of_step = rows.groupby("step")[column]
        median = of_step.median()
        axes.fill_between(
            median.index, of_step.min(), of_step.max(), color=line.color, alpha=0.18, linewidth=0
        )
        _draw_line(axes, median, line)
        ends.append(Label(median.index[-1], median.iloc[-1], line.label, line.text_color))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("steps")
    axes.set_ylabel("accuracy")
    percent_axis(axes.yaxis)
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def _draw_deficit(axes: Axes, rows: pd.DataFrame) -> None:
    for momentum, line in _MOMENTA.items():
        median = rows[rows["momentum"] == momentum].groupby("step")["deficit"].median()
        _draw_line(axes, 100 * median, line)
    axes.axhline(0, color=INK, linewidth=0.7)
    axes.set_xlabel("steps")
    axes.set_ylabel("points of test accuracy")
    axes.legend(frameon=False, fontsize=8, loc=(0.3, 0.15), title="momentum", title_fontsize=8)


def _draw_counts(axes: Axes, counts: pd.DataFrame) -> None:
    ends = []
    for (step, own), line in zip(counts.groupby("step"), _MOMENTA.values(), strict=False):
        median = own.groupby("images")["accuracy"].median()
        axes.plot(own["images"], own["accuracy"], line.marker, color=line.color, markersize=3)
        axes.plot(median.index, median, color=line.color, linestyle=line.style)
        label = f"step {step:,}"
        ends.append(Label(median.index[-1], median.iloc[-1], label, line.text_color))
    sizes = sorted(counts["images"].unique())
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sizes))
    axes.set_xticklabels([f"{size:,}" for size in sizes], fontsize=8)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("images of which the statistics are")
    axes.set_ylabel("test accuracy")
    percent_axis(axes.yaxis)
    label_ends(axes, ends)


def _draw_line(axes: Axes, median: pd.Series, line: Line) -> None:
    axes.plot(
        median.index, median, color=line.color, linestyle=line.style, marker=line.marker,
        markersize=3.5, label=line.label,
    )  # fmt: skip


def _describe(rows: pd.DataFrame) -> str:
    medians = rows.groupby(["momentum", "step"])[["moving", "recomputed"]].median().reset_index()
    each = "; ".join(
        f"{row['momentum']:g}, {row['step']:,.0f}: {percent(row['moving'])} and "
        f"{percent(row['recomputed'])}"
        for row in medians.to_dict("records")
    )
    return (
        "Median accuracy with moving averages and with statistics computed anew, by momentum and "
        f"step: {each}."
    )


def _describe_counts(counts: pd.DataFrame) -> str:
    medians = counts.groupby(["step", "images"])["accuracy"].median().reset_index()
    each = "; ".join(
        f"{row['step']:,.0f}, {row['images']:,.0f}: {percent(row['accuracy'])}"
        for row in medians.to_dict("records")
    )
    return f"Median accuracy by step and number of images: {each}."
