"""Records to tables that people read: experiments over seeds, and the row of a single run.

`rows`: what a table holds, and the contract of `bnrepro table --format csv`. `experiments`: from
records and curves to those rows. `wording`: the lines above and below them. `rendering`: text, CSV,
Markdown, and the row of a run. `markdown`: any table of texts as Markdown.
"""

from bnrepro.tables.experiments import DEFAULT_REFERENCE, select, table
from bnrepro.tables.markdown import markdown_table
from bnrepro.tables.rendering import printed_lines, result_row, to_csv, to_markdown, to_text
from bnrepro.tables.rows import COLUMNS, Steps, Table, TableRow

__all__ = [
    "COLUMNS",
    "DEFAULT_REFERENCE",
    "Steps",
    "Table",
    "TableRow",
    "markdown_table",
    "printed_lines",
    "result_row",
    "select",
    "table",
    "to_csv",
    "to_markdown",
    "to_text",
]
