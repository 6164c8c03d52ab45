"""F3, drawn: one loss over three clocks."""

import math
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.descent_by_batch.claims import TARGET, to_target
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GRAY, GREEN, VERMILLION

_LOOKS = ((VERMILLION, DOTTED, "v"), (BLUE, "-", "s"), (GREEN, DASHED, "o"))
_CLOCKS = {
    "updates": "(a) Over updates",
    "examples": "(b) Over examples seen",
    "seconds": "(c) Over seconds of a core",
}
_CAPTION = (
    "Loss on all training images; medians over the seeds, bands from the lowest to the highest. "
    "Each size of mini-batches at its best rate of seven, which a pilot chose; each network was "
    "trained by itself. Seconds are of this processor, measured without the looking."
)
_LEAD = (
    "The gradient of the loss is a mean over all examples, and so it costs a pass over all of them "
    "to make one update. A mean over 32 of them points almost the same way and costs a small part "
    "of it; one example alone points somewhere in that direction on average. Which is best? It "
    "depends on the clock. Count updates, and the exact gradient wins. Count examples, which is "
    "what arithmetic costs, and it loses: the first few hundred examples already say which way is "
    "down, and the others are spent on digits that the first steps do not need. Count seconds, and "
    "single examples lose in turn: a processor multiplies matrices, and 32 rows cost it little "
    "more than one. That is why everybody uses mini-batches, and why there is a batch whose "
    "statistics batch normalization can take.",
)


def drawing(descents: pd.DataFrame) -> Drawing:
    """A panel a clock."""
    panels = [
        Panel(clock, title, _describe(descents, clock), partial(_draw, rows=descents, clock=clock))
        for clock, title in _CLOCKS.items()
    ]
    return Drawing(
        "descents",
        f"Examples to a loss of {TARGET:g}: {needed(descents, 'examples')}",
        panels,
        [list(_CLOCKS)],
        _CAPTION,
        _LEAD,
    )


def needed(descents: pd.DataFrame, clock: str) -> str:
    """The medians by size in words, of what it takes to the target."""
    return ", ".join(
        f"{_number(value)} ({_name(descents, size)})"
        for size, value in _medians(descents, clock).items()
    )


def _medians(descents: pd.DataFrame, clock: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for size, own in descents.groupby("batch_size"):
        each = [to_target(one, clock) for _, one in own.groupby("seed")]
        found[int(str(size))] = float(pd.Series(each).median())
    return found


def _number(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _name(descents: pd.DataFrame, size: int) -> str:
    if size == descents["batch_size"].max():
        return f"all {size:,} at once"
    return "one at a time" if size == 1 else f"mini-batches of {size}"


def _draw(axes: Axes, rows: pd.DataFrame, clock: str) -> None:
    for (color, style, marker), (size, own) in zip(_LOOKS, rows.groupby("batch_size"), strict=True):
        by_step = own[own["updates"] > 0].groupby("updates")
        at, losses = by_step[clock].median(), by_step["loss"]
        axes.fill_between(at, losses.min(), losses.max(), color=color, alpha=0.15, linewidth=0)
        axes.plot(
            at, losses.median(), color=color, linestyle=style, marker=marker, markersize=3,
            label=_name(rows, int(str(size))),
        )  # fmt: skip
    axes.axhline(TARGET, color=GRAY, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("seconds of a core" if clock == "seconds" else clock)
    axes.set_ylabel("training loss")
    if clock == "updates":
        axes.legend(frameon=False, fontsize=7, loc="lower left")


def _describe(descents: pd.DataFrame, clock: str) -> str:
    unit = "seconds of a core" if clock == "seconds" else clock
    return f"{unit.capitalize()} to a loss of {TARGET:g}: {needed(descents, clock)}."
