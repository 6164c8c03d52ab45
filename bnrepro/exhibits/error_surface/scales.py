"""E1, drawn and told: features of unequal scale, features with a mean, and mini-batches."""

from collections.abc import Mapping
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
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

# Batch normalization lies on standardization: its marks are open and larger.
LINES = {
    "raw": Line("raw", VERMILLION, "-", "o"),
    "divided by its deviation": Line("divided by its deviation", ORANGE, DASHED, "v"),
    "batch normalization": Line("batch normalization of raw", BLUE, "-", "s"),
    "standardized": Line("standardized", GREEN, DASHED, "^"),
    "whitened": Line("whitened", PURPLE, DOTTED, "D"),
}
_CAPTION = (
    "Steps of gradient descent, at its best rate and from the worst start, until the distance from "
    "the minimum is a thousandth. A mark is one seed (a sample of 1,000 examples); marks of six "
    "seeds mostly lie on each other. A line is the closed form for the population. (a, b) Batch "
    "normalization (gamma 1, beta 0, all examples as one mini-batch) of the raw features. (c) Root "
    "of the mean squared difference, over 4,096 normal features."
)
_LEAD = (
    "Take the smallest network there is: one linear unit, y = w x + b, trained by least squares. "
    "Its loss is a bowl, and how steep the bowl is in each direction says the Hessian, H = 1/N [X "
    "1]^T [X 1]: the second moments of the inputs, nothing else. Gradient descent with rate eta "
    "multiplies the error along an eigenvector of H by 1 - eta lambda. The steepest direction sets "
    "the rate (beyond 2 / lambda_max it diverges), and the flattest then decides how long training "
    "takes: with the best rate every step leaves (kappa - 1) / (kappa + 1) of the error, where "
    "kappa = lambda_max / lambda_min.",
    "So measure one of two lengths in metres and the other in centimetres. The bowl becomes 100 "
    "times as long as it is wide, kappa = 10,000, for no reason that has to do with the task. A "
    "mean does the same: a feature that is always positive looks to the unit like a second bias, "
    "and the two pull against each other. Dividing by the deviation mends the first and not the "
    "second; standardization mends both. And batch normalization put on the raw inputs is "
    "standardization: it does inside the network, at every layer, what careful people do to their "
    "data once. In mini-batches it does so up to the noise of a mini-batch's mean and deviation.",
)


def drawing(found: dict[str, pd.DataFrame]) -> Drawing:
    """Steps over scale and over mean, and what mini-batches add; `found` are the study's tables."""
    scales, means, batches = found["scales"], found["means"], found["mini_batches"]
    panels = [
        Panel(
            "scales",
            "(a) Deviations 1 and s: kappa = s² if raw",
            describe_steps(scales, "deviation of the second feature"),
            partial(draw_steps, rows=scales, label="deviation s of the second feature"),
        ),
        Panel(
            "means",
            "(b) Deviations 1, means of squared length q",
            describe_steps(means, "squared length of the means"),
            partial(draw_steps, rows=means, label="squared length q of the means"),
        ),
        Panel(
            "mini_batches",
            "(c) Batch normalization minus standardization",
            _describe_batches(batches),
            partial(_draw_batches, rows=batches),
        ),
    ]
    raw, normalized = _steps_at(scales, 100)
    title = (
        f"Deviations 1 and 100: {raw:,.0f} steps on raw features, {normalized:,.0f} with batch "
        "normalization of the inputs"
    )
    layout = [[panel.name for panel in panels]]
    return Drawing("scales", title, panels, layout, _CAPTION, _LEAD)


def findings(found: dict[str, pd.DataFrame]) -> list[str]:
    """What came out, in a sentence for scale and one for means."""
    scales, means = found["scales"], found["means"]
    raw, normalized = _steps_at(scales, 100)
    raw_law = scales[scales["setting"] == 100]["law_steps"].max()
    steps = means[means["setting"] == 5].groupby("normalization")["counted_steps"].median()
    return [
        f"With features of deviations 1 and 100 gradient descent takes {raw:,.0f} steps (closed "
        f"form {raw_law:,}), with batch normalization of the same features {normalized:,.0f} "
        f"(medians over {scales['seed'].nunique()} samples).",
        f"With deviations of 1 and means of squared length 5 it takes {steps['raw']:,.0f} steps, "
        f"divided by the deviation {steps['divided by its deviation']:,.0f}, with batch "
        f"normalization {steps['batch normalization']:,.0f}.",
    ]


def _steps_at(rows: pd.DataFrame, setting: float) -> tuple[float, float]:
    """Median counted steps on raw features, and with batch normalization."""
    steps = rows[rows["setting"] == setting].groupby("normalization")["counted_steps"].median()
    return float(steps["raw"]), float(steps["batch normalization"])


def draw_steps(
    axes: Axes,
    rows: pd.DataFrame,
    label: str,
    lines: Mapping[str, Line] = LINES,
    top: float = 3e5,
) -> None:
    """A line per normalization by the law, a mark per seed as counted; `label` says what varies."""
    settings = sorted(rows["setting"].unique())
    # Equal distances: a squared mean of 0 has no logarithm.
    places = {setting: place for place, setting in enumerate(settings)}
    for name, line in lines.items():
        own = rows[rows["normalization"] == name]
        law = own.groupby("setting")["law_steps"].first()
        axes.plot(range(len(law)), law, color=line.color, linestyle=line.style, linewidth=1)
        is_open = name == "batch normalization"
        axes.plot(
            own["setting"].map(places),
            own["counted_steps"],
            line.marker,
            color=line.color,
            markerfacecolor="none" if is_open else line.color,
            markersize=7 if is_open else 3.5,
            label=line.label,
        )
    axes.set_yscale("log")
    axes.set_ylim(0.7, top)
    axes.set_xticks(range(len(settings)), [f"{setting:g}" for setting in settings])
    axes.set_xlabel(label)
    axes.set_ylabel("steps")
    axes.legend(frameon=False, fontsize=7.5, loc="upper left")


def _draw_batches(axes: Axes, rows: pd.DataFrame) -> None:
    line = LINES["batch normalization"]
    law = rows.groupby("batch_size")["law"].first()
    axes.plot(law.index, law, color=INK, linewidth=1, label="closed form, about (3/2m)^½")
    axes.plot(
        rows["batch_size"], rows["difference"], line.marker, color=line.color,
        markerfacecolor="none", label="measured"
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = list(law.index)
    axes.xaxis.set_major_locator(FixedLocator(sizes[::2]))
    axes.set_xticklabels([str(size) for size in sizes[::2]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("examples m in a mini-batch")
    axes.set_ylabel("difference (features have deviation 1)")
    axes.legend(frameon=False, fontsize=7.5, loc="lower left")


def describe_steps(rows: pd.DataFrame, varied: str) -> str:
    """The numbers of `draw_steps` in words."""
    medians = rows.groupby(["normalization", "setting"], sort=False)["counted_steps"].median()
    each = "; ".join(
        f"{row['normalization']}, {row['setting']:g}: {row['counted_steps']:,.0f}"
        for row in medians.reset_index().to_dict("records")
    )
    return f"Median steps by normalization and {varied}: {each}."


def _describe_batches(rows: pd.DataFrame) -> str:
    medians = rows.groupby("batch_size")["difference"].median()
    each = "; ".join(f"{size}: {difference:.3f}" for size, difference in medians.items())
    return f"Median difference by examples in a mini-batch: {each}."
