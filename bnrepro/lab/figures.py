"""The figures of the experiments, drawn from the tables that these have written."""

from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bnrepro.drawing.curves import step_axis
from bnrepro.drawing.style import BLUE, GREEN, INK, ORANGE, VERMILLION, Line, Panel, build, write

_DASHED, _DOTTED = (0, (5, 2)), (0, (1, 1.3))
_NAIVE = (
    Line("mean outside the gradient", VERMILLION, _DASHED, "o"),
    Line("mean and variance outside", ORANGE, _DOTTED, "^"),
    Line("batch normalization", BLUE, "-", "s"),
)
_JACOBIAN = (
    Line("BN linear", BLUE, "-", "s"),
    Line("BN ReLU", VERMILLION, "-", "o"),
    Line("BN linear orthogonal", GREEN, _DASHED, "D"),
    Line("no BN linear", ORANGE, _DOTTED, "^"),
    Line("no BN ReLU", INK, _DOTTED, "v"),
)

_CAPTION = "A line is one network from one set of initial weights: there is no band."


def draw(claim: str, folder: Path) -> list[Path]:
    """Draw what there is to draw for a claim, as PNG and SVG in `folder`."""
    if claim == "C1":
        return draw_naive_normalization(folder)
    if claim == "C4":
        return draw_jacobian(folder)
    return []


def draw_naive_normalization(folder: Path) -> list[Path]:
    """Section 2: the bias grows, the loss stands still."""
    rows = pd.read_csv(folder / "naive_normalization.csv")
    titles = {"bias": "Length of b", "loss": "Loss", "weights": "Length of W"}
    panels = [
        Panel(column, title, _describe(rows, column), partial(_draw_course, rows, column))
        for column, title in titles.items()
    ]
    title = "Normalization outside the gradient step (section 2)"
    figure = build(panels, [list(titles)], title, _CAPTION)
    return write(figure, folder / "naive_normalization")


def draw_jacobian(folder: Path) -> list[Path]:
    """Section 3.3: singular values of layer Jacobians, and what becomes of them with depth."""
    bars = pd.read_csv(folder / "jacobian_histogram.csv")
    depths = pd.read_csv(folder / "jacobian_depth.csv")
    bars, depths = (frame[frame["statistics"] == "frozen"] for frame in (bars, depths))
    panels = [
        Panel(
            "histogram",
            "Singular values of single layers",
            "Share of singular values against their size; the leftmost bin holds the zeros.",
            partial(_draw_histogram, bars),
        ),
        Panel(
            "largest",
            "Largest, of several layers together",
            "The largest singular value of the Jacobian over the first layers together.",
            partial(_draw_depth, depths, "largest"),
        ),
        Panel(
            "condition",
            "Condition number of the same, zeros left out",
            "The largest over the smallest singular value that is not 0.",
            partial(_draw_depth, depths, "condition"),
        ),
    ]
    layout = [[panel.name for panel in panels]]
    title = "Jacobians at initialization, statistics frozen (section 3.3)"
    figure = build(panels, layout, title, _CAPTION)
    return write(figure, folder / "jacobian")


def _draw_course(rows: pd.DataFrame, column: str, axes: Axes) -> None:
    for line in _NAIVE:
        course = rows[rows["network"] == line.label]
        _plot(axes, course["step"], course[column], line)
    axes.set_ylim(bottom=0)
    step_axis(axes)
    axes.legend(frameon=False, fontsize=8)


def _draw_histogram(bars: pd.DataFrame, axes: Axes) -> None:
    for line in _JACOBIAN:
        of_network = bars[bars["network"] == line.label]
        middles = 10 ** ((of_network["log10_low"] + of_network["log10_high"]) / 2)
        _plot(axes, middles, of_network["share"], line)
    axes.axvspan(0.5, 2, color=INK, alpha=0.08, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlabel("singular value (shaded: 1/2 to 2)")
    axes.set_ylabel("share")
    axes.legend(frameon=False, fontsize=7.5, loc="center left")


def _draw_depth(depths: pd.DataFrame, column: str, axes: Axes) -> None:
    for line in _JACOBIAN:
        course = depths[depths["network"] == line.label]
        _plot(axes, course["depth"], course[column], line)
    axes.set_yscale("log")
    # Room for the legend above the lines.
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.35)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("layers")
    axes.legend(frameon=False, fontsize=7.5, loc="upper left", ncols=2)


def _plot(axes: Axes, x: pd.Series, y: pd.Series, line: Line) -> None:
    axes.plot(
        x,
        y,
        color=line.color,
        linestyle=line.style,
        marker=line.marker,
        markevery=0.12,
        markersize=3.5,
        label=line.label,
    )


def _describe(rows: pd.DataFrame, column: str) -> str:
    ends = rows.groupby("network", sort=False).tail(1)
    each = "; ".join(f"{end['network']}: {end[column]:.3g}" for end in ends.to_dict("records"))
    return f"{column} against training steps; at the end {each}."
