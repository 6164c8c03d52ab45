"""The drawings of the page: how the networks train, and what a step costs."""

import math
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from bnrepro.drawing.curves import percent_axis, step_axis
from bnrepro.drawing.style import Panel
from bnrepro.experiments.line import (
    BLUE,
    BROWN,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GRAY,
    GREEN,
    INK,
    OLIVE,
    ORANGE,
    PURPLE,
    VERMILLION,
    WINE,
    Line,
)
from bnrepro.lab.comparison.plan import Candidate
from bnrepro.lab.comparison.summary import TARGET, Comparison, Spread, listed

_KNOWN = {
    "batch": Line("batch", BLUE, "-", "s"),
    "batch_renorm": Line("batch renorm", WINE, DASH_DOTTED, "P"),
    "noisy_batch": Line("noisy batch", INK, DOTTED, "*"),
    "mean_only": Line("mean only", GREEN, "-", "h"),
    "l1_norm": Line("l1 norm", VERMILLION, DASHED, "<"),
    "l2_norm": Line("l2 norm", BROWN, DOTTED, ">"),
    "linf_norm": Line("linf norm", OLIVE, DASH_DOTTED, "d"),
    "layer": Line("layer", GREEN, DASHED, "D"),
    "group": Line("group", ORANGE, DOTTED, "^"),
    "instance": Line("instance", PURPLE, DASH_DOTTED, "v"),
    "noisy_statistics": Line("noisy statistics", WINE, DOTTED, "H"),
    "noise": Line("noise", GRAY, DASHED, "X"),
    "none": Line("none", GRAY, DOTTED, "x"),
}
# Of somebody's own, in the order in which they are named.
_OWN = ((VERMILLION, "o"), (INK, "*"), (BROWN, "h"), (OLIVE, "p"))

ROW_TITLES = {
    "bn_baseline": "Baseline",
    "bn_x5": "x5",
    "bn_x30": "x30",
    "bn_x5_sigmoid": "x5, sigmoid",
}
MEASURES = {
    "rate": ("Learning rate", "learning rate"),
    "initial scale": ("Initial weights", "standard deviation of the initial weights"),
    "batch size": ("Batch size", "examples in a mini-batch"),
    "depth": ("Depth", "hidden layers"),
}
_LOGARITHMIC_IN_TWOS = ("batch size", "depth")


def lines(candidates: tuple[Candidate, ...]) -> dict[Candidate, Line]:
    """How each normalization is drawn; the project's own look alike on every page."""
    own = iter(_OWN * len(candidates))
    chosen = {}
    for candidate in candidates:
        if candidate.word in _KNOWN:
            chosen[candidate] = _KNOWN[candidate.word]
        else:
            color, marker = next(own)
            chosen[candidate] = Line(candidate.label, color, "-", marker)
    return chosen


def of_rows(comparison: Comparison) -> list[Panel]:
    """Accuracy over steps, a panel a row of the table."""
    return [
        Panel(
            f"row-{row}",
            f"{ROW_TITLES[row]}: {_fastest(comparison, row)}",
            "Accuracy against training steps, a line a normalization.",
            partial(_draw_row, comparison, row),
        )
        for row in comparison.plan.rows
    ]


def of_measures(comparison: Comparison) -> list[Panel]:
    """Best accuracy over rates, initial scales, batch sizes and depths."""
    return [
        Panel(
            measure.replace(" ", "-"),
            f"{title}: {_widest(comparison, measure)}",
            f"Best accuracy against {axis}, a line a normalization.",
            partial(_draw_measure, comparison, measure, axis),
        )
        for measure, (title, axis) in MEASURES.items()
    ]


def _fastest(comparison: Comparison, row: str) -> str:
    steps = {each: comparison.steps(each, row) for each in comparison.candidates}
    reached = {
        each: found.middle for each, found in steps.items() if found and math.isfinite(found.middle)
    }
    if not reached:
        return "none reaches 90 %"
    first = min(reached.values())
    names = [each.label for each, middle in reached.items() if middle == first]
    return f"{listed(names)} first at 90 %, after {first:,.0f} steps"


def _widest(comparison: Comparison, measure: str) -> str:
    found = {each: comparison.trains(each, measure) or [] for each in comparison.candidates}
    most = max(map(len, found.values()))
    total = len(comparison.settings(measure))
    if most == 0:
        return "none reaches 90 %"
    names = [each.label for each, settings in found.items() if len(settings) == most]
    if len(names) == len(found):
        return f"all train at {most} of {total}"
    verb = "trains" if len(names) == 1 else "train"
    return f"{listed(names)} {verb} at {most} of {total}, the most"


def _draw_row(comparison: Comparison, row: str, axes: Axes) -> None:
    for candidate, line in lines(comparison.candidates).items():
        courses = comparison.courses.get((candidate.word, "row", row), [])
        if not courses:
            continue
        seen: dict[float, list[float]] = {}
        for course in courses:
            for step, accuracy in zip(course.steps, course.accuracies, strict=True):
                if math.isfinite(accuracy):
                    seen.setdefault(step, []).append(accuracy)
        _draw_line(axes, list(seen), [Spread.of(at) for at in seen.values()], line, markers=6)
    _target(axes)
    step_axis(axes)


def _draw_measure(comparison: Comparison, measure: str, axis: str, axes: Axes) -> None:
    settings = comparison.settings(measure)
    for candidate, line in lines(comparison.candidates).items():
        found = {one: comparison.best(candidate, measure, one) for one in settings}
        at = {float(setting): spread for setting, spread in found.items() if spread}
        if at:
            _draw_line(axes, list(at), list(at.values()), line, markers=len(at))
    _target(axes)
    if measure in _LOGARITHMIC_IN_TWOS:
        axes.set_xscale("log", base=2)
        axes.set_xticks([float(setting) for setting in settings])
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel(axis)


def _draw_line(axes: Axes, x: list[float], at: list[Spread], line: Line, markers: int) -> None:
    axes.fill_between(
        x, [one.low for one in at], [one.high for one in at], color=line.color, alpha=0.13, lw=0
    )
    axes.plot(
        x,
        [one.middle for one in at],
        color=line.color,
        linestyle=line.style,
        marker=line.marker,
        markevery=max(1, len(x) // markers),
        markersize=4,
        linewidth=1.5,
    )


def _target(axes: Axes) -> None:
    axes.axhline(TARGET, color=INK, linewidth=0.7, linestyle=DASHED)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    percent_axis(axes.yaxis)


def cost(comparison: Comparison, network: str, title: str) -> Panel:
    """The time of a step beside that without normalization."""
    return Panel(
        f"cost-{network}",
        title,
        "Time of a step divided by that of the network without normalization; a bar from the "
        "fastest to the slowest round.",
        partial(_draw_cost, comparison, network),
    )


def _draw_cost(comparison: Comparison, network: str, axes: Axes) -> None:
    drawn = lines(comparison.candidates)
    there = [each for each in drawn if (each.word, network) in comparison.costs]
    for place, candidate in enumerate(there):
        row, line = comparison.costs[candidate.word, network], drawn[candidate]
        axes.plot(
            [row.times_none_low, row.times_none_high], [place, place], color=line.color, lw=4,
            alpha=0.3, solid_capstyle="butt",
        )  # fmt: skip
        axes.plot([row.times_none], [place], line.marker, color=line.color, markersize=7)
    axes.axvline(1, color=INK, linewidth=0.7, linestyle=DASHED)
    axes.set_yticks(range(len(there)), [drawn[each].label for each in there])
    axes.set_ylim(max(len(there), 1) - 0.5, -0.5)
    axes.set_xlabel("time a step, times that of none")
