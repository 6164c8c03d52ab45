"""Figure 4 (section 4.2.3): the mean of six networks' class probabilities, and each alone."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from bnrepro import paper
from bnrepro.drawing.curves import percent_axis, write_beside
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, folder
from bnrepro.exhibits.figure_4.errors import completed, error_rows
from bnrepro.exhibits.selection import select, select_optional
from bnrepro.exhibits.wording import percent, points, setting_of_one_each
from bnrepro.experiments.line import BLUE, VERMILLION
from bnrepro.records import predictions
from bnrepro.records.predictions import ErrorRow

_CAPTION = (
    "A mark is one network, or their mean, without an interval: filled the top-1, open the top-5 "
    "error. The diamonds and the dotted line are the ensemble, of which there is one."
)
# Where the columns of numbers beside the axes end, in points from them.
_COLUMNS = {"top-1": 36, "top-5": 69}


class SameSeedRow(NamedTuple):
    """A network beside figure 2's plain BN-x30 of its seed; `gap` is the first error minus this."""

    model: str
    seed: int
    top1_error: float
    plain_top1_error: float
    gap: float


def exhibit(results_dir: str, scale: str) -> Exhibit:
    """Figure 4 from the predictions of the study `figure_4`'s networks.

    Raises:
        ConfigError: if fewer than two networks are there, or they were not scored on the same.
        RecordError: if a record or predictions cannot be read.
    """
    chosen = select("figure_4", results_dir, (f"scale={scale}",))
    trained = completed(chosen)
    rows = error_rows(trained)
    plain, _ = select_optional("figure_2", results_dir, (f"scale={scale}",))
    same_seed = _same_seed(trained["seed"], rows, None if plain is None else plain.runs)
    return Exhibit(
        name=folder("figure_4", scale),
        title="Figure 4",
        setting=setting_of_one_each(trained),
        findings=[_finding(rows), *_without_control(same_seed)],
        commands=[chosen.command, f"bnrepro figure 4 scale={scale}"],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[_drawing(rows)],
        tables=[
            Table("table", predictions.COLUMNS, rows, "Errors on the test images."),
            _paper_table(),
            same_seed,
        ],
        series=[],
        runs=chosen.runs,
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
    seeds: Iterable[int], rows: Sequence[ErrorRow], others: pd.DataFrame | None
) -> Table:
    """Each network beside figure 2's BN-x30 of its seed, where there is one."""
    plain: Mapping[Hashable, float] = {}
    if others is not None:
        of_x30 = others[others["label"] == "bn_x30"].set_index("seed")
        plain = (1 - of_x30["judged_final"]).to_dict()
    compared = [
        SameSeedRow(row.model, seed, row.top1_error, plain[seed], row.top1_error - plain[seed])
        for seed, row in zip(seeds, rows, strict=False)
        if seed in plain
    ]
    caption = (
        "Each network's top-1 error beside that of figure 2's plain BN-x30 of the same seed: one "
        "network each."
    )
    return Table("same_seed", SameSeedRow._fields, compared, caption)


def _without_control(table: Table) -> Iterator[str]:
    gaps = [SameSeedRow(*row).gap for row in table.rows]
    if gaps:
        yield (
            f"Of the {len(gaps)} networks {sum(gap > 0 for gap in gaps)} err more than the plain "
            f"BN-x30 of the same seed, by {points(min(gaps), 2)} to {points(max(gaps), 2)} points. "
            "This is one ensemble; of as many plain networks the mean has not been taken, so that "
            "it does not show what the variations add."
        )


def _paper_table() -> Table:
    rows = [
        [row.model, row.networks, row.resolution, row.crops, row.top1_error, row.top5_error]
        for row in paper.FIGURE_4
    ]
    columns = ("model", "networks", "resolution", "crops", "top1_error", "top5_error")
    caption = "The paper's figure 4: errors on the ImageNet validation set."
    return Table("paper", columns, rows, caption)


def _drawing(rows: Sequence[ErrorRow]) -> Drawing:
    ours = [(row.model, row.top1_error, row.top5_error) for row in rows]
    theirs = [
        (row.model, row.top1_error, row.top5_error)
        for row in paper.FIGURE_4
        if row.top1_error is not None and row.model.startswith("BN-Inception")
    ]
    panels = [
        Panel(
            "errors",
            "Ours, on the test images",
            _describe(ours),
            partial(_draw_errors, rows=ours),
        ),
        Panel(
            "paper_errors",
            "The paper's, on ImageNet",
            _describe(theirs),
            partial(_draw_errors, rows=theirs),
        ),
    ]
    return Drawing("figure_4", _title(rows), panels, [[panel.name for panel in panels]], _CAPTION)


def _title(rows: Sequence[ErrorRow]) -> str:
    *singles, _, ensemble = rows
    errors = [row.top1_error for row in singles]
    return (
        f"The mean of {ensemble.networks} networks errs on {percent(ensemble.top1_error)}, each "
        f"alone on {100 * min(errors):.1f} to {percent(max(errors))}"
    )


def _draw_errors(axes: Axes, rows: Sequence[tuple[str, float, float]]) -> None:
    """Draw one row per model, the first on top: top-1 error filled, top-5 error open."""
    heights = range(len(rows), 0, -1)
    for height, (model, top1, top5) in zip(heights, rows, strict=True):
        together = model.endswith("ensemble")
        marker, size, color = ("D", 6.0, VERMILLION) if together else ("o", 5.0, BLUE)
        for error, face in ((top1, color), (top5, "none")):
            axes.plot([error], [height], marker, ms=size, mfc=face, mec=color, mew=1.2)
        if together:
            axes.axvline(top1, color=color, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        for name, error in zip(_COLUMNS, (top1, top5), strict=True):
            write_beside(axes, percent(error, 2), height, _COLUMNS[name])
    for name, end in _COLUMNS.items():
        write_beside(axes, name, len(rows) + 0.6, end)
    axes.set_yticks(list(heights), [model for model, _, _ in rows], fontsize=8)
    axes.set_ylim(0.4, len(rows) + 0.6)
    highest = max(top1 for _, top1, _ in rows)
    axes.set_xlim(-0.05 * highest, 1.06 * highest)
    axes.grid(visible=False, axis="y")
    percent_axis(axes.xaxis)
    axes.set_xlabel("error: top-1 filled, top-5 open")


def _describe(rows: Sequence[tuple[str, float, float]]) -> str:
    each = "; ".join(
        f"{model} {percent(top1, 2)} and {percent(top5, 2)}" for model, top1, top5 in rows
    )
    return f"Top-1 and top-5 error: {each}."
