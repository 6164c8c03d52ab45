"""The parts of the page, each made of the records or of files that other commands left."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bnrepro import exhibits, paper, tables
from bnrepro.config import ConfigError
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table
from bnrepro.exhibits.figure_2.claims import figure_2_verdicts
from bnrepro.exhibits.selection import select
from bnrepro.records.record import write_atomically
from bnrepro.report import deviations, markup, provenance

# Rows of a table, above which it is folded.
_LONG = 12


@dataclass(frozen=True)
class Section:
    """A part of the page; `runs` are those that it is made of, `findings` what comes out."""

    identifier: str
    title: str
    body: str
    runs: pd.DataFrame | None = None
    findings: Sequence[str] = ()


def exhibit(name: str, title: str, results_dir: str, scale: str | None = None) -> Section:
    """One of the figures, which is written to its own folder too; or why it is left out.

    Raises:
        RecordError: if a record cannot be read.
    """
    identifier = f"figure-{name}"
    try:
        made = exhibits.exhibit(name, results_dir, scale)
    except ConfigError as error:
        return Section(identifier, title, markup.missing(str(error)))
    made.write(results_dir)
    parts = [
        markup.paragraph(made.setting, "setting"),
        _how(made.commands, made.runs),
        *(markup.missing(line) for line in made.missing),
        markup.findings(map(markup.escape, made.findings)),
        *(_drawing(drawing, identifier) for drawing in made.drawings),
        *map(_table, made.tables),
        *_notes(made, results_dir),
        _data_files(made),
    ]
    return Section(identifier, title, "\n".join(parts), made.runs, made.findings)


def in_short(parts: Sequence[Section]) -> Section:
    """The first finding of each of the other parts, linked to it."""
    found = [
        f'{markup.escape(part.findings[0])} <a href="#{part.identifier}">'
        f"{markup.escape(part.title.partition(':')[0])}</a>"
        for part in parts
        if part.findings
    ]
    nothing = markup.missing("there are no records yet")
    return Section("in-short", "In short", markup.findings(found) if found else nothing)


def figure_3(results_dir: str, scale: str) -> Section:
    """The table of steps to the target, written beside figure 2, and the paper's own.

    Raises:
        RecordError: if a record cannot be read.
    """
    identifier, title = "figure-3", "Figure 3: steps to the target"
    try:
        chosen = select("figure_2", results_dir, (f"scale={scale}",))
        table = tables.table(chosen.runs, chosen.curves)
    except ConfigError as error:
        return Section(identifier, title, markup.missing(str(error)))
    folder = exhibits.folder("figure_2", scale)
    verdicts = figure_2_verdicts(chosen.runs, chosen.curves)
    place = Path(results_dir) / folder
    write_atomically(place / "table.csv", tables.to_csv(table))
    write_atomically(place / "verdicts.csv", verdicts.to_csv(index=False, lineterminator="\n"))
    columns, *rows = tables.printed_lines(table)
    parts = [
        *(markup.paragraph(line, "setting") for line in table.header),
        _how([chosen.command, f"bnrepro table study=figure_2 scale={scale}"], chosen.runs),
        markup.table(columns, rows, "Ours, beside the paper's on ImageNet."),
        markup.notes(table.notes),
        markup.table(list(verdicts.columns), verdicts.to_numpy().tolist(), "Verdicts."),
        markup.table(*_paper_figure_3(), "The paper's figure 3, on ImageNet."),
        markup.data_files([f"{folder}/table.csv", f"{folder}/verdicts.csv"]),
    ]
    return Section(identifier, title, "\n".join(parts), chosen.runs)


def _paper_figure_3() -> tuple[list[str], list[list[object]]]:
    columns = ["network", "learning_rate", "steps to 72.2 %", "best_accuracy"]
    rows: list[list[object]] = [
        [row.label, row.learning_rate, row.steps_to_target or "never", row.best_accuracy]
        for row in paper.FIGURE_3
    ]
    return columns, rows


def settings(scale: str) -> Section:
    """Deviations, open settings and equal ones, from the configs and the paper's settings.

    Raises:
        ConfigError: if the scale is refused.
    """
    parts = []
    for figure, comparisons in deviations.compare_all(scale).items():
        for kind, caption in deviations.KINDS.items():
            rows = [item.row for item in comparisons if item.kind == kind]
            is_open = kind == "left open"
            columns = deviations.OPEN_COLUMNS if is_open else deviations.COLUMNS
            table = markup.table(columns, rows, f"{figure}. {caption}.")
            parts.append(
                markup.details(table, f"{figure}: {caption.lower()} ({len(rows)})")
                if kind == "as the paper"
                else table
            )
    introduction = markup.paragraph(deviations.introduction(scale))
    return Section("deviations", "Deviations from the paper", "\n".join([introduction, *parts]))


def origin(sections: Sequence[Section]) -> Section:
    """The runs behind the other sections: machine, versions, commit and time; and each run."""
    made = {section.title: section.runs for section in sections if section.runs is not None}
    rows = [provenance.row(title, runs) for title, runs in made.items()]
    parts = [markup.table(provenance.COLUMNS, rows, "The runs of each exhibit.")]
    for title, runs in made.items():
        table = markup.table(provenance.RUN_COLUMNS, provenance.run_rows(runs), title)
        parts.append(markup.details(table, f"{title}: all {len(runs)} runs"))
    return Section("provenance", "Provenance", "\n".join(parts))


def _how(commands: Sequence[str], runs: pd.DataFrame) -> str:
    said = ", ".join(markup.code(command) for command in commands)
    return f'<p class="how">{said}<br>{markup.escape(provenance.cost(runs))}</p>'


def _drawing(drawing: Drawing, identifier: str) -> str:
    drawn = "\n".join(markup.panel(panel, identifier) for panel in drawing.panels)
    return (
        f"<h3>{markup.escape(drawing.title)}</h3>"
        f'<div class="panels">{drawn}</div>{markup.paragraph(drawing.caption, "note")}'
    )


def _table(table: Table) -> str:
    """A long one is opened on demand, so that the page can be read from top to bottom."""
    shown = markup.table(table.columns, table.rows, table.caption)
    if len(table.rows) <= _LONG:
        return shown
    subject = re.split("[.:;]", table.caption)[0]
    return markup.details(shown, f"{subject} ({len(table.rows)} rows)")


def _notes(made: Exhibit, results_dir: str) -> list[str]:
    name = f"{made.name}/NOTES.md"
    return [markup.notes_file(name)] if (Path(results_dir) / name).exists() else []


def _data_files(made: Exhibit) -> str:
    names = [table.name for table in (*made.tables, *made.series)]
    return markup.data_files([f"{made.name}/{name}.csv" for name in names])
