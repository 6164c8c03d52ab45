"""How much of BN-x5's speed-up is due to normalization, to the rate and to the recipe.

The eight corners of the three changes: six are networks of figure 2, two are of the study
`corners`. How many times fewer steps BN-x5 needs than Inception is split without an order: the
mean, over the six orders of the changes, of the logarithm of what each one adds. The rule stands in
`results/published/figure_2/PLAN.md`.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from bnrepro import statistics
from bnrepro.config import ConfigError, study
from bnrepro.drawing.curves import short_steps, write_beside
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, folder
from bnrepro.exhibits.selection import Selection, select_optional
from bnrepro.exhibits.wording import listed, made_on, percent, setting
from bnrepro.experiments.line import BLUE, FINE, GRAY, INK
from bnrepro.statistics.shapley import contributions

CHANGES = ("normalization", "rate", "recipe")
# Every set of changes, by its name.
CORNERS = {
    " + ".join(made) or "none": frozenset(made)
    for size in range(len(CHANGES) + 1)
    for made in combinations(CHANGES, size)
}
_NAMES = {made: name for name, made in CORNERS.items()}
_ALL_THREE = "all three"
# The corners among figure 2's networks; in the study itself normalization tells the two apart.
_OF_FIGURE_2 = {
    "inception": "none",
    "bn_baseline": "normalization",
    "inception_x5": "rate",
    "bn_baseline_x5": "normalization + rate",
    "inception_accelerated": "recipe",
    "bn_x5": "normalization + rate + recipe",
}
_OF_STUDY = {"none": "rate + recipe", "before": "normalization + recipe"}
# The split is of the steps to the highest of these that all corners reach on all seeds.
_TARGETS = (0.5, 0.55, 0.6)
_OF_CORNERS = (
    "A mark is the first evaluation of a seed at or above the accuracy; the stroke goes from the "
    "fewest to the most steps."
)
_OF_SPLIT = (
    "A mark is what a change contributes on one seed, without an order (Shapley's value), the "
    "stroke what it contributes in the six orders, medians over the seeds; the number is the "
    "median."
)


class CornerRow(NamedTuple):
    """The first evaluation at or above each accuracy on one seed; None where it is not reached."""

    corner: str
    seed: int
    steps_to_50: int | None
    steps_to_55: int | None
    steps_to_60: int | None

    @property
    def steps(self) -> tuple[int | None, ...]:
        """To each of the targets."""
        return self.steps_to_50, self.steps_to_55, self.steps_to_60


class SplitRow(NamedTuple):
    """How many times fewer steps a change makes necessary, or all three together.

    Median over the seeds with its interval; `order_low` and `order_high` are the least and the most
    that the change adds in one order, medians over the seeds.
    """

    change: str
    target_accuracy: float
    n: int
    factor: float
    factor_low: float | None
    factor_high: float | None
    coverage_percent: int | None
    order_low: float
    order_high: float


class Split(NamedTuple):
    """The split, and each change's factor by seed; without rows where `reason` says why."""

    rows: list[SplitRow]
    by_seed: Mapping[str, Sequence[float]]
    reason: str


def exhibit(results_dir: str, scale: str) -> Exhibit:
    """The split, and the steps of the corners, from the records of `corners` and `figure_2`.

    Raises:
        ConfigError: if the scale is refused or no corner has a run.
        RecordError: if a record or a curve cannot be read.
    """
    words = (f"scale={scale}",)
    own, without_own = select_optional("corners", results_dir, words)
    others, without_others = select_optional("figure_2", results_dir, words)
    seeds, end = _planned(words)
    runs, curves = _of_corners(own, others, seeds, end)
    if runs.empty:
        raise ConfigError(without_own or without_others)
    rows = _rows(curves)
    divided = split(rows, seeds, end)
    return Exhibit(
        name=folder("corners", scale),
        title="Normalization, rate and recipe",
        setting=setting(runs),
        findings=[_finding(divided, end), made_on(runs)],
        commands=[study.command("corners", words), f"bnrepro figure corners scale={scale}"],
        missing=[line for line in (without_own, without_others) if line],
        drawings=[_drawing(rows, divided)],
        tables=[
            Table("split", SplitRow._fields, divided.rows, "Each change's share of the factor."),
            Table("corners", CornerRow._fields, rows, "Steps to three accuracies at each corner."),
        ],
        series=[],
        runs=runs,
    )


def _planned(words: tuple[str, ...]) -> tuple[list[int], int]:
    """The seeds on which all corners are compared, and the steps within which they are."""
    planned = study.planned_runs("corners", words)
    steps = min(run.composition.config.train_steps for run in planned)
    return sorted({run.seed for run in planned}), steps


def _of_corners(
    own: Selection | None, others: Selection | None, seeds: Sequence[int], end: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and curves of the corners, labelled with their names, up to the step `end`."""
    found = []
    if others is not None:
        found.append((others, others.runs["label"].map(_OF_FIGURE_2)))
    if own is not None:
        found.append((own, own.runs["config.placement"].map(_OF_STUDY)))
    if not found:
        return pd.DataFrame(), pd.DataFrame()
    runs = pd.concat([chosen.runs.assign(label=names) for chosen, names in found])
    runs = runs[runs["label"].notna() & runs["seed"].isin(seeds)]
    curves = pd.concat([chosen.curves for chosen, _ in found]).drop(columns="label")
    curves = curves.merge(runs[["name", "seed", "label"]])
    return runs, curves[curves["step"] <= end]


def _rows(curves: pd.DataFrame) -> list[CornerRow]:
    steps = [_steps(curves, target) for target in _TARGETS]
    order = list(CORNERS)
    return [
        CornerRow(name, seed, *(of_target[name, seed] for of_target in steps))
        for name, seed in sorted(steps[0], key=lambda key: (order.index(key[0]), key[1]))
    ]


def _steps(curves: pd.DataFrame, target: float) -> dict[tuple[str, int], int | None]:
    return {
        (str(row["label"]), int(row["seed"])): int(row["steps"]) if row["reached"] else None
        for row in statistics.crossings(curves, target).to_dict("records")
    }


def split(rows: Sequence[CornerRow], seeds: Sequence[int], end: int) -> Split:
    """The split by the rule of the plan, or why there is none."""
    steps = {(row.corner, row.seed): row.steps for row in rows}
    wanted = [(name, seed) for name in CORNERS for seed in seeds]
    absent = dict.fromkeys(name for name, seed in wanted if (name, seed) not in steps)
    if absent:
        there = sum(key in steps for key in wanted)
        return Split(
            [],
            {},
            f"{there} of its {len(wanted)} runs are there, not all with {' or '.join(absent)}",
        )
    reached = [n for n in range(len(_TARGETS)) if all(steps[key][n] for key in wanted)]
    if not reached:
        short = dict.fromkeys(name for name, seed in wanted if not steps[name, seed][0])
        lowest = percent(_TARGETS[0], 0)
        return Split(
            [], {}, f"not every seed with {' or '.join(short)} reaches {lowest} in {end:,} steps"
        )
    place = max(reached)
    of_seed = [{name: float(steps[name, seed][place] or 0) for name in CORNERS} for seed in seeds]
    added = [_logarithms(own) for own in of_seed]
    by_seed = {
        name: [math.exp(np.mean(own[name])) for own in added] for name in (*CHANGES, _ALL_THREE)
    }
    divided = [
        _split_row(name, _TARGETS[place], factors, np.array([own[name] for own in added]))
        for name, factors in by_seed.items()
    ]
    return Split(divided, by_seed, "")


def _logarithms(steps: Mapping[str, float]) -> dict[str, list[float]]:
    """The logarithm of what each change adds to the factor in each order, and of the whole."""
    values = {made: -math.log(steps[name]) for name, made in CORNERS.items()}
    whole = math.log(steps["none"]) - math.log(steps[_NAMES[frozenset(CHANGES)]])
    return {**contributions(values, CHANGES), _ALL_THREE: [whole]}


def _split_row(change: str, target: float, factors: Sequence[float], added: np.ndarray) -> SplitRow:
    """`factors` are (seeds,), `added` logarithms, (seeds, orders)."""
    in_orders = np.exp(np.median(added, axis=0))
    median = statistics.median_with_interval(pd.Series(factors))
    coverage = statistics.coverage_of_median(len(factors))
    orders = (float(in_orders.min()), float(in_orders.max()))
    return SplitRow(change, target, len(factors), *median, coverage, *orders)


def _finding(divided: Split, end: int) -> str:
    if divided.reason:
        return f"No split of BN-x5's speed-up yet: {divided.reason}."
    *changes, whole = divided.rows
    each = listed(f"{row.change} {row.factor:.2f} ({_range(row)})" for row in changes)
    orders = listed(
        f"{row.change} between {row.order_low:.2f} and {row.order_high:.2f}" for row in changes
    )
    return (
        f"Within {end:,} steps, to {percent(whole.target_accuracy, 0)}, BN-x5 needs "
        f"{whole.factor:.2f} ({_range(whole)}) times fewer steps than Inception. Without an order "
        f"among them the factors of the three changes are {each} (Shapley's values, medians and "
        f"ranges over {whole.n} seeds, whose coverage is {whole.coverage_percent} %: a hint); in "
        f"single orders {orders}."
    )


def _range(row: SplitRow) -> str:
    low, high = row.factor_low or row.factor, row.factor_high or row.factor
    return f"{low:.2f} to {high:.2f}"


def _drawing(rows: Sequence[CornerRow], divided: Split) -> Drawing:
    names = [name for name in CORNERS if any(row.corner == name for row in rows)]
    place = _TARGETS.index(divided.rows[0].target_accuracy) if divided.rows else 0
    target = percent(_TARGETS[place], 0)
    steps = {name: [row.steps[place] for row in rows if row.corner == name] for name in names}
    letter = "(a) " if divided.rows else ""
    panels = [
        Panel(
            "corners",
            f"{letter}Steps to {target}: {len(names)} of {len(CORNERS)} corners",
            f"Steps to {target} of each seed: {_described(steps)}.",
            partial(_draw_corners, steps=steps),
        )
    ]
    if divided.rows:
        panels.append(
            Panel(
                "split",
                f"(b) Times fewer steps to {target}, by change",
                f"{_finding(divided, 0).partition('. ')[2]}",
                partial(_draw_split, divided=divided),
            )
        )
    caption = f"(a) {_OF_CORNERS} (b) {_OF_SPLIT}" if divided.rows else _OF_CORNERS
    return Drawing("corners", _title(divided), panels, [[panel.name for panel in panels]], caption)


def _title(divided: Split) -> str:
    if divided.reason:
        return "Steps of Inception with and without normalization, higher rate and recipe"
    *changes, whole = divided.rows
    each = listed(f"{row.change} {row.factor:.1f}" for row in changes)
    target = percent(whole.target_accuracy, 0)
    return f"BN-x5's {whole.factor:.1f} times fewer steps to {target} are a product: {each}"


def _described(steps: Mapping[str, Sequence[int | None]]) -> str:
    return "; ".join(
        f"{name} {', '.join('never' if own is None else f'{own:,}' for own in each)}"
        for name, each in steps.items()
    )


def _draw_corners(axes: Axes, steps: Mapping[str, Sequence[int | None]]) -> None:
    for height, each in zip(range(len(steps), 0, -1), steps.values(), strict=True):
        known = [own for own in each if own is not None]
        if known:
            axes.plot([min(known), max(known)], [height] * 2, color=GRAY, linewidth=3, alpha=0.4)
            axes.plot(known, [height] * len(known), "o", color=BLUE, ms=5)
        write_beside(axes, f"{len(known)} of {len(each)} seeds", height, 62)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: short_steps(step)))
    axes.set_xticks([500, 1_000, 2_000, 5_000, 10_000])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training steps")
    _name_rows(axes, list(steps))


def _draw_split(axes: Axes, divided: Split) -> None:
    for height, row in zip(range(len(divided.rows), 0, -1), divided.rows, strict=True):
        orders, own = [row.order_low, row.order_high], divided.by_seed[row.change]
        axes.plot(orders, [height] * 2, color=GRAY, linewidth=5, alpha=0.4)
        axes.plot(own, [height] * len(own), "o", color=BLUE, ms=5)
        write_beside(axes, f"{row.factor:.2f}", height, 34)
    axes.axvline(1, color=INK, linewidth=0.7, linestyle=FINE)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda factor, _: f"{factor:g}"))
    axes.set_xticks([0.5, 1, 2, 4, 8])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("times fewer steps")
    _name_rows(axes, [row.change for row in divided.rows])


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names), 0, -1), names, fontsize=8)
    axes.set_ylim(0.4, len(names) + 0.6)
    axes.grid(visible=False, axis="y")
