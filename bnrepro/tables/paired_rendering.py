"""Paired differences as text, CSV, Markdown and LaTeX."""

from collections.abc import Iterator

import pandas as pd

from bnrepro.statistics import Interval
from bnrepro.tables.latex import latex_table
from bnrepro.tables.markdown import markdown_table
from bnrepro.tables.paired import PairedDifference, PairedTable, is_of_steps
from bnrepro.tables.rendering import PROSE, aligned, wrapped

_DASH = "\N{EN DASH}"
_TITLES = ("measure", "n", "difference", "effect", "p")
_HOLM = "p (Holm)"


def paired_to_text(*tables: PairedTable, width: int | None = None) -> str:
    """For a terminal: of each experiment what differs in its config, then its differences."""
    return "\n\n".join("\n".join(_text(table, width)) + "\n" for table in tables)


def _text(table: PairedTable, width: int | None) -> Iterator[str]:
    yield from wrapped(table.header, width or PROSE)
    for experiment, differs in table.differs.items():
        rows = [row for row in table.rows if row.experiment == experiment]
        if rows:
            yield ""
            yield from wrapped([f"{experiment}: differs in {differs}"], width or PROSE)
            yield from aligned([_titles(table), *(_cells(table, row) for row in rows)], width)
    yield ""
    yield from wrapped(table.notes, width or PROSE)


def paired_to_csv(*tables: PairedTable) -> str:
    """The columns of `PAIRED_COLUMNS`; empty where a number is absent."""
    frame = pd.concat([table.frame for table in tables])
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def paired_to_markdown(*tables: PairedTable) -> str:
    """Each as a Markdown table, with what differs and its notes as a list below."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: PairedTable) -> str:
    titles, rows = _whole(table)
    listed = "\n".join(f"- {line}" for line in [*_differences(table), *table.notes])
    return "\n\n".join([*table.header, markdown_table(titles, rows), listed]) + "\n"


def paired_to_latex(*tables: PairedTable) -> str:
    """Each as a LaTeX `tabular`, with the rest as comments above it."""
    return "\n".join(
        latex_table(*_whole(table), [*table.header, *_differences(table), *table.notes]) + "\n"
        for table in tables
    )


def _whole(table: PairedTable) -> tuple[list[str], list[list[str]]]:
    """Titles and cells, with the experiment before them."""
    rows = [[row.experiment, *_cells(table, row)] for row in table.rows]
    return ["experiment", *_titles(table)], rows


def _differences(table: PairedTable) -> list[str]:
    return [f"{experiment}: differs in {words}" for experiment, words in table.differs.items()]


def _titles(table: PairedTable) -> list[str]:
    return [*_TITLES, _HOLM] if _is_corrected(table) else [*_TITLES]


def _is_corrected(table: PairedTable) -> bool:
    """One test alone has nothing to be corrected for."""
    return sum(row.p_value is not None for row in table.rows) > 1


def _cells(table: PairedTable, row: PairedDifference) -> list[str]:
    unit = "" if is_of_steps(row.measure) else " points"
    size = 1 if is_of_steps(row.measure) else 100
    form = "+,.0f" if is_of_steps(row.measure) else "+.2f"
    cells = [
        row.measure,
        f"{row.n}",
        f"{size * row.difference:{form}}{unit}" + _brackets(row.interval, size, form),
        _DASH if row.effect_size is None else f"{row.effect_size:+.2f}",
        _p_value(row.p_value),
    ]
    return [*cells, _p_value(row.p_value_holm)] if _is_corrected(table) else cells


def _p_value(value: float | None) -> str:
    return _DASH if value is None else f"{value:.2g}"


def _brackets(interval: Interval, size: int, form: str) -> str:
    """` (+1.20 to +3.40)`; nothing for no interval, as all values are known."""
    if interval.low is None or interval.high is None:
        return ""
    return f" ({size * interval.low:{form}} to {size * interval.high:{form}})"
