"""What the panels have in common: mean curves with bands, step axes, labels beside the lines."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import matplotlib.patheffects
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from bnrepro.drawing.style import INK, SURFACE, Line

# Of the labels beside lines, in points: height of a line, width of a letter.
_LINE_POINTS, _LETTER_POINTS, _SPACE_POINTS = 10.5, 4.6, 6
# What labels on the right leave of the width of the axes.
_WIDTH_WITH_LABELS = 0.82
_DECIMALS = 3
# Where a label may stand above or below the end of its line, in points.
_OFFSETS = [sign * 0.25 * _LINE_POINTS * steps for steps in range(17) for sign in (1, -1)]


@dataclass(frozen=True)
class Label:
    """Text beside the end of a line, at data coordinates."""

    x: float
    y: float
    text: str
    color: str


def draw_mean(axes: Axes, mean: pd.DataFrame, line: Line, *, phase: float = 0.0) -> Label:
    """The mean over seeds with its band; `mean` has the columns of `statistics.mean_curves`.

    `phase` (0 to 1) shifts the markers, so that neighbouring lines do not cover each other's.
    """
    steps = mean["step"]
    axes.fill_between(
        steps,
        mean["accuracy_low"],
        mean["accuracy_high"],
        color=line.color,
        alpha=0.18,
        linewidth=0,
    )
    axes.plot(
        steps,
        mean["accuracy_mean"],
        color=line.color,
        linestyle=line.style,
        marker=line.marker,
        markevery=(0.12 * phase, 0.12),
        label=line.label,
    )
    return Label(steps.iloc[-1], mean["accuracy_mean"].iloc[-1], line.label, line.text_color)


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

    Call it when the limits of the axes are set and all lines are drawn. An end beyond the limits
    has no label.
    """
    low, high = axes.get_ylim()
    drawn = _points_of_lines(axes)
    taken: list[_Box] = []
    ceiling = float(axes.bbox.height) * 72 / axes.figure.dpi
    ends = [
        (_in_points(axes, np.array([[label.x, label.y]]))[0], label)
        for label in labels
        if low <= label.y <= high
    ]
    # From below, so that neighbours keep their order.
    for (end, height), label in sorted(ends, key=lambda pair: pair[0][1]):
        width = len(label.text) * _LETTER_POINTS
        places = [
            _Place(_Box(left, height + offset, width), offset, on_the_left=left < end)
            for left in (end + _SPACE_POINTS, end - _SPACE_POINTS - width)
            for offset in _OFFSETS
        ]
        place = min(places, key=partial(_cost, drawn, taken, ceiling))
        taken.append(place.box)
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
            path_effects=[matplotlib.patheffects.withStroke(linewidth=2.5, foreground=SURFACE)],
        )


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


def _cost(drawn: np.ndarray, taken: list[_Box], ceiling: float, place: _Place) -> float:
    """How bad a place is; above and below the end of the line is better than left of it."""
    overlapped = sum(place.box.overlaps(other) for other in taken)
    beyond = not 0 <= place.box.middle <= ceiling
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
