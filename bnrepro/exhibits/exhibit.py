"""An exhibit: what is written below `results/` and shown in the report for one figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.drawing.style import Panel, build, write
from bnrepro.records.laboratory import LaboratoryRecord
from bnrepro.records.record import write_atomically, write_rows


@dataclass(frozen=True)
class Table:
    """Rows under named columns; what is absent is None.

    `file` is what its CSV file holds where that is not these rows: empty for a table without one.
    `notes` are remarks below it.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    notes: Sequence[str] = ()
    file: str | None = None

    def write(self, path: Path) -> None:
        """Write the CSV file."""
        if self.file is None:
            write_rows(path, self.columns, [[_cell(cell) for cell in row] for row in self.rows])
        else:
            write_atomically(path, self.file)


@dataclass(frozen=True)
class Drawing:
    """One figure file: panels and where they stand in it.

    `title` says what is seen, in a sentence out of the records; `caption` what lines, bands and
    marks are. `lead` are the paragraphs before it, where an argument is told from drawing to
    drawing.
    """

    name: str
    title: str
    panels: Sequence[Panel]
    layout: Sequence[Sequence[str]]
    caption: str
    lead: Sequence[str] = ()


@dataclass(frozen=True)
class Exhibit:
    """Everything that belongs to one of the paper's figures.

    `setting` is what the runs were made on, in one line or several. `findings` are the results in a
    sentence each, `commands` make the runs and the exhibit. `tables` are short and shown in the
    report; `series` are the drawn numbers, only written. `runs` are those that it is made of; it
    has none where the laboratory computed it: there `computed` says on what, and how long that
    took. `beside` names the exhibit whose folder it shares, where it has none of its own. `reasons`
    say why verdicts among its tables are not reproduced. `pages` are pages of HTML beside it, by
    the names of their files, which the report links.
    """

    name: str
    title: str
    setting: str
    findings: Sequence[str]
    commands: Sequence[str]
    missing: Sequence[str]
    drawings: Sequence[Drawing]
    tables: Sequence[Table]
    series: Sequence[Table]
    runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    beside: str = ""
    computed: LaboratoryRecord | None = None
    reasons: Sequence[str] = ()
    pages: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, Table]:
        """The tables that have a file, by its path below the results."""
        place = self.beside or self.name
        return {
            f"{place}/{table.name}.csv": table
            for table in (*self.tables, *self.series)
            if table.file != ""
        }

    def write(self, results_dir: str | Path) -> list[Path]:
        """Write figures and CSV files into the exhibit's folder below `results_dir`."""
        folder = Path(results_dir) / (self.beside or self.name)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, table in self.files.items():
            path = Path(results_dir) / name
            table.write(path)
            files.append(path)
        for drawing in self.drawings:
            layout = [list(row) for row in drawing.layout]
            caption = f"{self.title}: {self.setting}. {drawing.caption}"
            figure = build(list(drawing.panels), layout, drawing.title, caption)
            files += write(figure, folder / drawing.name)
        for name, text in self.pages.items():
            write_atomically(folder / name, text)
            files.append(folder / name)
        return files


def folder(name: str, scale: str) -> str:
    """The folder below `results/` of an exhibit that is drawn at several scales."""
    return name if scale == DEFAULT_SCALE else f"{name}-{scale}"


def name_at(exhibit: str, scale: str | None) -> str:
    """The exhibit's name, by which its folder is called."""
    return exhibit if scale is None else f"{exhibit}-{scale}"


def command_at(exhibit: str, scale: str | None) -> str:
    """The command line that draws it."""
    return f"bnrepro figure {exhibit}" + ("" if scale is None else f" scale={scale}")


def rows_of(frame: pd.DataFrame) -> list[list[Any]]:
    """The rows of a data frame for a `Table`; what is not a number is None."""
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def _cell(cell: Any) -> Any:
    """Six digits, so that the last bits of a mean do not matter; nothing for what is absent."""
    if cell is None:
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else cell
