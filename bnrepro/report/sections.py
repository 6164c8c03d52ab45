"""The parts of the page, each made of the records or of files that other commands left."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bnrepro.config import ConfigError
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table
from bnrepro.exhibits.making import Part
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


def exhibit(part: Part, results_dir: str) -> Section:
    """One of the figures, which is written to its own folder too; or why it is left out.

    Raises:
        RecordError: if a record cannot be read.
    """
    identifier = f"figure-{part.name}"
    try:
        made = part.make(results_dir)
    except ConfigError as error:
        return Section(identifier, part.title, markup.missing(str(error)))
    return section(identifier, part.title, made, results_dir)


def section(identifier: str, title: str, made: Exhibit, results_dir: str) -> Section:
    """An exhibit as a part of the page; its files are written to its own folder too."""
    made.write(results_dir)
    shown = [
        *(markup.paragraph(line, "setting") for line in made.setting.splitlines()),
        _how(made.commands, made.runs),
        *(markup.missing(line) for line in made.missing),
        *([markup.findings(map(markup.escape, made.findings))] if made.findings else []),
        *(_drawing(drawing, identifier) for drawing in made.drawings),
        *(piece for table in made.tables for piece in short_or_folded(table)),
        *_notes(made, results_dir),
        markup.data_files(list(made.files)),
    ]
    return Section(identifier, title, "\n".join(shown), made.runs, made.findings)


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


def short_or_folded(table: Table) -> list[str]:
    """A long one is opened on demand, so that the page can be read from top to bottom."""
    shown = markup.table(table.columns, table.rows, table.caption)
    if len(table.rows) > _LONG:
        subject = re.split("[.:;]", table.caption)[0]
        shown = markup.details(shown, f"{subject} ({len(table.rows)} rows)")
    return [shown, markup.notes(table.notes)] if table.notes else [shown]


def _notes(made: Exhibit, results_dir: str) -> list[str]:
    name = f"{made.name}/NOTES.md"
    return [markup.notes_file(name)] if (Path(results_dir) / name).exists() else []
