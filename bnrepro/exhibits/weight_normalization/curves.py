"""Weight normalization, drawn: training losses over steps, and test errors over rates."""

from collections.abc import Callable
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bnrepro.drawing.curves import Label, label_ends, percent_axis, step_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.weight_normalization.networks import (
    BN,
    FROM_DATA,
    OPTIMIZERS,
    PLAIN,
    STUDY,
    WEIGHT,
    WITH_MEAN,
)
from bnrepro.exhibits.wording import listed, percent
from bnrepro.experiments.line import (
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GREEN,
    ORANGE,
    PURPLE,
    VERMILLION,
    Line,
)

LINES = {
    PLAIN: Line(PLAIN, VERMILLION, "-", "o"),
    BN: Line(BN, BLUE, "-", "s"),
    WEIGHT: Line(WEIGHT, PURPLE, DOTTED, "v"),
    FROM_DATA: Line(FROM_DATA, GREEN, DASHED, "^"),
    WITH_MEAN: Line(WITH_MEAN, ORANGE, DASH_DOTTED, "D"),
}
# By what factor the marks of neighbouring networks at one rate lie apart.
_APART = 1.07
_CAPTION = (
    "Above: loss on the training mini-batches since the mark before, each network at the rate of "
    "those tried at which it is least in the end; line: median over the seeds, band: least and "
    "greatest. Below: final test error with moving averages, colours as above; line: median over "
    "the seeds, marks, a little apart: seeds; crosses at the top: seeds that diverged. WN: weight "
    "normalization; from data: gains and biases fitted to the first mini-batch; mean-only BN: so "
    "fitted, and the mean of each mini-batch taken away."
)
_LEAD = (
    "Batch normalization does two things at once: it makes the length of every kernel irrelevant, "
    "and it holds what a unit sends on at mean 0 and variance 1. Take the first alone. Weight "
    "normalization (Salimans and Kingma 2016) trains length and direction of each kernel apart, "
    "w = g v / |v|, and asks nothing of the other images: no noise, no moving averages, the same "
    "network in training and in inference. How much of batch normalization is that?",
    "The other half can be had once, at the beginning: gains and biases are fitted so that each "
    "unit has mean 0 and variance 1 over the first mini-batch, and from then on are weights like "
    "all others. Or in part and always: the mean of each mini-batch is taken away, its variance is "
    "let be.",
)


def drawing(of_runs: pd.DataFrame, best: pd.DataFrame, of_courses: pd.DataFrame) -> Drawing:
    """Losses above errors, a column for each optimizer of which there are runs.

    Frames of `networks`: `ends`, `at_best_rate` and `courses` of the latter.
    """
    panels: list[list[Panel]] = [[], []]
    there = [(key, name) for key, name in OPTIMIZERS.items() if name in set(best["optimizer"])]
    for (key, optimizer), above, below in zip(there, "ab", "cd", strict=False):
        own, tried, losses = (
            rows[rows["optimizer"] == optimizer] for rows in (best, of_runs, of_courses)
        )
        rates = each(own.groupby("network")["rate"].first(), "{:g}".format)
        panels[0].append(
            Panel(
                f"losses_{key}",
                f"({above}) Training loss, {optimizer}",
                f"Rates of the least training loss with {optimizer}: {rates}.",
                partial(_draw_losses, rows=losses),
            )
        )
        panels[1].append(
            Panel(
                f"errors_{key}",
                f"({below}) Test error by rate, {optimizer}",
                f"Median test accuracy at the rates of the least training loss: {accuracies(own)}.",
                partial(_draw_errors, rows=tried),
            )
        )
    return Drawing(
        STUDY,
        _title(best),
        [panel for row in panels for panel in row],
        [[panel.name for panel in row] for row in panels],
        _CAPTION,
        _LEAD,
    )


def each(by_network: pd.Series, say: Callable[[float], str]) -> str:
    """What is said of each network, in the order of the lines."""
    there = [network for network in LINES if network in by_network.index]
    return listed(f"{say(float(by_network[network]))} ({network})" for network in there)


def accuracies(rows: pd.DataFrame) -> str:
    """Median test accuracies of one optimizer's rows, by network in words."""
    return each(rows.groupby("network")["accuracy"].median(), percent)


def _title(best: pd.DataFrame) -> str:
    """What half of batch normalization gives, beside none of it and all."""
    medians = best.groupby(["optimizer", "network"])["accuracy"].median()
    words = [
        f"{optimizer} "
        + listed(
            f"{percent(medians[optimizer, network])} {network}"
            for network in (PLAIN, FROM_DATA, BN)
            if (optimizer, network) in medians.index
        )
        for optimizer in OPTIMIZERS.values()
        if optimizer in medians.index
    ]
    return f"Test accuracy at the rate of the least training loss: {'; '.join(words)}"


def _draw_losses(axes: Axes, rows: pd.DataFrame) -> None:
    labels = []
    for network, line in LINES.items():
        own = rows[rows["network"] == network]
        if own.empty:
            continue
        by_step = own.groupby("step")["train_loss"]
        median = by_step.median()
        axes.fill_between(
            median.index, by_step.min(), by_step.max(), color=line.color, alpha=0.15, linewidth=0
        )
        axes.plot(
            median.index, median, color=line.color, linestyle=line.style, marker=line.marker,
            markersize=3,
        )  # fmt: skip
        end = float(median.index[-1]), float(median.iloc[-1])
        labels.append(Label(*end, line.label, line.text_color))
    axes.set_ylabel("training loss")
    step_axis(axes)
    label_ends(axes, labels)


def _draw_errors(axes: Axes, rows: pd.DataFrame) -> None:
    rates = sorted(rows["rate"].unique())
    for place, (network, line) in enumerate(LINES.items()):
        own = rows[rows["network"] == network].sort_values("rate", kind="stable")
        shift = _APART ** (place - len(LINES) // 2)
        medians = 1 - own.groupby("rate")["accuracy"].median()
        axes.plot(shift * medians.index, medians, color=line.color, linestyle=line.style, lw=1.2)
        kept, lost = own[~own["diverged"]], own[own["diverged"]]
        axes.plot(
            shift * kept["rate"], 1 - kept["accuracy"], line.marker, color=line.color, markersize=4
        )
        if not lost.empty:
            axes.plot(shift * lost["rate"], [1.0] * len(lost), "x", color=line.color, clip_on=False)
    axes.set_xscale("log")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(None, 1)
    percent_axis(axes.yaxis)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("test error")
