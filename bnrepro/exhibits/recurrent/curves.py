"""Normalization in a recurrent network, drawn: training loss and test error over steps."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bnrepro.drawing.curves import percent_axis, plain_ticks
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.recurrent.claims import losses
from bnrepro.exhibits.wording import listed, percent
from bnrepro.experiments.line import BLUE, GRAY, GREEN, VERMILLION, Line

LINES = {
    "none": Line("no normalization", GRAY, (0, (1, 1.3)), "x"),
    "input": Line("BN, input connections", BLUE, "-", "s"),
    "both": Line("BN, both", VERMILLION, (0, (5, 2)), "v"),
    "layer": Line("layer normalization, both", GREEN, (0, (6, 1.5, 1, 1.5)), "^"),
}
# Where an axis of errors has numbers.
_ERRORS = (0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1)
_CAPTION = (
    "Medians over the seeds, bands from the lowest to the highest. (a) Means over 20 mini-batches "
    "as the network trains on them; judged are means over five of these. (b) Inference with moving "
    "averages, on 2,000 test images; a mark to the right is a seed at the end, on all of them, "
    "filled with moving averages and open with Algorithm 2's statistics. Each network at the best "
    "of four rates, which other seeds chose on held-out training images."
)
_LEAD = (
    "A recurrent network is a deep one: the state goes through the same weights once for every row "
    "of the image. What batch normalization does for depth it should do here. But there is "
    "something to decide that a feedforward network does not ask: over what are the statistics? "
    "Those of the inputs can go over all rows of all images, for the weights that see them are the "
    "same. The states are not alike from step to step: the first rows of a digit are empty, and "
    "there every image has the same state.",
    "The lecture calls it not promising yet, and means what Laurent et al. found in 2015: on the "
    "input connections it trains faster without generalizing better, on the recurrent ones it does "
    "not help. A year later Cooijmans et al. made it work there, with statistics of each step and "
    "a gamma that begins at 0.1, since with 1 the gates begin saturated. Layer normalization has "
    "nothing to decide: it looks at one state at a time, in training as in inference.",
)


def drawing(courses: pd.DataFrame, ends: pd.DataFrame) -> Drawing:
    """Training losses, and test errors."""
    panels = [
        Panel(
            "losses", "(a) Training loss", _describe_losses(courses), partial(_draw_losses, courses)
        ),
        Panel(
            "errors",
            "(b) Test error",
            f"Median test accuracy at the end: {accuracies(ends)}.",
            partial(_draw_errors, courses, ends),
        ),
    ]
    title = f"Training loss at the end: {_last_losses(courses)}"
    return Drawing("recurrent", title, panels, [["losses", "errors"]], _CAPTION, _LEAD)


def accuracies(ends: pd.DataFrame) -> str:
    """The medians on all test images, by network in words."""
    medians = ends.groupby("network")["accuracy"].median()
    return listed(f"{percent(medians[name], 2)} ({line.label})" for name, line in LINES.items())


def courses_of(courses: pd.DataFrame, network: str) -> pd.DataFrame:
    """The training losses of one network by step, a column per seed."""
    own = courses[courses["network"] == network]
    return pd.DataFrame({seed: losses(one) for seed, one in own.groupby("seed")})


def _last_losses(courses: pd.DataFrame) -> str:
    return listed(
        f"{courses_of(courses, name).iloc[-1].median():.2g} ({line.label})"
        for name, line in LINES.items()
    )


def _describe_losses(courses: pd.DataFrame) -> str:
    return f"Median training loss at the end: {_last_losses(courses)}."


def _draw_losses(courses: pd.DataFrame, axes: Axes) -> None:
    for name, line in LINES.items():
        known = courses[courses["network"] == name].dropna(subset="train_loss")
        _draw(axes, known.pivot_table("train_loss", index="step", columns="seed"), line)
    axes.set_yscale("log")
    plain_ticks(axes)
    axes.set_xlabel("training steps")
    axes.set_ylabel("training loss")
    axes.legend(frameon=False, fontsize=7, loc="upper right")


def _draw_errors(courses: pd.DataFrame, ends: pd.DataFrame, axes: Axes) -> None:
    seen = courses.dropna(subset="accuracy")
    seen = seen[seen["step"] > 0]
    last = seen["step"].max()
    for place, (name, line) in enumerate(LINES.items()):
        own = seen[seen["network"] == name].pivot_table("accuracy", index="step", columns="seed")
        _draw(axes, 1 - own, line)
        reached = ends[ends["network"] == name]
        for column, shift, filled in (("accuracy", 0, line.color), ("population", 0.02, "none")):
            axes.plot(
                [last * (1.04 + 0.055 * place + shift)] * len(reached), 1 - reached[column],
                line.marker, color=line.color, markersize=3.5, markerfacecolor=filled,
                markeredgewidth=0.8,
            )  # fmt: skip
    axes.set_yscale("log")
    axes.set_yticks(_ERRORS)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(None, 1)
    # Beyond the last step stand the marks.
    axes.set_xticks([step for step in axes.get_xticks() if 0 <= step <= last])
    axes.set_xlabel("training steps")
    axes.set_ylabel("test error")
    percent_axis(axes.yaxis)


def _draw(axes: Axes, by_seed: pd.DataFrame, line: Line) -> None:
    steps, median = by_seed.index.to_numpy(), by_seed.median(axis=1)
    low, high = by_seed.min(axis=1), by_seed.max(axis=1)
    axes.fill_between(steps, low, high, color=line.color, alpha=0.15, linewidth=0)
    axes.plot(
        steps, median, color=line.color, linestyle=line.style, marker=line.marker, markersize=3,
        markevery=0.12, label=line.label,
    )  # fmt: skip
