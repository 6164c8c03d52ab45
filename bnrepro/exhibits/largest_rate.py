"""A2's behavioural counterpart: up to which rate the VGG network trains (study `largest_rate`)."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, command_at, name_at, rows_of
from bnrepro.exhibits.selection import Selection, select
from bnrepro.exhibits.smoothness.networks import BN, LINES, PLAIN
from bnrepro.exhibits.wording import setting
from bnrepro.experiments.line import DOTTED

_STUDY = "largest_rate"
# In multiples of chance: a training accuracy above it counts as trained.
_TRAINED = 2
_CAPTION = (
    "Training accuracy over the last mini-batches before the end; line: median over the seeds, "
    "marks: seeds; crosses at the bottom: seeds that diverged. Dotted: twice the accuracy of "
    "chance, above which a network counts as one that trains."
)
_LEAD = (
    "A smooth surface is one on which a large step still goes where the slope said. So leave all "
    "measures of smoothness aside and ask the training itself: up to which rate does the network "
    "learn anything? This does not move with the scale of the weights by any choice of units.",
)


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """Training accuracy over the rate, from the records of the study `largest_rate`.

    Raises:
        ConfigError: if none of the runs is there.
        RecordError: if a record or a curve cannot be read.
    """
    chosen = select(_STUDY, results_dir, () if scale is None else (f"scale={scale}",))
    rows, bound = _ends(chosen), _TRAINED / chosen.num_classes
    return Exhibit(
        name=name_at(_STUDY, scale),
        title="The largest rate",
        setting=setting(chosen.runs),
        findings=[f"{_largest(rows, bound)} (by the median over the seeds)."],
        commands=[chosen.command, command_at(_STUDY, scale)],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[_drawing(rows, bound)],
        tables=[Table("ends", list(rows.columns), rows_of(rows), "The end of every training.")],
        series=[],
        runs=chosen.runs,
    )


def _ends(chosen: Selection) -> pd.DataFrame:
    """A row a run: its training accuracy over the mini-batches since the evaluation before."""
    keys = ["name", "seed"]
    last = chosen.curves.sort_values("step", kind="stable").groupby(keys, as_index=False).last()
    runs = chosen.runs.merge(last[[*keys, "train_accuracy"]], on=keys)
    has_diverged = runs["status"] == "diverged"
    ends = pd.DataFrame(
        {
            "network": runs["config.placement"].map({"none": PLAIN}).fillna(BN),
            "rate": runs["config.learning_rate"],
            "seed": runs["seed"],
            "accuracy": runs["train_accuracy"].mask(has_diverged, 1 / chosen.num_classes),
            "diverged": has_diverged,
        }
    )
    return ends.sort_values(["network", "rate", "seed"], ignore_index=True)


def _largest(rows: pd.DataFrame, bound: float) -> str:
    medians = rows.groupby(["network", "rate"])["accuracy"].median()
    trained = medians[medians > bound].reset_index().groupby("network")["rate"].max()
    each = [
        f"{trained[network]:g} {network}" if network in trained else f"none {network}"
        for network in (PLAIN, BN)
    ]
    return f"The largest rate of those tried at which the network trains is {' and '.join(each)}"


def _drawing(rows: pd.DataFrame, bound: float) -> Drawing:
    panel = Panel("rates", "Training accuracy", _largest(rows, bound),
                  partial(_draw, rows=rows, bound=bound))  # fmt: skip
    return Drawing("rates", _largest(rows, bound), [panel], [["rates"]], _CAPTION, _LEAD)


def _draw(axes: Axes, rows: pd.DataFrame, bound: float) -> None:
    for network in (PLAIN, BN):
        own, line = rows[rows["network"] == network], LINES[network]
        medians = own.groupby("rate")["accuracy"].median()
        axes.plot(medians.index, medians, color=line.color, linestyle=line.style, label=network)
        kept, lost = own[~own["diverged"]], own[own["diverged"]]
        axes.plot(kept["rate"], kept["accuracy"], line.marker, color=line.color, markersize=4)
        if not lost.empty:
            axes.plot(lost["rate"], [0.0] * len(lost), "x", color=line.color, clip_on=False)
    axes.axhline(bound, color="gray", linestyle=DOTTED, linewidth=1)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.05 * max(bound, rows["accuracy"].max()))
    percent_axis(axes.yaxis)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training accuracy")
    axes.legend(frameon=False, fontsize=8, loc="best")
