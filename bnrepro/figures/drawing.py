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

from bnrepro.figures.style import INK, SURFACE, Line

# Height of the axes of a panel; of a line of text and width of a letter as shares of the axes.
_AXES_POINTS = 175
_LINE_HEIGHT = 0.062
_LETTER_WIDTH = 0.018
# Where a label may stand above or below the end of its line.
_OFFSETS = [sign * 0.25 * _LINE_HEIGHT * steps for steps in range(17) for sign in (1, -1)]


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

    Call it when the limits of the axes are set and all lines are drawn.
    """
    drawn = _points_of_lines(axes)
    taken: list[_Box] = []
    for label in labels:
        end, height = _share(axes, np.array([[label.x, label.y]]))[0]
        width = len(label.text) * _LETTER_WIDTH
        right = [(offset, _Box(end, height + offset, width)) for offset in _OFFSETS]
        left = [(offset, _Box(end - width, height + offset, width)) for offset in _OFFSETS]
        offset, box = min(right + left, key=partial(_cost, end, drawn, taken))
        taken.append(box)
        on_the_right = box.left == end
        axes.annotate(
            label.text,
            xy=(label.x, label.y),
            xytext=(6 if on_the_right else -6, offset * _AXES_POINTS),
            textcoords="offset points",
            color=label.color,
            fontsize=8,
            ha="left" if on_the_right else "right",
            va="center",
            annotation_clip=False,
            path_effects=[matplotlib.patheffects.withStroke(linewidth=2.5, foreground=SURFACE)],
        )


class _Box(NamedTuple):
    """Where a line of text stands, in shares of the axes."""

    left: float
    middle: float
    width: float

    def overlaps(self, other: "_Box") -> bool:
        beside = self.left < other.left + other.width and other.left < self.left + self.width
        return beside and abs(self.middle - other.middle) < _LINE_HEIGHT

    def covers(self, points: np.ndarray) -> int:
        """How many of the points, (points, 2), lie behind the text."""
        beside = (points[:, 0] > self.left) & (points[:, 0] < self.left + self.width)
        return int((beside & (abs(points[:, 1] - self.middle) < 0.6 * _LINE_HEIGHT)).sum())


def _cost(end: float, drawn: np.ndarray, taken: list[_Box], candidate: tuple[float, _Box]) -> float:
    """How bad a place is; above and below the end of the line is better than left of it."""
    offset, box = candidate
    overlapped = sum(box.overlaps(other) for other in taken)
    beyond = not 0.0 <= box.middle <= 1.02
    on_the_left = box.left < end
    return 100 * overlapped + 50 * beyond + box.covers(drawn) + 150 * abs(offset) + 10 * on_the_left


def _points_of_lines(axes: Axes) -> np.ndarray:
    """Points all along the lines, as shares of the axes, (points, 2)."""
    lines = [np.asarray(line.get_xydata(), float) for line in axes.lines]
    dense = []
    for corners in lines:
        corners = _share(axes, corners)
        where, wanted = np.arange(len(corners)), np.linspace(0, len(corners) - 1, 400)
        dense.append(np.column_stack([np.interp(wanted, where, along) for along in corners.T]))
    return np.concatenate(dense)


def _share(axes: Axes, points: np.ndarray) -> np.ndarray:
    """Data coordinates, (points, 2), as shares of the width and height of the axes."""
    return axes.transAxes.inverted().transform(axes.transData.transform(points))


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
