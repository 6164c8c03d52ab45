"""Whether batch normalization's factor is below the paper's because all trainings are short.

All five rows at twice their lengths, on two seeds, beside the same seeds at the plan's lengths. If
the factors of BN-x5 and BN-x30 grow on both, length is a reason; if they stay or fall on both, it
is not; else it stays open.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from matplotlib.axes import Axes

from bnrepro import statistics
from bnrepro.config import study
from bnrepro.drawing.curves import Label, label_ends
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.figure_2.factors import factor_axis
from bnrepro.exhibits.figure_2.findings import FASTER, REFERENCE, target_accuracy
from bnrepro.exhibits.figure_2.proportional import paper_factor
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import listed
from bnrepro.experiments import EXPERIMENTS

_JUDGED = ("bn_x5", "bn_x30")


class DoubledRow(NamedTuple):
    """A network's factor on one seed, at the plan's lengths and at twice these.

    None where the network does not reach the share of Inception's best accuracy.
    """

    experiment: str
    seed: int
    share_of_best: float
    factor: float | None
    factor_doubled: float | None
    paper_factor: float | None


def compare(chosen: Selection, longer: Selection | None, share: float) -> list[DoubledRow]:
    """A row per network and seed that both have, at a share; none without the doubled runs."""
    if longer is None:
        return []
    short, long = (_factors(each, share) for each in (chosen, _under_their_experiments(longer)))
    return [
        DoubledRow(name, seed, share, short[name, seed], ratio, paper_factor(name, share))
        for (name, seed), ratio in long.items()
        if (name, seed) in short
    ]


def _under_their_experiments(longer: Selection) -> Selection:
    """The runs under the experiment that they are but for their lengths."""
    names = {
        run.name: str(override.values[0])
        for run in study.planned_runs("figure_2_doubled")
        for override in run.overrides
        if override.key == "experiment"
    }
    runs, curves = (
        frame.assign(label=frame["name"].map(names)) for frame in (longer.runs, longer.curves)
    )
    return replace(longer, runs=runs, curves=curves)


def _factors(chosen: Selection, share: float) -> dict[tuple[str, int], float | None]:
    best = target_accuracy(chosen.runs)
    if best is None:
        return {}
    crossed = statistics.crossings(chosen.curves, share * best)
    steps = {
        (str(row["label"]), int(row["seed"])): row["steps"] if row["reached"] else None
        for row in crossed.to_dict("records")
    }
    return {
        (name, seed): slow / own if own and slow else None
        for name in FASTER
        for (label, seed), own in steps.items()
        if label == name and (slow := steps.get((REFERENCE, seed))) is not None
    }


def finding(rows: Sequence[DoubledRow]) -> Iterator[str]:
    """What became of the factors, and what follows by the rule."""
    judged = {name: _known(rows, name) for name in _JUDGED}
    if not all(judged.values()):
        return
    each = "; ".join(
        f"{EXPERIMENTS[name].label}'s factor goes from "
        f"{listed(f'{row.factor:.1f}' for row in own)} to "
        f"{listed(f'{row.factor_doubled:.1f}' for row in own)}"
        for name, own in judged.items()
    )
    seeds = listed(str(row.seed) for row in judged["bn_x5"])
    yield (
        f"With all trainings twice as long (seeds {seeds}), at the same share of Inception's best: "
        f"{each}. {_conclusion(judged)}"
    )


def _conclusion(judged: dict[str, list[DoubledRow]]) -> str:
    grown = [
        row.factor_doubled > row.factor
        for own in judged.values()
        for row in own
        if row.factor and row.factor_doubled
    ]
    count = f"It grows in {sum(grown)} of {len(grown)} comparisons: by the rule of the plan"
    if all(grown):
        return f"{count}, that all trainings are short is a reason for the smaller factors."
    if not any(grown):
        return f"{count}, the lengths are not the reason for the smaller factors."
    return f"{count}, whether the lengths are a reason for the smaller factors stays open."


def _known(rows: Sequence[DoubledRow], name: str) -> list[DoubledRow]:
    return [row for row in rows if row.experiment == name and row.factor and row.factor_doubled]


def table(rows: Sequence[DoubledRow]) -> Table:
    """The factors at both lengths, seed by seed."""
    caption = (
        "How many times as many steps Inception needs to the same share of its best accuracy, when "
        "all trainings have the plan's lengths and when they have twice these; beside it the "
        "paper's at that share."
    )
    return Table("doubled", DoubledRow._fields, rows, caption)


def panels(rows: Sequence[DoubledRow]) -> list[Panel]:
    """The factors that the rule is about at both lengths, a line per seed; none without them."""
    judged = [row for name in _JUDGED for row in _known(rows, name)]
    if not judged:
        return []
    grown = sum((row.factor_doubled or 0) > (row.factor or 0) for row in judged)
    description = (
        "(c) The factors of two seeds at the share in the title, when all trainings have the "
        "plan's lengths, and twice these."
    )
    title = f"(c) Trained twice as long: {grown} of {len(judged)} factors grow"
    return [Panel("doubled", title, description, partial(_draw, rows=judged))]


def _draw(axes: Axes, rows: Sequence[DoubledRow]) -> None:
    ends = []
    for name in _JUDGED:
        line, own = EXPERIMENTS[name], [row for row in rows if row.experiment == name]
        for row in own:
            axes.plot(
                [0, 1],
                [row.factor or 0, row.factor_doubled or 0],
                color=line.color,
                linestyle=line.style,
                marker=line.marker,
            )
        if own:
            middle = sum(row.factor_doubled or 0 for row in own) / len(own)
            ends.append(Label(1, middle, line.label, line.text_color))
        if own and own[0].paper_factor:
            height = own[0].paper_factor
            axes.axhline(height, color=line.color, linewidth=0.8)
            words = f"{line.label}, paper"
            ends.append(Label(1, height, words, line.text_color))
    factor_axis(axes, (1.8, 18))
    axes.set_xlim(-0.1, 1.05)
    axes.set_xticks([0, 1], ["the plan's lengths", "twice these"])
    label_ends(axes, ends)
