"""Figure 2's drawings: accuracy of the Inception networks against steps, and steps to accuracies.

Beside each the paper's own, on axes of its own: it is of ImageNet and over millions of steps.
"""

import math
from collections.abc import Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from bnrepro import paper, statistics
from bnrepro.drawing.curves import (
    Label,
    draw_mean,
    label_ends,
    percent_axis,
    short_steps,
    step_axis,
)
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.figure_2.findings import REFERENCE, fewest_steps, sooner, target_accuracy
from bnrepro.exhibits.figure_2.tables import ROWS
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import percent
from bnrepro.experiments import EXPERIMENTS, FIGURE_3
from bnrepro.experiments.line import FINE, INK

_EVERY_TARGET = 0.01
# A little below where the paper's figure begins, as a share of its target.
_LOWEST = 0.395 / paper.TARGET_ACCURACY
_CAPTION = (
    "(a, b, c) Line: mean over the seeds; band: from the lowest to the highest seed; the tables "
    "have medians. The dotted line is the target, Inception's best test accuracy, and a diamond "
    "stands at the steps to it, both medians over the seeds: it need not lie on its line. (a) and "
    "the paper's panel show the same shares of their targets. The paper's lines are of one run "
    "each."
)
_TARGETS_CAPTION = (
    "Line: median over the seeds; band: its order-statistic interval, up to the most steps where "
    "it has no upper end. A line ends where fewer than half of the seeds get further. The paper's "
    "lines are of one run each."
)


def steps_against_target(chosen: Selection) -> pd.DataFrame:
    """Steps to every whole percent that a run reaches: a frame of `statistics`, by experiment."""
    highest = chosen.runs["best_accuracy"].max()
    first = math.ceil(3 / chosen.num_classes / _EVERY_TARGET)  # well above chance
    targets = [round(n * _EVERY_TARGET, 2) for n in range(first, int(highest / _EVERY_TARGET) + 1)]
    frame = statistics.steps_against_target(chosen.curves, targets)
    return frame.rename(columns={"label": "experiment"})


def curves(chosen: Selection, mean: pd.DataFrame) -> Drawing:
    """The paper's figure 2: ours, the paper's, our first steps, and our controls.

    `mean` is a frame of `statistics.mean_curves`.
    """
    # Up to there the grid of evaluations is the finer one.
    first_steps = int(chosen.runs["config.early_steps"].max())
    target = target_accuracy(chosen.runs)
    diamonds = _diamonds(chosen, target)
    rows = [label for label in ROWS if label in chosen.labels]
    controls = [label for label in chosen.labels if label not in ROWS]
    of_rows = mean[mean["experiment"].isin(rows)]
    early = of_rows[of_rows["step"] <= first_steps]
    highest = _highest(of_rows, target)
    panels = [
        Panel(
            "rows",
            f"(a) Ours: {_reaching(rows, diamonds, target)}",
            _describe(of_rows, chosen, target),
            partial(
                _draw_curves,
                mean=of_rows,
                labels=rows,
                target=target,
                diamonds=diamonds,
                limits=None if target is None else _limits(target, highest),
            ),
        ),
        Panel(
            "paper",
            f"The paper's: {_reaching_in_the_paper()}",
            "The paper's figure 2: validation accuracy on ImageNet against millions of steps, with "
            "diamonds where each network reaches 72.2 %.",
            partial(_draw_paper, limits=_limits(paper.TARGET_ACCURACY, highest)),
        ),
        Panel(
            "early",
            f"(b) Ours, the first {first_steps:,} steps: {_range_of_ends(early)}",
            f"The five networks' test accuracy over their first {first_steps:,} steps.",
            partial(_draw_curves, mean=early, labels=rows, target=None, diamonds={}),
        ),
    ]
    if controls:
        panels.append(_panel_of_controls(chosen, mean, controls, target, diamonds))
    layout = [["rows", "paper"], ["early", "controls" if controls else "."]]
    return Drawing("figure_2", sooner(chosen.curves, target), panels, layout, _CAPTION)


def _panel_of_controls(
    chosen: Selection,
    mean: pd.DataFrame,
    controls: Sequence[str],
    target: float | None,
    diamonds: dict[str, float],
) -> Panel:
    return Panel(
        "controls",
        f"(c) Controls: {_reaching(controls, diamonds, target)}",
        _describe(mean[mean["experiment"].isin(controls)], chosen, target),
        partial(
            _draw_curves,
            mean=mean[mean["experiment"].isin([REFERENCE, *controls])],
            labels=[label for label in (REFERENCE, *controls) if label in chosen.labels],
            target=target,
            diamonds=diamonds,
        ),
    )


def _reaching(labels: Sequence[str], diamonds: dict[str, float], target: float | None) -> str:
    """How many of the networks beside the reference reach the target."""
    others = [label for label in labels if label != REFERENCE]
    if target is None:
        return f"{len(others)} networks"
    reaching = sum(label in diamonds for label in others)
    return f"{reaching} of {len(others)} reach Inception's {percent(target)}"


def _reaching_in_the_paper() -> str:
    others = [row for name, row in FIGURE_3.items() if name != REFERENCE]
    reaching = sum(row.steps_to_target is not None for row in others)
    return f"{reaching} of {len(others)} reach Inception's {percent(paper.TARGET_ACCURACY)}"


def _range_of_ends(mean: pd.DataFrame) -> str:
    """Where the highest and the lowest of the curves end."""
    ends = mean.sort_values("step", kind="stable").groupby("experiment").tail(1)
    ends = ends.sort_values("accuracy_mean", kind="stable")
    lowest, highest = ends.iloc[0], ends.iloc[-1]
    return (
        f"{EXPERIMENTS[lowest['experiment']].label} {percent(lowest['accuracy_mean'], 0)}, "
        f"{EXPERIMENTS[highest['experiment']].label} {percent(highest['accuracy_mean'], 0)}"
    )


def _highest(mean: pd.DataFrame, target: float | None) -> float:
    """The highest accuracy, ours or the paper's, as a share of its target."""
    curves = (EXPERIMENTS[name].paper_curve for name in FIGURE_3)
    theirs = max(float(curve["value"].max()) for curve in curves if curve is not None)
    ours = mean["accuracy_high"].max() / target if target else 0.0
    return max(ours, theirs / paper.TARGET_ACCURACY)


def _limits(target: float, highest: float) -> tuple[float, float]:
    """From below where the paper's figure begins to above the highest line, as shares of targets.

    So our panel and the paper's use the same share of their axes.
    """
    return _LOWEST * target, 1.04 * highest * target


def _diamonds(chosen: Selection, target: float | None) -> dict[str, float]:
    """Per experiment, the median over seeds of the steps to the target, where it is reached."""
    if target is None:
        return {}
    steps = {}
    for label, runs in statistics.crossings(chosen.curves, target).groupby("label"):
        median = statistics.kaplan_meier_median(runs["steps"], runs["reached"])
        if median is not None:
            steps[str(label)] = median
    return steps


def _draw_curves(
    axes: Axes,
    mean: pd.DataFrame,
    labels: Sequence[str],
    target: float | None,
    diamonds: dict[str, float],
    limits: tuple[float, float] | None = None,
) -> None:
    """Without `limits` from 0 to above the highest line."""
    ends = []
    for index, label in enumerate(labels):
        rows = mean[mean["experiment"] == label]
        if rows.empty:
            continue
        ends.append(draw_mean(axes, rows, EXPERIMENTS[label], phase=index / len(labels)))
    axes.set_ylim(limits or (0, 1.08 * mean["accuracy_high"].max()))
    axes.set_ylabel("test accuracy")
    percent_axis(axes.yaxis)
    step_axis(axes, _steps_title(target))
    if target is not None:
        axes.axhline(target, color=INK, linewidth=0.7, linestyle=FINE)
        _draw_diamonds(
            axes, {label: diamonds[label] for label in labels if label in diamonds}, target
        )
    label_ends(axes, ends)


def _steps_title(target: float | None) -> str:
    return "training steps" + ("" if target is None else f" (diamonds: to {percent(target)})")


def _draw_diamonds(axes: Axes, steps: dict[str, float], target: float) -> None:
    for index, (label, step) in enumerate(steps.items()):
        # What lies below another diamond shows around it.
        covering = list(steps.values())[index + 1 :].count(step)
        axes.plot(
            [step],
            [target],
            marker="D",
            markersize=7 + 4 * covering,
            markerfacecolor=EXPERIMENTS[label].color,
            markeredgecolor=INK,
            linestyle="none",
            label=f"{EXPERIMENTS[label].label} reaches {percent(target)}",
            zorder=4,
        )


def _draw_paper(axes: Axes, limits: tuple[float, float]) -> None:
    ends, steps = [], {}
    for name, row in FIGURE_3.items():
        line, drawn = EXPERIMENTS[name], EXPERIMENTS[name].paper_curve
        if drawn is None:
            continue
        axes.plot(drawn["step"], drawn["value"], color=line.color, linestyle=line.style, lw=1)
        last = drawn.iloc[-1]
        ends.append(Label(last["step"], last["value"], line.label, line.text_color))
        if row.steps_to_target is not None:
            steps[name] = float(row.steps_to_target)
    axes.axhline(paper.TARGET_ACCURACY, color=INK, linewidth=0.7, linestyle=FINE)
    _draw_diamonds(axes, steps, paper.TARGET_ACCURACY)
    axes.set_ylim(limits)
    axes.set_ylabel("ImageNet validation accuracy")
    percent_axis(axes.yaxis)
    step_axis(axes, _steps_title(paper.TARGET_ACCURACY))
    label_ends(axes, ends)


def targets(against: pd.DataFrame) -> Drawing:
    """Steps to each accuracy, ours and the paper's; a frame of `steps_against_target`."""
    coverages = ", ".join(
        f"{statistics.coverage_of_median(n)} % at n = {n}" for n in sorted(against["n"].unique())
    )
    panels = [
        Panel(
            "steps_against_target",
            "Ours, on the test images",
            "Median steps that each network needs to reach each accuracy, with its order-statistic "
            f"interval over seeds as a band (coverage {coverages}); a line ends where fewer than "
            "half of the seeds get further.",
            partial(_draw_targets, against=against),
        ),
        Panel(
            "paper_steps_against_target",
            "The paper's, on ImageNet",
            "Steps that the paper's networks need to reach each validation accuracy on ImageNet.",
            _draw_paper_targets,
        ),
    ]
    layout = [[panel.name for panel in panels]]
    title = fewest_steps(against)
    return Drawing("steps_against_target", title, panels, layout, _TARGETS_CAPTION)


def _draw_targets(axes: Axes, against: pd.DataFrame) -> None:
    ends = []
    for index, label in enumerate(ROWS):
        rows = against[(against["experiment"] == label) & against["steps"].notna()]
        if rows.empty:
            continue
        line = EXPERIMENTS[label]
        high = rows["steps_high"].fillna(against["steps_high"].max())
        axes.fill_between(
            rows["target"], rows["steps_low"], high, color=line.color, alpha=0.18, linewidth=0
        )
        ends.append(_draw_steps(axes, rows["target"], rows["steps"], label, phase=index / 5))
    axes.set_xlabel("test accuracy to reach")
    _finish_targets(axes, ends)


def _draw_paper_targets(axes: Axes) -> None:
    ends = []
    for index, label in enumerate(ROWS):
        drawn = EXPERIMENTS[label].paper_curve
        if drawn is None:
            continue
        # A curve that falls reaches nothing new.
        reached = drawn[drawn["value"] > drawn["value"].cummax().shift(fill_value=-math.inf)]
        ends.append(_draw_steps(axes, reached["value"], reached["step"], label, phase=index / 5))
    axes.set_xlabel("ImageNet validation accuracy to reach")
    _finish_targets(axes, ends)


def _draw_steps(
    axes: Axes, targets: pd.Series, steps: pd.Series, label: str, phase: float
) -> Label:
    line = EXPERIMENTS[label]
    axes.plot(
        targets,
        steps,
        color=line.color,
        linestyle=line.style,
        marker=line.marker,
        markevery=(0.15 * phase, 0.15),
        label=line.label,
    )
    return Label(targets.iloc[-1], steps.iloc[-1], line.label, line.text_color)


def _finish_targets(axes: Axes, ends: list[Label]) -> None:
    percent_axis(axes.xaxis)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda step, _: short_steps(step)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("training steps")
    label_ends(axes, ends)


def _describe(mean: pd.DataFrame, chosen: Selection, target: float | None) -> str:
    ends = mean.sort_values("step", kind="stable").groupby("experiment", sort=False).tail(1)
    diverged = chosen.runs[chosen.runs["status"] == "diverged"].groupby("label").size()
    each = "; ".join(
        f"{EXPERIMENTS[row['experiment']].label} {percent(row['accuracy_mean'])} after "
        f"{row['step']:,} steps"
        + (f" ({diverged[row['experiment']]} diverged)" if row["experiment"] in diverged else "")
        for row in ends.to_dict("records")
    )
    goal = "" if target is None else f" The dotted line is the target, {percent(target)}."
    return f"Test accuracy against training steps, mean over seeds with a band: {each}.{goal}"
