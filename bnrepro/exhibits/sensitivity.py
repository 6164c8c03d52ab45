"""An exhibit with a further study beside it, which varies the settings of its own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import pandas as pd

from bnrepro.exhibits.exhibit import Exhibit, Table
from bnrepro.exhibits.selection import Selection, select_optional

Row = dict[str, Any]


def between(rows: Sequence[Row], in_words: Callable[[Row], str]) -> str:
    """`lies between A and B`: the rows of the least and of the largest `gap` in words."""
    least, most = (in_words(pick(rows, key=itemgetter("gap"))) for pick in (min, max))
    return f"lies between {least} and {most}"


def with_sensitivity(
    made: Exhibit,
    name: str,
    results_dir: str,
    tabulate: Callable[[Selection], Table],
    find: Callable[[Table], list[str]],
) -> Exhibit:
    """The exhibit with the study `name` in a table and in sentences, or with what is missing of it.

    Raises:
        RecordError: if a record cannot be read.
    """
    varied, missing = select_optional(name, results_dir)
    made = replace(made, missing=[*made.missing, missing] if missing else made.missing)
    if varied is None:
        return made
    table = tabulate(varied)
    sweep, *others = made.commands
    return replace(
        made,
        findings=[*made.findings, *find(table)],
        commands=[sweep, varied.command, *others],
        tables=[*made.tables, table],
        runs=pd.concat([made.runs, varied.runs], ignore_index=True),
    )
