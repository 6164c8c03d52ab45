"""The figures of the experiments, drawn from the tables that these have written."""

from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from bnrepro.drawing.curves import Label, label_ends, percent_axis, step_axis
from bnrepro.drawing.style import Panel, build, write
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GREEN, INK, ORANGE, VERMILLION, Line

_NAIVE = (
    Line("mean outside the gradient", VERMILLION, DASHED, "o"),
    Line("mean and variance outside", ORANGE, DOTTED, "^"),
    Line("batch normalization", BLUE, "-", "s"),
)
_JACOBIAN = (
    Line("BN linear", BLUE, "-", "s"),
    Line("BN ReLU", VERMILLION, "-", "o"),
    Line("BN linear orthogonal", GREEN, DASHED, "D"),
    Line("no BN linear", ORANGE, DOTTED, "^"),
    Line("no BN ReLU", INK, DOTTED, "v"),
)

# Columns of the tables, as the axes call them.
_COURSES = {"bias": "|b|", "loss": "loss", "weights": "|W|"}
_OF_DEPTH = {
    "largest": "largest singular value",
    "condition": "largest over smallest that is not 0",
}
# What is drawn for a claim, by the name of its files.
NAMES = {"C1": "naive_normalization", "C4": "jacobian"}
_NO_BAND = "A line is one network from one set of initial weights: there is no band."
_NAIVE_CAPTION = (
    "Normalization outside the gradient step (section 2). |b| and |W|: Euclidean lengths of the "
    f"hidden layer's bias and weights. {_NO_BAND}"
)
_JACOBIAN_CAPTION = (
    "Jacobians between normalized layers at initialization, statistics frozen (section 3.3); "
    "shaded: 1/2 to 2. (a) Shares of the singular values of single layers in bins of a tenth of a "
    "power of ten; the marks on the left are the zeros: a unit that ReLU switches off lets nothing "
    "through. (b, c) Of the product of the first layers' Jacobians, from one layer to all of them; "
    f"the condition number is the largest over the smallest that is not 0. {_NO_BAND}"
)
_NAIVE_SIZE = (3.2, 3.0)  # of one panel, in inches
# Left of the logarithmic axis: where the zeros are drawn, and by what factor networks are apart.
_ZEROS_AT, _ZEROS_APART = 2.5e-4, 1.35
_DECADES = (0.001, 0.01, 0.1, 1, 10)


def draw(claim: str, folder: Path) -> list[Path]:
    """Draw what there is to draw for a claim, as PNG and SVG in `folder`."""
    if claim not in NAMES:
        return []
    figure = _naive_normalization(folder) if claim == "C1" else _jacobian(folder)
    return write(figure, folder / NAMES[claim])


def _naive_normalization(folder: Path) -> Figure:
    """Section 2: the bias grows, the loss stands still."""
    rows = pd.read_csv(folder / "naive_normalization.csv")
    panels = [
        Panel(
            column,
            f"({letter}) {name[0].upper()}{name[1:]} at the end: {_ends(rows, column)}",
            _describe(rows, column),
            partial(_draw_course, rows, column, name),
        )
        for letter, (column, name) in zip("abc", _COURSES.items(), strict=True)
    ]
    outside = rows[rows["network"] == _NAIVE[0].label]
    middle, end = (outside.iloc[position] for position in (len(outside) // 2, -1))
    title = (
        "With the mean outside the gradient, the second half of training takes |b| from "
        f"{middle['bias']:.1f} to {end['bias']:.1f} and the loss from {middle['loss']:.2f} to "
        f"{end['loss']:.2f}"
    )
    return build(panels, [list(_COURSES)], title, _NAIVE_CAPTION, _NAIVE_SIZE)


def _jacobian(folder: Path) -> Figure:
    """Section 3.3: singular values of layer Jacobians, and what becomes of them with depth."""
    bars = pd.read_csv(folder / "jacobian_histogram.csv")
    depths = pd.read_csv(folder / "jacobian_depth.csv")
    bars, depths = (frame[frame["statistics"] == "frozen"] for frame in (bars, depths))
    deepest = depths["depth"].max()
    panels = [
        Panel(
            "histogram",
            f"(a) One layer: {_zeros(bars)}",
            "Share of singular values against their size; marks on the left are the zeros.",
            partial(_draw_histogram, bars),
        ),
        Panel(
            "largest",
            f"(b) Largest of {deepest} layers together: {_largest(depths)}",
            "The largest singular value of the Jacobian over the first layers together.",
            partial(_draw_depth, depths, "largest"),
        ),
        Panel(
            "condition",
            f"(c) Condition number of {deepest} layers: {_conditions(depths)}",
            "The largest over the smallest singular value that is not 0.",
            partial(_draw_depth, depths, "condition"),
        ),
    ]
    layout = [["histogram", "histogram"], ["largest", "condition"]]
    title = f"Singular values between 1/2 and 2, one layer at initialization: {_near_one(bars)}"
    return build(panels, layout, title, _JACOBIAN_CAPTION)


def _ends(rows: pd.DataFrame, column: str) -> str:
    """Without and with batch normalization."""
    ends = rows.groupby("network")[column].last()
    return f"{ends[_NAIVE[0].label]:.3g}, with BN {ends[_NAIVE[-1].label]:.3g}"


def _near_one(bars: pd.DataFrame) -> str:
    """What share of the singular values of each normalized network lies between 1/2 and 2."""
    near = bars[bars["log10_low"].round(1).between(-0.3, 0.2)]
    shares = near.groupby("network")["share"].sum()
    normalized = [
        line.label for line in _JACOBIAN if line.label in shares and "no BN" not in line.label
    ]
    return ", ".join(f"{label} {100 * shares[label]:.0f} %" for label in normalized)


def _zeros(bars: pd.DataFrame) -> str:
    """Which networks have singular values of 0, and what share."""
    smallest = bars[bars["log10_low"] == bars["log10_low"].min()].set_index("network")["share"]
    said = [f"{label} {100 * share:.0f} %" for label, share in smallest.items() if share > 0]
    return f"singular values of 0: {', '.join(said) or 'none'}"


def _largest(depths: pd.DataFrame) -> str:
    """Which network has the largest singular value over all layers."""
    row = depths.loc[depths[depths["depth"] == depths["depth"].max()]["largest"].idxmax()]
    return f"{row['network']} {row['largest']:.0f}"


def _conditions(depths: pd.DataFrame) -> str:
    """The range of the condition numbers over all layers, without last digits."""
    numbers = depths[depths["depth"] == depths["depth"].max()]["condition"]
    return f"{numbers.min():.0f} to {numbers.max():.0e}"


def _draw_course(rows: pd.DataFrame, column: str, name: str, axes: Axes) -> None:
    for line in _NAIVE:
        course = rows[rows["network"] == line.label]
        _plot(axes, course["step"], course[column], line)
    # Room for the legend above the lines.
    axes.set_ylim(0, 1.35 * axes.get_ylim()[1])
    axes.set_ylabel(name)
    step_axis(axes)
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _draw_histogram(bars: pd.DataFrame, axes: Axes) -> None:
    axes.axvspan(0.5, 2, color=INK, alpha=0.08, linewidth=0)
    with_zeros = 0
    for line in _JACOBIAN:
        of_network = bars[bars["network"] == line.label]
        zeros, others = of_network.iloc[0], of_network.iloc[1:]
        middles = 10 ** ((others["log10_low"] + others["log10_high"]) / 2)
        _plot(axes, middles, others["share"], line)
        if zeros["share"] > 0:
            at = _ZEROS_AT * _ZEROS_APART**with_zeros
            with_zeros += 1
            axes.vlines(at, 0, zeros["share"], color=line.color, linestyle=line.style)
            axes.plot([at], [zeros["share"]], line.marker, color=line.color, markersize=5)
    axes.set_xscale("log")
    middle = _ZEROS_AT * _ZEROS_APART ** ((with_zeros - 1) / 2)
    axes.set_xticks([middle, *_DECADES], ["0", *map("{:g}".format, _DECADES)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    percent_axis(axes.yaxis)
    axes.set_xlabel("singular value of one layer's Jacobian")
    axes.set_ylabel("share of the singular values")
    axes.legend(frameon=False, fontsize=8.5, loc="upper center")


def _draw_depth(depths: pd.DataFrame, column: str, axes: Axes) -> None:
    ends = []
    for line in _JACOBIAN:
        course = depths[depths["network"] == line.label]
        _plot(axes, course["depth"], course[column], line)
        last = course.iloc[-1]
        ends.append(Label(last["depth"], last[column], line.label, line.text_color))
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("number of layers together, from the first on")
    axes.set_ylabel(_OF_DEPTH[column])
    label_ends(axes, ends)


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
