"""Tables as text, CSV, Markdown and LaTeX."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable
from functools import partial

import pandas as pd

from bnrepro.experiments import EXPERIMENTS
from bnrepro.screen import percent
from bnrepro.statistics import Interval, Speedup
from bnrepro.tables.latex import latex_table
from bnrepro.tables.markdown import markdown_table
from bnrepro.tables.rows import Steps, Table, TableRow
from bnrepro.tables.wording import span

# Columns of prose where nothing says how wide the page is.
PROSE = 100
_GAP, _DASH = "  ", "\u2013"
_TITLES = (
    "experiment",
    "n",
    "target",
    "reached",
    "steps",
    "sustained",
    "speed-up",
    "best accuracy",
    "diverged",
    "paper steps",
    "paper best",
)


def terminal_width() -> int | None:
    """The columns of the terminal that standard output is, None where it is a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def to_csv(*tables: Table) -> str:
    """The contract's columns; empty where a number is absent."""
    frame = pd.concat([table.frame for table in tables])
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def to_text(*tables: Table, width: int | None = None) -> str:
    """For a terminal: header, aligned columns, notes.

    Columns that do not fit into `width` stand below the others; without one no row is broken.
    """
    return "\n\n".join(_text(table, width) for table in tables)


def _text(table: Table, width: int | None) -> str:
    prose = partial(wrapped, width=width or PROSE)
    parts = [
        *prose(table.header),
        "",
        *aligned(printed_lines(table), width),
        "",
        *prose(table.notes),
    ]
    return "\n".join(parts).rstrip() + "\n"


def to_markdown(*tables: Table) -> str:
    """Each as a Markdown table, its header above and its notes as a list below."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    titles, *lines = printed_lines(table)
    listed = [f"- {note}" for note in table.notes]
    parts = [*table.header, markdown_table(titles, lines), "\n".join(listed)]
    return "\n\n".join(parts) + "\n"


def to_latex(*tables: Table) -> str:
    """Each as a LaTeX `tabular`, its header and its notes as comments above it."""
    return "\n".join(_latex(table) for table in tables)


def _latex(table: Table) -> str:
    titles, *lines = printed_lines(table)
    return latex_table(titles, lines, [*table.header, *table.notes]) + "\n"


def wrapped(lines: Iterable[str], width: int) -> list[str]:
    """The lines of a page so wide; neither a name nor a percentage is broken."""
    wrap = partial(textwrap.wrap, width=width, subsequent_indent="  ", break_on_hyphens=False)
    kept = (line.replace(" %", "\N{NO-BREAK SPACE}%") for line in lines)
    return [part.replace("\N{NO-BREAK SPACE}", " ") for line in kept for part in wrap(line)]


def aligned(lines: list[list[str]], width: int | None) -> list[str]:
    """The rows with their columns aligned, in as many blocks as the width asks for."""
    columns = [list(column) for column in zip(*lines, strict=True)]
    if width is None:
        return _side_by_side(columns)
    names, *others = columns
    names = [_folded(name, width // 2) for name in names]
    blocks: list[list[list[str]]] = [[]]
    for column in others:
        if blocks[-1] and _total([names, *blocks[-1], column]) > width:
            blocks.append([])
        blocks[-1].append(column)
    parts = ["\n".join(_side_by_side([names, *block])) for block in blocks]
    return ["\n\n".join(parts)]


def _side_by_side(columns: list[list[str]]) -> list[str]:
    widths = [_width(column) for column in columns]
    printed = []
    for cells in zip(*columns, strict=True):
        # Only a name may be of several lines; the numbers stand beside its last one.
        *above, last = cells[0].split("\n")
        row = [last, *cells[1:]]
        aligned = _GAP.join(cell.ljust(to) for cell, to in zip(row, widths, strict=True))
        printed += [*above, aligned.rstrip()]
    return printed


def _folded(name: str, width: int) -> str:
    """A name broken between its parts where it is longer."""
    lines = [""]
    for part in re.findall("[^-]+-?", name):
        if lines[-1] and len(lines[-1] + part) > width:
            lines.append("  ")
        lines[-1] += part
    return "\n".join(lines)


def _width(column: list[str]) -> int:
    return max(len(line) for cell in column for line in cell.split("\n"))


def _total(columns: list[list[str]]) -> int:
    return sum(map(_width, columns)) + len(_GAP) * (len(columns) - 1)


def printed_lines(table: Table) -> list[list[str]]:
    """Titles and printed cells, without the columns that are empty throughout.

    A dash stands where nothing was measured.
    """
    rows = table.rows
    asked = {
        "target": len({row.target for row in rows if row.target is not None}) > 1,
        "reached": any(row.steps for row in rows),
        "diverged": any(row.diverged_at for row in rows),
    }
    cells = [_printed(row, asked) for row in rows]
    filled = [index for index in range(len(_TITLES)) if any(line[index] for line in cells)]
    return [list(map(_TITLES.__getitem__, filled))] + [
        [line[index] or _DASH for index in filled] for line in cells
    ]


def _printed(row: TableRow, asked: dict[str, bool]) -> tuple[str, ...]:
    """The cells of a row, in the order of `_TITLES`; empty where there is nothing to say.

    `asked` is which columns say something in this table that they do not say in every one.
    """
    best = EXPERIMENTS[row.paper_experiment].paper_best_accuracy
    return (
        row.experiment,
        "" if asked["reached"] else f"{row.n}",  # else in that cell
        percent(row.target) if asked["target"] and row.target is not None else "",
        _reached(row) if asked["reached"] else "",
        _steps(row),
        _median(row.sustained) if row.sustained else "",
        "reference" if row.experiment == row.reference else _speedup(row.speedup),
        ""
        if row.best_accuracy is None
        else percent(row.best_accuracy) + brackets(row.best_accuracy_interval, ".2%"),
        f"{len(row.diverged_at)} of {row.n}" if asked["diverged"] else "",
        _paper_steps(row.paper_experiment),
        f"{100 * best:.1f} %" if best else "",
    )


def _reached(row: TableRow) -> str:
    return f"{row.steps.reached if row.steps else _DASH} of {row.n}"


def _steps(row: TableRow) -> str:
    if row.steps is None:
        return ""
    if not row.steps.reached and len(row.diverged_at) == row.n:
        return f"diverged at step {span(row.diverged_at.values())}"
    return _median(row.steps) + brackets(row.steps.interval, ",.0f")


def _median(steps: Steps) -> str:
    if steps.median is not None:
        return f"{steps.median:,.0f}"
    return f"> {steps.last:,}" if steps.reached else "never"


def _speedup(speedup: Speedup | None) -> str:
    if speedup is None or speedup.value is None:
        return ""
    sign = "" if speedup.relation == "=" else f"{speedup.relation} "
    return f"{sign}{speedup.value:.2f}" + brackets(speedup.interval, ".2f")


def _paper_steps(experiment: str) -> str:
    printed = EXPERIMENTS[experiment].paper_row
    if printed is None:
        return ""
    return f"{printed.steps_to_target:,}" if printed.steps_to_target else "never"


def brackets(interval: Interval, form: str) -> str:
    """` (1,000-1,500)`, ` (1,000+)` with an open upper end; nothing for no interval."""
    low, high = (
        None if end is None else f"{end:{form}}".removesuffix("%")
        for end in (interval.low, interval.high)
    )
    if low and high:
        return f" ({low}-{high})"
    if low:
        return f" ({low}+)"
    return f" (up to {high})" if high else ""
