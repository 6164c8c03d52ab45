"""Records to tables that people read: experiments over seeds.

`rows`: what a table holds, and the contract of `bnrepro table --format csv`. `data_sets`: which
runs stand in one. `references`: what is compared with what. `experiments`: from records and curves
to the rows. `wording`: the lines above and below them. `rendering`: text, CSV and
Markdown. `markdown`: any table of texts as Markdown.
"""

from bnrepro.tables.experiments import select, table, tabulate
from bnrepro.tables.markdown import markdown_table
from bnrepro.tables.rendering import (
    printed_lines,
    terminal_width,
    to_csv,
    to_markdown,
    to_text,
)
from bnrepro.tables.rows import COLUMNS, Steps, Table, TableRow

__all__ = [
    "COLUMNS",
    "Steps",
    "Table",
    "TableRow",
    "markdown_table",
    "printed_lines",
    "select",
    "table",
    "tabulate",
    "terminal_width",
    "to_csv",
    "to_markdown",
    "to_text",
]
