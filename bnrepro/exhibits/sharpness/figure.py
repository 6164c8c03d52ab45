"""Sharp and flat solutions, from what `bnrepro laboratory sharpness` has left."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, scale_of
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.sharpness.claims import (
    AT,
    BEYOND,
    FIRST,
    JUDGED,
    LARGE,
    MOVING,
    SHORT,
    SMALL,
    SOUND,
    STUDY,
    medians_beyond,
    rises,
)
from bnrepro.exhibits.sharpness.findings import findings, number_or_none, table
from bnrepro.exhibits.sharpness.lines import DECAYS, KINDS
from bnrepro.experiments.line import DASHED, DOTTED, FINE, GRAY, GREEN, INK, Line
from bnrepro.records.laboratory import LaboratoryRecord

_WAYS = {
    SOUND: Line("computed anew", INK, "-", ""),
    MOVING: Line("moving averages", GRAY, DASHED, ""),
}
# For a legend above the lines, as a share of what they take.
_ROOM = 0.4
_LEAD = (
    "A solution is called flat where the loss around it rises slowly, and flat solutions are said "
    "to generalize. To compare two of them, one of small mini-batches and one of large ones, it "
    "seems natural to walk from one to the other and on beyond them, and to see which of both "
    "valleys is wider. But the length of a step is measured by the weights here too, and the scale "
    "of weights before a batch normalization is an accident: a step that hardly turns long kernels "
    "turns short ones by a lot. Li et al. (2018) let weight decay shorten the kernels. It does so "
    "in every step, and small mini-batches make more steps: with it, they report, the wider valley "
    "becomes the narrower one.",
    "Directions in which every filter is as long as the network's own know no such scale, and "
    "along them, they say, small mini-batches have the flatter solution either way. One more "
    "thing is compared with it, though: in as many images large mini-batches do not come as far, "
    "and a loss that has not come down rises otherwise. So there is a third network, of small "
    "mini-batches, that was stopped where its training loss was that of the large ones.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """B3, from the study's tables."""
    setting = found["setting"].iloc[0]
    seeds = found["networks"]["seed"].nunique()
    return Told(
        title="Sharp and flat solutions",
        setting=(
            f"CNN at width {setting['width']:g}, {setting['train_examples']:,} {setting['data']}"
            f"{scale_of(record)}, {setting['seen']:,} images seen in mini-batches of "
            f"{setting['small_batch']} or {setting['large_batch']}, n = {seeds}"
        ),
        findings=list(findings(found)),
        drawings=[_drawing(found)],
        tables=[table(found)],
    )


def _drawing(found: Tables) -> Drawing:
    rows = [
        [
            _between_panel(letters[0], found["between"], decay),
            _line_panel(letters[1], found["lines"], decay),
            _weight_panel(letters[2], found["weights"], decay),
        ]
        for letters, decay in zip(("abc", "def"), DECAYS, strict=True)
    ]
    panels = [panel for row in rows for panel in row]
    layout = [[panel.name for panel in row] for row in rows]
    return Drawing(STUDY, _title(found), panels, layout, _caption(found), _LEAD)


def _between_panel(letter: str, between: pd.DataFrame, decay: float) -> Panel:
    beyond = medians_beyond(between)
    each = "; ".join(
        f"{line.label}: {number_or_none(beyond[FIRST, SMALL, decay, mode])} beyond small, "
        f"{number_or_none(beyond[LARGE, SMALL, decay, mode])} beyond large mini-batches"
        for mode, line in _WAYS.items()
    )
    return Panel(
        f"between_{letter}",
        f"({letter}) From small to large, {DECAYS[decay]}",
        f"Median rise of the loss at {BEYOND:g} of the way beyond a solution, {each}.",
        partial(_draw_between, rows=between[between["kind"] == SMALL], decay=decay),
    )


def _draw_between(axes: Axes, rows: pd.DataFrame, decay: float) -> None:
    """The loss over what is finite with statistics computed anew in both panels."""
    sound = rows[rows["mode"] == SOUND]
    low, high = float(sound["loss"].min()), float(sound["loss"].max())
    limits = low / 1.5, high * (high / low) ** _ROOM
    for mode, line in _WAYS.items():
        own = rows[(rows["decay"] == decay) & (rows["mode"] == mode)]
        by_share = own.groupby("share")["loss"]
        median, whole = by_share.median(), by_share.count() == own["seed"].nunique()
        if mode == SOUND:
            least, greatest = by_share.min(), by_share.max()
            axes.fill_between(median.index, least, greatest, color=line.color, alpha=0.15, lw=0)
        axes.plot(
            median.index[whole], median[whole], color=line.color, linestyle=line.style,
            label=f"loss, {line.label}",
        )  # fmt: skip
        missing = median.index[~whole]
        axes.plot(missing, np.full(len(missing), high), "x", color=line.color)
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.minorticks_off()
    axes.set_xticks(np.linspace(-0.5, 1.5, 5))
    axes.set_xlabel("a, of the way from small (0) to large (1)")
    axes.set_ylabel("loss")
    for end in (0, 1):
        axes.axvline(end, color=INK, linewidth=0.8, linestyle=FINE)
    _draw_accuracy(axes, rows[(rows["decay"] == decay) & (rows["mode"] == SOUND)])


def _draw_accuracy(axes: Axes, rows: pd.DataFrame) -> None:
    beside = axes.twinx()
    median = rows.groupby("share")["accuracy"].median()
    (drawn,) = beside.plot(
        median.index, median, color=GREEN, linestyle=DOTTED, label="accuracy, computed anew"
    )
    beside.set_ylim(0, 1.02 + _ROOM)
    beside.set_yticks(np.linspace(0, 1, 6))
    beside.set_ylabel("accuracy")
    beside.grid(visible=False)
    beside.spines["right"].set_visible(True)
    percent_axis(beside.yaxis)
    lines = [*axes.get_legend_handles_labels()[0], drawn]
    axes.legend(handles=lines, frameon=False, fontsize=7, loc="upper center")


def _line_panel(letter: str, lines: pd.DataFrame, decay: float) -> Panel:
    medians = rises(lines).groupby(level=["kind", "decay", "mode"]).median()
    each = "; ".join(
        f"{line.label} {medians[kind, decay, SOUND]:.2g}" for kind, line in KINDS.items()
    )
    return Panel(
        f"lines_{letter}",
        f"({letter}) Filter-normalized, {DECAYS[decay]}",
        f"Median rise of the loss at |a| = {AT:g}: {each}.",
        partial(_draw_lines, rows=lines[lines["mode"] == SOUND], decay=decay),
    )


def _draw_lines(axes: Axes, rows: pd.DataFrame, decay: float) -> None:
    """Of each seed the mean over directions; their median, and from the least to the greatest."""
    limits = float(rows["loss"].min()) / 1.5, float(rows["loss"].max()) * 2
    for kind, line in KINDS.items():
        own = rows[(rows["decay"] == decay) & (rows["kind"] == kind)]
        seeds = own.groupby(["length", "seed"])["loss"].mean().groupby(level="length")
        median = seeds.median()
        axes.fill_between(
            median.index, seeds.min(), seeds.max(), color=line.color, alpha=0.15, lw=0
        )
        axes.plot(
            median.index, median, color=line.color, linestyle=line.style, marker=line.marker,
            markersize=3, label=line.label,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.minorticks_off()
    axes.set_xticks(np.linspace(-1, 1, 5))
    axes.set_xlabel("step a along a direction")
    axes.set_ylabel("loss")
    axes.legend(frameon=False, fontsize=7, loc="upper center")


def _weight_panel(letter: str, weights: pd.DataFrame, decay: float) -> Panel:
    own = weights[weights["decay"] == decay]
    each = "; ".join(
        f"{line.label} {_deviation(own[own['kind'] == kind]):.2g}"
        for kind, line in KINDS.items()
        if kind != SHORT
    )
    return Panel(
        f"weights_{letter}",
        f"({letter}) Weights of all kernels, {DECAYS[decay]}",
        f"Root mean square, first seed: {each}.",
        partial(_draw_weights, rows=own),
    )


def _deviation(bins: pd.DataFrame) -> float:
    middle = (bins["low"] + bins["high"]) / 2
    return float(np.sqrt((bins["share"] * middle**2).sum()))


def _draw_weights(axes: Axes, rows: pd.DataFrame) -> None:
    for kind in (SMALL, LARGE):
        own, line = rows[rows["kind"] == kind], KINDS[kind]
        edges = [*own["low"], own["high"].iloc[-1]]
        axes.stairs(
            own["share"], edges, color=line.color, linestyle=line.style, label=line.label,
            linewidth=1.3,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xlabel("weight")
    axes.set_ylabel("share of the weights")
    axes.legend(frameon=False, fontsize=7, loc="upper left")


def _title(found: Tables) -> str:
    rise = rises(found["lines"]).groupby(level=["kind", "decay", "mode"]).median()
    beyond = medians_beyond(found["between"])
    on_the_line, normalized = (
        ", with weight decay ".join(f"{small:.2g} and {large:.2g}" for small, large in values)
        for values in (
            [tuple(beyond[end, SMALL, each, SOUND] for end in (FIRST, LARGE)) for each in DECAYS],
            [tuple(rise[kind, each, SOUND] for kind in (SMALL, LARGE)) for each in DECAYS],
        )
    )
    return (
        "How far the loss rises beyond small and large mini-batches: on the line through both "
        f"{on_the_line}; along filter-normalized directions {normalized}"
    )


def _caption(found: Tables) -> str:
    setting = found["setting"].iloc[0]
    return (
        f"Cross-entropy of {setting['examples']} training images. (a, d) On the straight line "
        "through both solutions; moving averages lie on that line as weights do, and beyond the "
        "solutions variances may fall below 0 (crosses); or statistics are computed anew at each "
        "point. (b, e) Along random directions of which every filter is as long as the network's "
        "own, the same noise for all networks of a seed; statistics computed anew. Lines: medians, "
        "band: from the lowest to the highest seed. (c, f) First seed."
    )
