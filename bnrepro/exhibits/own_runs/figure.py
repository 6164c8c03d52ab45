"""`bnrepro figure NAMES...`: accuracy and loss of a person's own runs over steps."""

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatter

from bnrepro import statistics, tables
from bnrepro.config import ConfigError, shown
from bnrepro.config.overrides import Given
from bnrepro.drawing.curves import (
    draw_diamonds,
    draw_mean,
    draw_target,
    label_ends,
    percent_axis,
    step_axis,
)
from bnrepro.drawing.style import Panel
from bnrepro.exhibits import EXHIBITS
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, rows_of
from bnrepro.exhibits.own_runs.lines import lines
from bnrepro.experiments.line import Line
from bnrepro.records import study_records
from bnrepro.records.loading import find_runs, read_curves, read_runs, reading_once
from bnrepro.records.record import RESULTS
from bnrepro.screen import percent
from bnrepro.tables.data_sets import OneDataSet, by_data_set
from bnrepro.tables.rows import TableRow

FOLDER = "own_runs"
# Of one drawing; more cannot be told apart.
_MOST_LINES = 8
_CAPTION = (
    "Line: mean over the seeds; band: from the lowest to the highest seed. A dotted line is a "
    "target, and a diamond stands at the median of the steps to it: it need not lie on its line. "
    "A run that diverged counts as chance from there on, and its loss ends."
)


@reading_once()
def main(
    patterns: Sequence[str],
    results_dir: str = RESULTS,
    *,
    target: float | None = None,
    reference: str | None = None,
    output: str | None = None,
) -> int:
    """Draw the runs that the patterns name, say what comes out, and print the files' names.

    The files lie in `FOLDER` below `results_dir`, or in the folder `output`.

    Raises:
        ConfigError: if a pattern names no run, none is finished, or the target or reference is not
            one.
        RecordError: if a record or a curve cannot be read.
    """
    if not any(find_runs(results_dir)):
        raise ConfigError(
            f"figure {shown(' '.join(patterns))}: expected one of {', '.join(EXHIBITS)}, or names "
            f"of runs below {results_dir}, where there is none yet; `bnrepro run` makes one"
        )
    runs = tables.select(read_runs(results_dir), patterns)
    return _draw(runs, results_dir, target, reference, output)


@reading_once()
def draw_study(
    name: str,
    overrides: Sequence[Given],
    results_dir: str,
    *,
    target: float | None = None,
    reference: str | None = None,
    output: str | None = None,
) -> int:
    """The same of the runs of a study, in a folder of its name below `FOLDER`.

    Raises:
        ConfigError: as `main`, or if the study or an override is refused, or no run is there.
        RecordError: as `main`.
    """
    found = study_records.find(name, read_runs(results_dir), results_dir, overrides)
    if found.missing:
        print(found.missing, file=sys.stderr)
    folder = output or str(Path(results_dir, FOLDER, name))
    return _draw(found.runs, results_dir, target, reference, folder)


def _draw(
    runs: pd.DataFrame,
    results_dir: str,
    target: float | None,
    reference: str | None,
    output: str | None,
) -> int:
    made = exhibits(runs, read_curves(results_dir), results_dir, target=target, reference=reference)
    for one in made:
        for line in one.missing:
            print(line, file=sys.stderr)
        for finding in one.findings:
            print(finding)
    folder = Path(results_dir, FOLDER) if output is None else Path(output)
    for one in made:
        for path in replace(one, name=folder.name).write(folder.parent):
            print(path)
    return 0


def exhibits(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    results_dir: str,
    *,
    target: float | None = None,
    reference: str | None = None,
) -> list[Exhibit]:
    """The runs as an exhibit for each data set; frames and options of `tables.tabulate`.

    Raises:
        ConfigError: as `tables.tabulate`.
        RecordError: as `tables.tabulate`.
    """
    made = tables.tabulate(runs, curves, target=target, reference=reference)
    sets = by_data_set(runs)
    return [
        _exhibit(one, curves, table, results_dir) for one, table in zip(sets, made, strict=True)
    ]


def _exhibit(
    one: OneDataSet, curves: pd.DataFrame, table: tables.Table, results_dir: str
) -> Exhibit:
    own = curves.drop(columns="label").merge(one.results[["name", "seed", "label"]])
    own = statistics.extend_diverged(own, one.results)
    accuracy = statistics.mean_curves(own, int(one.results["data.num_classes"].iloc[0]))
    loss = statistics.mean_losses(own)
    labels = [row.experiment for row in table.rows]
    slug = re.sub(r"[^\w.]+", "_", one.data)
    titles, *cells = tables.printed_lines(table)
    place = [] if Path(results_dir) == Path(RESULTS) else [f"results_dir={results_dir}"]
    split = str(one.results["config.data.evaluation_split"].iloc[0])
    return Exhibit(
        name=FOLDER,
        title=f"Runs on {one.data}",
        setting=table.header[0],
        findings=[_finding(accuracy, lines(labels))],
        commands=[shlex.join(["bnrepro", "figure", *labels, *place])],
        missing=[line for line in table.notes if line.startswith("not counted")],
        drawings=list(_drawings(slug, table.rows, accuracy, loss, split)),
        tables=[
            Table(
                f"{slug}_table",
                titles,
                cells,
                "; ".join(table.header[1:]) or "No target was given.",
                notes=table.notes,
                file=tables.to_csv(table),
            )
        ],
        series=[
            Table(f"{slug}_accuracy", list(accuracy.columns), rows_of(accuracy)),
            Table(f"{slug}_loss", list(loss.columns), rows_of(loss)),
        ],
        runs=one.results,
    )


def _drawings(
    slug: str,
    rows: Sequence[TableRow],
    accuracy: pd.DataFrame,
    loss: pd.DataFrame,
    split: str,
) -> Iterator[Drawing]:
    """A drawing for each so many experiments, in the order of the table."""
    parts = [rows[start : start + _MOST_LINES] for start in range(0, len(rows), _MOST_LINES)]
    for number, part in enumerate(parts, start=1):
        name = slug if len(parts) == 1 else f"{slug}_{number}"
        of_part = lines([row.experiment for row in part])
        means, losses = (
            frame[frame["experiment"].isin(list(of_part))] for frame in (accuracy, loss)
        )
        panels = _panels(name, part, of_part, means, losses, split)
        title = _finding(means, of_part)
        yield Drawing(name, title, panels, [[panel.name for panel in panels]], _CAPTION)


def _panels(
    name: str,
    rows: Sequence[TableRow],
    of_rows: dict[str, Line],
    accuracy: pd.DataFrame,
    loss: pd.DataFrame,
    split: str,
) -> list[Panel]:
    described = _describe(accuracy, of_rows, split)
    draw = partial(_draw_accuracy, mean=accuracy, lines=of_rows, rows=rows, split=split)
    panels = [Panel(f"{name}_accuracy", f"Accuracy, {split} split", described, draw)]
    limits = _closer(accuracy, rows)
    if limits is not None:
        seen = "The same curves where they end, in which the last differences can be seen."
        closer = partial(draw, limits=limits)
        panels.append(Panel(f"{name}_closer", "The same, closer", seen, closer))
    if not loss.empty:
        seen = f"Mean cross-entropy on the {split} split against training steps, of the same runs."
        losses = partial(_draw_loss, mean=loss, lines=of_rows, split=split)
        panels.append(Panel(f"{name}_loss", f"Loss, {split} split", seen, losses))
    return panels


def _closer(accuracy: pd.DataFrame, rows: Sequence[TableRow]) -> tuple[float, float] | None:
    """Limits around what the second halves show; None where the whole axis shows it as well."""
    ends = accuracy.groupby("experiment")["step"].transform("max")
    late = accuracy[accuracy["step"] >= ends / 2]
    targets = [row.target for row in rows if row.target is not None]
    low = min([late["accuracy_low"].min(), *targets])
    high = max([late["accuracy_high"].max(), *targets])
    lowest, highest = accuracy["accuracy_low"].min(), accuracy["accuracy_high"].max()
    if not 0 < high - low < (highest - lowest) / 3:
        return None
    return low - 0.1 * (high - low), high + 0.1 * (high - low)


def _draw_accuracy(
    axes: Axes,
    mean: pd.DataFrame,
    lines: dict[str, Line],
    rows: Sequence[TableRow],
    split: str,
    limits: tuple[float, float] | None = None,
) -> None:
    ends = []
    for place, (label, line) in enumerate(lines.items()):
        own = mean[mean["experiment"] == label]
        if not own.empty:
            ends.append(draw_mean(axes, own, line, phase=place / len(lines)))
    axes.set_ylim(limits or (0, min(1.05, 1.08 * mean["accuracy_high"].max())))
    targets = sorted({row.target for row in rows if row.target is not None})
    for target in targets:
        draw_target(axes, target)
    reached = [
        (row.steps.median, row.target, lines[row.experiment])
        for row in rows
        if row.steps and row.steps.median is not None and row.target is not None
    ]
    draw_diamonds(axes, reached)
    axes.set_ylabel(f"{split} accuracy")
    percent_axis(axes.yaxis)
    to = percent(targets[0]) if len(targets) == 1 else "the dotted lines"
    step_axis(axes, f"training steps (diamonds: to {to})" if targets else "training steps")
    label_ends(axes, ends)


class _Plain(LogFormatter):
    """Labels where a logarithmic axis has them, as plain numbers: `0.6`, not `6e-01`."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def _draw_loss(axes: Axes, mean: pd.DataFrame, lines: dict[str, Line], split: str) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(_Plain())
    axes.yaxis.set_minor_formatter(_Plain(labelOnlyBase=False, minor_thresholds=(2, 0.4)))
    ends = []
    for place, (label, line) in enumerate(lines.items()):
        own = mean[mean["experiment"] == label]
        if not own.empty:
            ends.append(draw_mean(axes, own, line, phase=place / len(lines), of="loss"))
    axes.set_ylabel(f"{split} loss")
    step_axis(axes)
    label_ends(axes, ends)


def _ends(accuracy: pd.DataFrame) -> pd.DataFrame:
    """The last row of each experiment, the highest first."""
    last = accuracy.sort_values("step", kind="stable").groupby("experiment").tail(1)
    return last.sort_values("accuracy_mean", ascending=False, kind="stable")


def _finding(accuracy: pd.DataFrame, lines: dict[str, Line]) -> str:
    highest, *others = [
        (lines[row["experiment"]].label, percent(row["accuracy_mean"]))
        for row in _ends(accuracy).to_dict("records")
    ]
    if not others:
        return "{} ends at {}.".format(*highest)
    lowest = others[-1]
    if len(others) == 1:
        return "{} ends at {}, {} at {}.".format(*highest, *lowest)
    rank = f"Of {len(others) + 1} experiments {{}} ends highest, at {{}}, and {{}} lowest, at {{}}."
    return rank.format(*highest, *lowest)


def _describe(accuracy: pd.DataFrame, lines: dict[str, Line], split: str) -> str:
    each = "; ".join(
        f"{lines[row['experiment']].label} ends at {percent(row['accuracy_mean'])} (seeds "
        f"{percent(row['accuracy_low'])} to {percent(row['accuracy_high'])})"
        for row in _ends(accuracy).to_dict("records")
    )
    return f"Accuracy on the {split} split against training steps, mean over the seeds: {each}."
