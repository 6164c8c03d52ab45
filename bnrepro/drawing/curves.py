"""What the panels have in common: mean curves with bands, step axes, labels beside the lines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import matplotlib.patheffects
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from bnrepro.drawing.style import SURFACE
from bnrepro.experiments.line import FINE, INK, Line

# Of the labels beside lines, in points: height of a line, width of a letter.
_LINE_POINTS, _LETTER_POINTS, _SPACE_POINTS = 10.5, 4.6, 8
# What labels on the right leave of the width of the axes.
_WIDTH_WITH_LABELS = 0.82
_DECIMALS = 3
# Farther than this from the end of its line a label is tied to it.
_TIED_POINTS = 0.6 * _LINE_POINTS
# Within so large a ratio a logarithmic axis has ticks between powers of ten.
_FEW_DECADES = 300
# Where a label may stand above or below the end of its line, in points.
_OFFSETS = [sign * 0.25 * _LINE_POINTS * steps for steps in range(17) for sign in (1, -1)]


@dataclass(frozen=True)
class Label:
    """Text beside the end of a line, at data coordinates."""

    x: float
    y: float
    text: str
    color: str


def draw_mean(
    axes: Axes, mean: pd.DataFrame, line: Line, *, phase: float = 0.0, of: str = "accuracy"
) -> Label:
    """The mean over seeds with its band; `mean` has the columns of `statistics.mean_curves`.

    `phase` (0 to 1) shifts the markers, so that neighbouring lines do not cover each other's. `of`
    begins the columns: `loss` for a frame of `statistics.mean_losses`.
    """
    steps = mean["step"]
    axes.fill_between(
        steps,
        mean[f"{of}_low"],
        mean[f"{of}_high"],
        color=line.color,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(
        steps,
        mean[f"{of}_mean"],
        color=line.color,
        linestyle=line.style,
        marker=line.marker,
        markevery=(0.12 * phase, 0.12),
        label=line.label,
    )
    return Label(steps.iloc[-1], mean[f"{of}_mean"].iloc[-1], line.label, line.text_color)


def draw_target(axes: Axes, target: float) -> None:
    """The dotted line of an accuracy to reach."""
    axes.axhline(target, color=INK, linewidth=0.7, linestyle=FINE)


def draw_diamonds(axes: Axes, reached: Sequence[tuple[float, float, Line]]) -> None:
    """Where series reach their targets: (step, target, line); several in one place are seen."""
    places = [(step, target) for step, target, _ in reached]
    for index, (step, target, line) in enumerate(reached):
        covering = places[index + 1 :].count((step, target))
        axes.plot(
            [step],
            [target],
            marker="D",
            markersize=7 + 4 * covering,
            markerfacecolor=line.color,
            markeredgecolor=INK,
            linestyle="none",
            label=f"{line.label} reaches its target",
            zorder=4,
        )


def draw_paper(axes: Axes, curve: pd.DataFrame, line: Line) -> None:
    """The paper's digitised curve: thin, without markers, in the colour of ours."""
    axes.plot(
        curve["step"],
        curve["value"],
        color=line.color,
        linestyle=line.style,
        linewidth=0.7,
        label=f"{line.label}, paper",
    )


def label_ends(axes: Axes, labels: Iterable[Label]) -> None:
    """Write the labels beside the ends of their lines, where they cover no line and no label.

    Lines that end farthest on the right have their labels there, as close to the ends as they go
    without overlapping. A label that is moved from the end of its line is tied to it by a stroke.

    Call it when the limits of the axes are set and all lines are drawn. An end beyond the limits
    has no label.
    """
    low, high = axes.get_ylim()
    inside = [label for label in labels if low <= label.y <= high]
    ends = {label: _in_points(axes, np.array([[label.x, label.y]]))[0] for label in inside}
    # From below, so that neighbours keep their order.
    ordered = sorted(inside, key=lambda label: ends[label][1])
    last = max((label.x for label in ordered), default=0.0)
    outer = [label for label in ordered if label.x == last]
    heights = _apart([ends[label][1] for label in outer])
    taken = []
    for label, height in zip(outer, heights, strict=True):
        end, own = ends[label]
        box = _Box(end + _SPACE_POINTS, height, len(label.text) * _LETTER_POINTS)
        taken.append(box)
        _write_label(axes, label, _Place(box, height - own, on_the_left=False))
    drawn = _points_of_lines(axes)
    ceiling = float(axes.bbox.height) * 72 / axes.figure.dpi
    for label in ordered:
        if label not in outer:
            place = min(_places(label, *ends[label]), key=partial(_cost, drawn, taken, ceiling))
            taken.append(place.box)
            _write_label(axes, label, place)


def _apart(heights: list[float]) -> list[float]:
    """The ascending heights nearest to the given ones that are a line of text or more apart.

    Nearest by least squares: with the lines below taken off, what does not ascend is averaged.
    """
    blocks: list[list[float]] = []
    for index, height in enumerate(heights):
        blocks.append([height - index * _LINE_POINTS])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [[*blocks[-2], *blocks[-1]]]
    levels = [float(np.mean(block)) for block in blocks for _ in block]
    return [round(level + i * _LINE_POINTS, _DECIMALS) for i, level in enumerate(levels)]


def _write_label(axes: Axes, label: Label, place: "_Place") -> None:
    tied = abs(place.offset) > _TIED_POINTS
    axes.annotate(
        label.text,
        xy=(label.x, label.y),
        xytext=((-1 if place.on_the_left else 1) * _SPACE_POINTS, place.offset),
        textcoords="offset points",
        color=label.color,
        fontsize=8,
        ha="right" if place.on_the_left else "left",
        va="center",
        annotation_clip=False,
        arrowprops=_tie(label.color, place) if tied else None,
        path_effects=[matplotlib.patheffects.withStroke(linewidth=2.5, foreground=SURFACE)],
    )


def _tie(color: str, place: "_Place") -> dict[str, Any]:
    """A stroke from the end of a line to just before its label.

    Its ends are neither shrunk nor clipped: matplotlib finds where by bisection, which ends
    elsewhere where the last bits of a position differ.
    """
    near = (1.03 if place.on_the_left else -0.03, 0.5)
    ends = {"shrinkA": 0, "shrinkB": 0, "patchA": None, "relpos": near}
    return {"arrowstyle": "-", "color": color, "linewidth": 0.6, **ends}


class _Box(NamedTuple):
    """The place of a line of text, in points from the lower left corner of the axes."""

    left: float
    middle: float
    width: float

    def overlaps(self, other: "_Box") -> bool:
        beside = self.left < other.left + other.width and other.left < self.left + self.width
        return beside and round(abs(self.middle - other.middle), _DECIMALS) < _LINE_POINTS

    def covers(self, points: np.ndarray) -> int:
        """How many of the points, (points, 2), lie behind the text."""
        beside = (points[:, 0] > self.left) & (points[:, 0] < self.left + self.width)
        return int((beside & (abs(points[:, 1] - self.middle) < 0.6 * _LINE_POINTS)).sum())


class _Place(NamedTuple):
    """A box beside the end of a line, and how far above it."""

    box: _Box
    offset: float
    on_the_left: bool


def _places(label: Label, end: float, height: float) -> list[_Place]:
    """Where the label of a line that ends at (`end`, `height`), in points, may stand."""
    width = len(label.text) * _LETTER_POINTS
    return [
        _Place(_Box(left, height + offset, width), offset, on_the_left=left < end)
        for left in (end + _SPACE_POINTS, end - _SPACE_POINTS - width)
        for offset in _OFFSETS
    ]


def _cost(drawn: np.ndarray, taken: list[_Box], ceiling: float, place: _Place) -> float:
    """How bad a place is; above and below the end of the line is better than left of it."""
    overlapped = sum(place.box.overlaps(other) for other in taken)
    beyond = not 0 <= place.box.middle <= ceiling or place.box.left < 0
    moved = 10 * place.on_the_left + abs(place.offset)
    return 100 * overlapped + 50 * beyond + 3 * place.box.covers(drawn) + moved


def _points_of_lines(axes: Axes) -> np.ndarray:
    """Places all along the lines, in points, (places, 2)."""
    lines = [np.asarray(line.get_xydata(), float) for line in axes.lines]
    dense = []
    for corners in lines:
        corners = _in_points(axes, corners)
        where, wanted = np.arange(len(corners)), np.linspace(0, len(corners) - 1, 400)
        dense.append(np.column_stack([np.interp(wanted, where, along) for along in corners.T]))
    return np.concatenate(dense)


def _in_points(axes: Axes, positions: np.ndarray) -> np.ndarray:
    """Data coordinates, (positions, 2), in points from the lower left corner of the axes.

    About: the layout is made later, when the figure is drawn. Rounded, so that lines which end at
    the same height have their labels in the same order on every processor.
    """
    pixels = axes.transData.transform(positions) - axes.bbox.min
    return np.round(pixels * (_WIDTH_WITH_LABELS, 1) * 72 / axes.figure.dpi, _DECIMALS)


def step_axis(axes: Axes, label: str = "training steps") -> None:
    """Steps along x, in thousands or millions."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: short_steps(step)))
    axes.set_xlabel(label)
    axes.margins(x=0.02)


def write_beside(axes: Axes, text: str, height: float, end: float) -> None:
    """A number on the right of the axes, which ends so many points from them; at data's height."""
    axes.annotate(
        text,
        xy=(1, height),
        xycoords=("axes fraction", "data"),
        xytext=(end, 0),
        textcoords="offset points",
        fontsize=7.5,
        ha="right",
        va="center",
        annotation_clip=False,
    )


def percent_axis(axis: Axis) -> None:
    """Fractions along an axis in whole percent."""
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def plain_ticks(axes: Axes) -> None:
    """Plain numbers on the logarithmic axis of values; call it when all is drawn."""
    low, high = axes.get_ylim()
    within_a_decade = (1, 2, 5) if high / low < _FEW_DECADES else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=within_a_decade))
    axes.yaxis.set_major_formatter(FuncFormatter(plainly))
    axes.yaxis.set_minor_locator(NullLocator())


def plainly(value: float, _: int | None = None) -> str:
    """`0.02`, `1,000`: a number along an axis, never a power of ten."""
    return f"{value:,.10g}"


def short_steps(step: float) -> str:
    """`500`, `20K`, `13.3M`."""
    for size, unit in ((1_000_000, "M"), (1_000, "K")):
        if abs(step) >= size:
            return f"{step / size:g}{unit}"
    return f"{step:g}"


def thin_and_thick(axes: Axes) -> None:
    """Say that thick lines are ours and thin ones the paper's."""
    handles = [
        Line2D([], [], color=INK, linewidth=1.6, label="ours"),
        Line2D([], [], color=INK, linewidth=0.7, label="paper"),
    ]
    axes.legend(handles=handles, loc="lower right", ncols=2, frameon=False, fontsize=8)
