"""The forms in which tables are printed, by their names on a command line."""

from collections.abc import Sequence

from bnrepro.tables.paired import PairedTable
from bnrepro.tables.paired_rendering import (
    paired_to_csv,
    paired_to_latex,
    paired_to_markdown,
    paired_to_text,
)
from bnrepro.tables.rendering import to_csv, to_latex, to_markdown, to_text
from bnrepro.tables.rows import Table

_TABLES = {"csv": to_csv, "markdown": to_markdown, "latex": to_latex}
_PAIRED = {"csv": paired_to_csv, "markdown": paired_to_markdown, "latex": paired_to_latex}


def rendered(tables: Sequence[Table], form: str, width: int | None = None) -> str:
    """The tables as `text` (so wide), `csv`, `markdown` or `latex`."""
    return to_text(*tables, width=width) if form == "text" else _TABLES[form](*tables)


def paired_rendered(tables: Sequence[PairedTable], form: str, width: int | None = None) -> str:
    """The same of paired differences."""
    return paired_to_text(*tables, width=width) if form == "text" else _PAIRED[form](*tables)
