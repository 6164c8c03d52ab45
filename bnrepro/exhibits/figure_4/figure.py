"""Figure 4 (section 4.2.3): the mean of six networks' class probabilities, and each alone.

Beside them six plain networks, which differ in their seed alone, and the mean of these.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from bnrepro import paper
from bnrepro.drawing.curves import percent_axis, write_beside
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, folder
from bnrepro.exhibits.figure_4.errors import completed, error_rows, plain_rows
from bnrepro.exhibits.selection import Selection, select, select_optional
from bnrepro.exhibits.wording import made_on, percent, points, setting_of_one_each
from bnrepro.experiments.line import BLUE, VERMILLION
from bnrepro.records import predictions
from bnrepro.records.predictions import ErrorRow

_CAPTION = (
    "A mark is the top-1 error of one network, or their mean, without an interval; diamonds are "
    "the ensembles, of which there is one each. Filled: varied as the row says; open: plain BN-x30 "
    "of the same seed. Both panels have the same axis; top-5 errors are in the tables."
)
# Where the columns of numbers beside the axes end, in points from them.
_COLUMN_POINTS = 36


class SameSeedRow(NamedTuple):
    """A network beside the plain BN-x30 of its seed; `gap` is the first error minus this one's."""

    model: str
    seed: int
    top1_error: float
    plain_top1_error: float
    gap: float


class Marks(NamedTuple):
    """One column of marks: `errors` are top-1 errors by row."""

    column: str
    errors: Mapping[str, float]
    filled: bool


def exhibit(results_dir: str, scale: str) -> Exhibit:
    """Figure 4 from the predictions of the study `figure_4`'s networks.

    Raises:
        ConfigError: if fewer than two networks are there, or they were not scored on the same.
        RecordError: if a record or predictions cannot be read.
    """
    words = (f"scale={scale}",)
    chosen = select("figure_4", results_dir, words)
    trained = completed(chosen)
    rows = error_rows(trained)
    control, without_control = select_optional("figure_4_control", results_dir, words)
    plain = [] if control is None else plain_rows(completed(control))
    every = chosen.runs if control is None else pd.concat([chosen.runs, control.runs])
    same_seed = _same_seed(trained["seed"], rows, plain, control)
    return Exhibit(
        name=folder("figure_4", scale),
        title="Figure 4",
        setting=setting_of_one_each(trained),
        findings=[_finding(rows), *_against_plain(rows, plain, same_seed), made_on(every)],
        commands=[chosen.command, f"bnrepro figure 4 scale={scale}"],
        missing=[line for line in (chosen.missing, without_control) if line],
        drawings=[_drawing(rows, plain, same_seed)],
        tables=[
            Table("table", predictions.COLUMNS, rows, "Errors on the test images."),
            Table("control", predictions.COLUMNS, plain, "Errors of plain BN-x30 networks."),
            _paper_table(),
            same_seed,
        ],
        series=[],
        runs=every,
    )


def _finding(rows: Sequence[ErrorRow]) -> str:
    *_, mean, ensemble = rows
    errors = {row.model: row.top1_error for row in paper.FIGURE_4}
    return (
        f"The mean of {ensemble.networks} networks errs on {percent(ensemble.top1_error, 2)} of "
        f"the test images, a single one on {percent(mean.top1_error, 2)} on average; in "
        f"the paper, on ImageNet, {percent(errors['BN-Inception ensemble'] or 0)} against "
        f"{percent(errors['BN-Inception multicrop'] or 0)}."
    )


def _same_seed(
    seeds: Iterable[int],
    rows: Sequence[ErrorRow],
    plain: Sequence[ErrorRow],
    control: Selection | None,
) -> Table:
    """Each network beside the plain one of its seed, where there is one."""
    plain_seeds = () if control is None else completed(control)["seed"]
    errors = {seed: row.top1_error for seed, row in zip(plain_seeds, plain, strict=False)}
    compared = [
        SameSeedRow(row.model, seed, row.top1_error, errors[seed], row.top1_error - errors[seed])
        for seed, row in zip(seeds, rows, strict=False)
        if seed in errors
    ]
    caption = (
        "Each network's top-1 error beside that of the plain BN-x30 of the same seed: one network "
        "each."
    )
    return Table("same_seed", SameSeedRow._fields, compared, caption)


def _against_plain(
    rows: Sequence[ErrorRow], plain: Sequence[ErrorRow], same_seed: Table
) -> Iterator[str]:
    """What the variations add: single networks, and the means of as many."""
    gaps = [SameSeedRow(*row).gap for row in same_seed.rows]
    if gaps:
        yield (
            f"Of the {len(gaps)} networks {sum(gap > 0 for gap in gaps)} err more than the plain "
            f"BN-x30 of the same seed, by {points(min(gaps), 2)} to {points(max(gaps), 2)} points."
        )
    if plain:
        *_, mean, ensemble = plain
        gap = rows[-1].top1_error - ensemble.top1_error
        yield (
            f"The control: the mean of {ensemble.networks} plain BN-x30 networks, which differ in "
            f"their seed alone, errs on {percent(ensemble.top1_error, 2)}, a single one on "
            f"{percent(mean.top1_error, 2)} on average. With the variations of section 4.2.3 the "
            f"mean errs on {abs(100 * gap):.2f} points {'more' if gap > 0 else 'less'} than "
            "without; there is one ensemble of each."
        )


def _paper_table() -> Table:
    rows = [
        [row.model, row.networks, row.resolution, row.crops, row.top1_error, row.top5_error]
        for row in paper.FIGURE_4
    ]
    columns = ("model", "networks", "resolution", "crops", "top1_error", "top5_error")
    caption = "The paper's figure 4: errors on the ImageNet validation set."
    return Table("paper", columns, rows, caption)


def _drawing(rows: Sequence[ErrorRow], plain: Sequence[ErrorRow], same_seed: Table) -> Drawing:
    *_, mean, ensemble = rows
    varied = Marks("varied", {row.model: row.top1_error for row in rows}, filled=True)
    ours = [varied]
    if plain:
        compared = [SameSeedRow(*row) for row in same_seed.rows]
        errors = {row.model: row.plain_top1_error for row in compared}
        errors |= {mean.model: plain[-2].top1_error, ensemble.model: plain[-1].top1_error}
        ours.append(Marks("plain", errors, filled=False))
    errors = {
        row.model: row.top1_error
        for row in paper.FIGURE_4
        if row.top1_error is not None and row.model.startswith("BN-Inception")
    }
    theirs = [Marks("top-1", errors, filled=True)]
    every = [error for marks in (*ours, *theirs) for error in marks.errors.values()]
    limits = (min(every) - 0.01, max(every) + 0.01)
    panels = [
        Panel(
            name,
            title,
            _describe(columns),
            partial(_draw_errors, columns=columns, limits=limits),
        )
        for name, title, columns in (
            ("errors", "Ours, on the test images", ours),
            ("paper_errors", "The paper's, on ImageNet", theirs),
        )
    ]
    title = _title(rows, plain)
    return Drawing("figure_4", title, panels, [[panel.name for panel in panels]], _CAPTION)


def _title(rows: Sequence[ErrorRow], plain: Sequence[ErrorRow]) -> str:
    *singles, _, ensemble = rows
    errors = [row.top1_error for row in singles]
    alone = f"each alone on {100 * min(errors):.1f} to {percent(max(errors))}"
    said, error = f"The mean of {ensemble.networks}", percent(ensemble.top1_error)
    if not plain:
        return f"{said} networks errs on {error}, {alone}"
    return (
        f"{said} varied networks errs on {error}, that of {plain[-1].networks} plain ones on "
        f"{percent(plain[-1].top1_error)}"
    )


def _draw_errors(axes: Axes, columns: Sequence[Marks], limits: tuple[float, float]) -> None:
    """Draw one row per model, the first on top, and a column of numbers for each of its marks."""
    models = list(columns[0].errors)
    heights = {model: len(models) - row for row, model in enumerate(models)}
    for number, marks in enumerate(columns, start=1):
        end = number * _COLUMN_POINTS
        write_beside(axes, marks.column, len(models) + 0.6, end)
        for model, error in marks.errors.items():
            together = model.endswith("ensemble")
            marker, size, color = ("D", 6.0, VERMILLION) if together else ("o", 5.0, BLUE)
            face = color if marks.filled else "none"
            axes.plot([error], [heights[model]], marker, ms=size, mfc=face, mec=color, mew=1.2)
            write_beside(axes, percent(error, 2), heights[model], end)
    axes.set_yticks(list(heights.values()), models, fontsize=8)
    axes.set_ylim(0.4, len(models) + 0.6)
    axes.set_xlim(limits)
    axes.grid(visible=False, axis="y")
    percent_axis(axes.xaxis)
    axes.set_xlabel("top-1 error")


def _describe(columns: Sequence[Marks]) -> str:
    each = (
        f"{marks.column}: "
        + "; ".join(f"{model} {percent(error, 2)}" for model, error in marks.errors.items())
        for marks in columns
    )
    return f"Top-1 errors, {'. '.join(each)}."
