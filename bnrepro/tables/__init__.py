"""Records to tables that people read: experiments over seeds.

`rows`: what a table holds, and the contract of `bnrepro table --format csv`. `data_sets`: which
runs stand in one. `references`: what is compared with what. `experiments`: from records and curves
to the rows. `wording`: the lines above and below them. `paired`: differences on the same seed.
`best_of`: the best value of a key for each variant. `rendering` and `paired_rendering`: text, CSV,
Markdown and LaTeX, by their names in `forms`. `markdown` and `latex`: any table of texts in these.
`listing`: single runs.
"""

from bnrepro.tables.best_of import best_rendered, tabulate_best
from bnrepro.tables.experiments import select, table, tabulate
from bnrepro.tables.forms import paired_rendered, rendered
from bnrepro.tables.markdown import markdown_table
from bnrepro.tables.paired import PAIRED_COLUMNS, PairedTable, tabulate_paired
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
    "PAIRED_COLUMNS",
    "PairedTable",
    "Steps",
    "Table",
    "TableRow",
    "best_rendered",
    "markdown_table",
    "paired_rendered",
    "printed_lines",
    "rendered",
    "select",
    "table",
    "tabulate",
    "tabulate_best",
    "tabulate_paired",
    "terminal_width",
    "to_csv",
    "to_markdown",
    "to_text",
]
