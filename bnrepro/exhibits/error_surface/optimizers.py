"""E3, drawn and told: optimizers along the axes and turned, and noise in the gradient."""

import math
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.experiments.line import BLUE, DASHED, GREEN, INK, VERMILLION, Line, Style

_OPTIMIZERS = {
    "gradient descent": Line("gradient descent", VERMILLION, "-", "o"),
    "Adam": Line("Adam", BLUE, "-", "s"),
    "RMSprop": Line("RMSprop", GREEN, "-", "^"),
}
# How the lines of both are drawn.
_TURNS: dict[str, Style] = {"aligned": "-", "rotated": DASHED}
_DEVIATIONS = (10, 30, 100)
_CAPTION = (
    "(a) Each optimizer at its best rate on each surface, without noise; steps until the distance "
    "is a thousandth and stays so; medians over the seeds. Filled marks and solid lines: features "
    "along the axes; open marks and dashed lines: the same features turned by 45 degrees; no mark "
    "where most seeds do not arrive within 20,000 steps. (b) One weight, curvature 2, noise of "
    "deviation 1 in the gradient; marks: mean over 40,000 replicas, all seeds; lines: the law."
)
_LEAD = (
    "Could one leave the features alone and take a better optimizer? Adam and RMSprop divide every "
    "coordinate of the gradient by its own size, which is what different scales call for. Along "
    "the axes Adam does not care whether the deviations are 1 and 10 or 1 and 100. But turn the "
    "features by 45 degrees, so that both have the same scale and are correlated, and each "
    "coordinate sees the same mixture of steep and flat: what they divide by says nothing, and in "
    "a valley that is too long for momentum alone the steps grow again. Gradient descent, which "
    "knows no axes, does not notice the turn. Like batch normalization, these optimizers look at "
    "one coordinate at a time.",
    "And all of this was without noise. With it, no constant rate arrives: what a step adds "
    "balances what it takes away at eta s^2 / (h (2 - eta h)). A rate of 1 / (h t) makes the "
    "weights the mean of all that was seen, and the error falls as 1 / t. This is why a large rate "
    "is good at first and must end.",
)


def drawing(found: dict[str, pd.DataFrame]) -> Drawing:
    """Steps by optimizer and turn, and errors under noise; `found` are the study's tables."""
    rows, noise = found["optimizers"], found["noise"]
    panels = [
        Panel(
            "optimizers",
            "(a) Along the axes, and turned by 45 degrees",
            _describe(rows),
            partial(_draw_optimizers, rows=rows),
        ),
        Panel(
            "noise",
            "(b) Noise in the gradient: constant rate and 1/t",
            _describe_noise(noise),
            partial(_draw_noise, noise=noise),
        ),
    ]
    title = f"Adam with deviations 1 and 100: {_adam(rows, 100)}"
    return Drawing("optimizers", title, panels, [["optimizers", "noise"]], _CAPTION, _LEAD)


def findings(found: dict[str, pd.DataFrame]) -> list[str]:
    """What came out, in a sentence each for Adam, RMSprop and noise."""
    rows = found["optimizers"]
    rmsprop, descent = (_steps(rows, name, "aligned") for name in ("RMSprop", "gradient descent"))
    noise = found["noise"]
    errors = _last_errors(noise)
    constant = ", ".join(f"{errors[rate]:.2g} at {rate:g}" for rate in _rates(noise) if rate)
    return [
        f"Adam takes {_adam(rows, 100)} with deviations 1 and 100, {_adam(rows, 10)} with 1 and "
        "10.",
        f"RMSprop along the axes takes {rmsprop[10]:,.0f} steps with deviations 1 and 10, gradient "
        f"descent {descent[10]:,.0f}; with 1 and 100 it is {rmsprop[100]:,.0f} against "
        f"{descent[100]:,.0f}.",
        f"After {noise['step'].max():,} steps with noise the mean squared error is {constant} "
        f"(constant rates) and {errors[0]:.2g} with a rate that decays as 1/t.",
    ]


def _steps(rows: pd.DataFrame, optimizer: str, turn: str) -> pd.Series:
    """The median steps by deviation; nan where most seeds do not arrive."""
    own = rows[(rows["optimizer"] == optimizer) & (rows["turn"] == turn)]
    medians = own["steps"].fillna(math.inf).groupby(own["deviation"]).median()
    return medians.replace(math.inf, math.nan)


def _adam(rows: pd.DataFrame, deviation: float) -> str:
    aligned, rotated = (_steps(rows, "Adam", turn)[deviation] for turn in _TURNS)
    return f"{aligned:,.0f} steps along the axes and {rotated:,.0f} turned by 45 degrees"


def _draw_optimizers(axes: Axes, rows: pd.DataFrame) -> None:
    for name, line in _OPTIMIZERS.items():
        for turn, style in _TURNS.items():
            steps = _steps(rows, name, turn)
            is_open = turn == "rotated"
            axes.plot(
                steps.index,
                steps,
                color=line.color,
                linestyle=style,
                marker=line.marker,
                markersize=8 if is_open else 4.5,
                markerfacecolor="none" if is_open else line.color,
                label=None if is_open else line.label,
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(50, 1e6)
    axes.set_xticks([10, 30, 100], ["10", "30", "100"])
    axes.minorticks_off()
    axes.set_xlabel("deviation of the second feature (that of the first is 1)")
    axes.set_ylabel("steps, at the best rate")
    axes.legend(frameon=False, fontsize=7.5, loc="upper left")


def _draw_noise(axes: Axes, noise: pd.DataFrame) -> None:
    for rate, color in zip(_rates(noise), (INK, BLUE, VERMILLION), strict=True):
        own = noise[noise["rate"].fillna(0) == rate]
        label = f"constant, {rate:g}" if rate else "1 / (h t)"
        law = own.groupby("step")["law"].first()
        axes.plot(law.index, law, color=color, linewidth=1, label=label)
        axes.plot(own["step"], own["squared_error"], "o", color=color, markersize=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("steps")
    axes.set_ylabel("mean squared error of the weight")
    axes.legend(frameon=False, fontsize=7.5, loc="lower left")


def _describe(rows: pd.DataFrame) -> str:
    each = "; ".join(
        f"{name}, {turn}, {deviation:g}: {steps:,.0f}"
        for name in _OPTIMIZERS
        for turn in _TURNS
        for deviation, steps in zip(_DEVIATIONS, _steps(rows, name, turn), strict=True)
        if not math.isnan(steps)
    )
    return f"Median steps by optimizer, turn and deviation: {each}."


def _describe_noise(noise: pd.DataFrame) -> str:
    errors = _last_errors(noise)
    each = "; ".join(
        f"{f'constant {rate:g}' if rate else '1/t'}: {errors[rate]:.3g}" for rate in _rates(noise)
    )
    return f"Mean squared error after the last step, by rate: {each}."


def _rates(noise: pd.DataFrame) -> list[float]:
    """The constant rates, and 0 for the one that decays."""
    return sorted(set(noise["rate"].fillna(0)))


def _last_errors(noise: pd.DataFrame) -> pd.Series:
    """The median squared error after the last step, by `_rates`."""
    last = noise[noise["step"] == noise["step"].max()]
    return last["squared_error"].groupby(last["rate"].fillna(0)).median()
