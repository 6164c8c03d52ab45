"""BN-x5 with each of section 4.2.1's changes taken back alone, beside the whole BN-x5 (C18).

Differences on the same seed of the steps to an accuracy and of the best accuracies. The three seeds
of the study are a hint, without a verdict; fewer are none.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from bnrepro import statistics
from bnrepro.config import ConfigError, study
from bnrepro.drawing.curves import write_beside
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, folder
from bnrepro.exhibits.selection import Selection, select, select_optional
from bnrepro.exhibits.wording import listed, made_on, percent, points, setting
from bnrepro.experiments.line import BLUE, FINE, INK
from bnrepro.screen import count
from bnrepro.verdicts.criteria import HINT_SEEDS

_WHOLE = "bn_x5"
_TARGET = 0.72
# The changes of section 4.2.1 by their names in `accelerate`, and BN-x5 without each, in words.
_TAKEN_BACK = {
    "dropout": "with dropout",
    "l2": "with all of L2",
    "decay": "with slower decay",
    "lrn": "with LRN",
    "shuffle": "with less shuffling",
    "distortion": "with all distortion",
}
_CAPTION = (
    "A mark is one seed: BN-x5 with one change of section 4.2.1 taken back, minus the whole BN-x5 "
    "of the same seed. (a) has no mark where one of the two does not get there. Numbers are "
    "medians over the seeds; the dotted line is no difference. LRN: local response normalization."
)


class ChangeRow(NamedTuple):
    """One seed with one change taken back, beside the whole BN-x5 of that seed.

    Steps and their difference are None where the target is not reached.
    """

    taken_back: str
    seed: int
    steps: int | None
    steps_whole: int | None
    steps_gap: int | None
    best_accuracy: float
    best_accuracy_whole: float
    best_accuracy_gap: float


def exhibit(results_dir: str, scale: str) -> Exhibit:
    """C18's differences, from the records of the studies `one_change` and `figure_2`.

    Raises:
        ConfigError: if the scale is refused, or there is no run of one of the two.
        RecordError: if a record or a curve cannot be read.
    """
    words = (f"scale={scale}",)
    chosen = select("one_change", results_dir, words)
    others, without_others = select_optional("figure_2", results_dir, words)
    if others is None or _WHOLE not in others.labels:
        raise ConfigError(without_others or f"figure one_change: no run of {_WHOLE}")
    rows = compare(chosen, others)
    planned = len(study.planned_runs("one_change", words))
    return Exhibit(
        name=folder("one_change", scale),
        title="One change at a time",
        setting=setting(chosen.runs),
        findings=[*_findings(rows, len(chosen.runs), planned), made_on(chosen.runs)],
        commands=[chosen.command, f"bnrepro figure one_change scale={scale}"],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[_drawing(rows)],
        tables=[
            Table(
                "one_change",
                ChangeRow._fields,
                rows,
                f"BN-x5 with one change taken back, and whole: steps to {percent(_TARGET, 0)} and "
                "best accuracies on each seed.",
            )
        ],
        series=[],
        runs=chosen.runs,
    )


def compare(chosen: Selection, others: Selection) -> list[ChangeRow]:
    """A row per change and seed that both have, in the order of the changes."""
    runs = chosen.runs.assign(change=chosen.runs["config.accelerate"].map(_taken_back))
    steps, whole_steps = (_steps(each.curves) for each in (chosen, others))
    whole = others.runs[others.runs["label"] == _WHOLE].set_index("seed")["judged_best"]
    rows = []
    for change in _TAKEN_BACK:
        of_change = runs[runs["change"] == change].sort_values("seed", kind="stable")
        for run in of_change.to_dict("records"):
            seed = int(run["seed"])
            if seed not in whole:
                continue
            own, other = steps[run["label"], seed], whole_steps[_WHOLE, seed]
            gap = None if own is None or other is None else own - other
            bests = (
                run["judged_best"],
                float(whole[seed]),
                run["judged_best"] - float(whole[seed]),
            )
            rows.append(ChangeRow(change, seed, own, other, gap, *bests))
    return rows


def _taken_back(accelerate: Sequence[str]) -> str:
    """The one change that is not among those that were made."""
    return next(change for change in _TAKEN_BACK if change not in accelerate)


def _steps(curves: pd.DataFrame) -> dict[tuple[str, int], int | None]:
    return {
        (str(row["label"]), int(row["seed"])): int(row["steps"]) if row["reached"] else None
        for row in statistics.crossings(curves, _TARGET).to_dict("records")
    }


def _findings(rows: Sequence[ChangeRow], there: int, planned: int) -> Iterator[str]:
    """What taking back each change costs, medians and ranges over the seeds."""
    if there < planned:
        yield f"{there} of the {planned} runs are there; what follows is of these alone."
    by_change = _by_change(rows)
    each = "; ".join(_sentence(change, own) for change, own in by_change.items())
    fewest, most = min(map(len, by_change.values())), max(map(len, by_change.values()))
    seeds = f"{fewest} to {most} seeds" if fewest < most else count(most, "seed")
    worth = "a hint" if fewest >= HINT_SEEDS else f"fewer than {HINT_SEEDS} are not even a hint"
    yield (
        "BN-x5 with one change of section 4.2.1 taken back, minus the whole BN-x5 of the same seed "
        f"(steps to {percent(_TARGET, 0)}; best accuracy in points; medians, with ranges, over "
        f"{seeds}, {worth}): {each}."
    )


def _sentence(change: str, rows: Sequence[ChangeRow]) -> str:
    steps = [row.steps_gap for row in rows if row.steps_gap is not None]
    said = "it never gets there"
    if steps:
        said = _spread(steps, "steps", "{:+,.0f}".format)
        if len(steps) < len(rows):
            said += f" on {len(steps)} of {len(rows)} seeds that get there"
    bests = [row.best_accuracy_gap for row in rows]
    return f"{_TAKEN_BACK[change]} {said}, {_spread(bests, 'points', partial(points, digits=2))}"


def _spread(gaps: Sequence[float], unit: str, words: Callable[[float], str]) -> str:
    """Their median, and from which to which they go: `+250 steps (+0 to +500)`."""
    median = f"{words(float(np.median(gaps)))} {unit}"
    return median if len(gaps) == 1 else f"{median} ({words(min(gaps))} to {words(max(gaps))})"


def _by_change(rows: Sequence[ChangeRow]) -> dict[str, list[ChangeRow]]:
    changes = dict.fromkeys(row.taken_back for row in rows)
    return {change: [row for row in rows if row.taken_back == change] for change in changes}


def _drawing(rows: Sequence[ChangeRow]) -> Drawing:
    panels = [
        Panel(
            "steps",
            f"(a) Steps to {percent(_TARGET, 0)} minus BN-x5's",
            "Steps that BN-x5 needs more or fewer with each change taken back, on each seed.",
            partial(_draw, rows=rows, gap=lambda row: row.steps_gap, words="{:+,.0f}".format),
        ),
        Panel(
            "best",
            "(b) Best accuracy minus BN-x5's, in points",
            "Points by which BN-x5 ends higher or lower with each change taken back, by seed.",
            partial(
                _draw,
                rows=rows,
                gap=lambda row: 100 * row.best_accuracy_gap,
                words="{:+.2f}".format,
            ),
        ),
    ]
    layout = [[panel.name for panel in panels]]
    return Drawing("one_change", _title(rows), panels, layout, _CAPTION)


def _title(rows: Sequence[ChangeRow]) -> str:
    """Which changes end lower on every seed when they are taken back, and which higher."""
    lower, higher = (
        [
            _TAKEN_BACK[change]
            for change, own in _by_change(rows).items()
            if all(sign * row.best_accuracy_gap > 0 for row in own)
        ]
        for sign in (-1, 1)
    )
    seeds = "every seed" if len({row.seed for row in rows}) > 1 else "the one seed"
    parts = [
        f"{where} on {seeds} {listed(words)}"
        for where, words in (("lower", lower), ("higher", higher))
        if words
    ]
    return f"BN-x5 ends {'; '.join(parts) or 'neither lower nor higher on every seed'}"


def _draw(
    axes: Axes,
    rows: Sequence[ChangeRow],
    gap: Callable[[ChangeRow], float | None],
    words: Callable[[float], str],
) -> None:
    each = _by_change(rows)
    for height, own in zip(range(len(each), 0, -1), each.values(), strict=True):
        known = [value for row in own if (value := gap(row)) is not None]
        axes.plot(known, [height] * len(known), "o", color=BLUE, ms=5)
        median = words(float(pd.Series(known).median())) if known else "never"
        write_beside(axes, median, height, 40)
    axes.axvline(0, color=INK, linewidth=0.7, linestyle=FINE)
    axes.set_yticks(range(len(each), 0, -1), [_TAKEN_BACK[change] for change in each], fontsize=8)
    axes.set_ylim(0.4, len(each) + 0.6)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+,g}" if value else "0"))
    axes.set_xlabel("difference on the same seed")
