"""Pieces of the page: tables, drawings, commands. Everything from outside is escaped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnrepro.drawing.inline import escape, inline_svg, of_page
from bnrepro.drawing.style import Panel
from bnrepro.experiments import EXPERIMENTS

_PERCENT = ("accuracy", "error")
_POINTS = ("gap",)
_WITHOUT_UNIT = ("p_value",)
_ENDS = ("_low", "_high")
_ABSENT = "–"
# A cell of so many characters, such as "at most 1e-09", is not broken.
_SHORT = 14
# Longer names first: `bn_x5_sigmoid` is not `bn_x5`.
_EXPERIMENT = re.compile(rf"\b({'|'.join(sorted(EXPERIMENTS, key=len, reverse=True))})\b")
# In columns of these names.
_VERDICT_COLUMNS = ("verdict", "as_expected")
_VERDICTS = {
    "reproduced": "✓",
    "not reproduced": "✗",
    "hint: holds": "(✓)",
    "hint: does not hold": "(✗)",
    "inconclusive": "?",
    "no verdict": "–",
    "yes": "✓",
    "no": "✗",
}


def code(text: str) -> str:
    """A command or a name of a file."""
    return f"<code>{escape(text)}</code>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def findings(sentences: Iterable[str]) -> str:
    """A list of sentences in HTML; nothing without any."""
    items = "".join(f"<li>{sentence}</li>" for sentence in sentences)
    return f'<ul class="findings">{items}</ul>' if items else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> str:
    """A table with a caption, or a line that there is nothing in it.

    On a narrow screen each row becomes a card with labelled cells.

    The roles keep it a table for a screen reader there too. The columns `x_low` and `x_high` stand
    in brackets behind `x`.
    """
    if not rows:
        return paragraph(f"{caption.removesuffix('.')}: none.", "note")
    shown = [column for column in columns if not column.endswith(_ENDS)]
    titles = [re.sub(r"\bbn\b", "BN", column.replace("_", " ")) for column in shown]
    head = "".join(f'<th role="columnheader" scope="col">{escape(title)}</th>' for title in titles)
    body = []
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        texts = [_text(column, values, str(row[0])) for column in shown]
        body.append(f'<tr role="row">{_cells(shown, titles, texts)}</tr>')
    return (
        f'<table role="table"><caption>{escape(caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(body)}</tbody></table>'
    )


def _text(column: str, values: Mapping[str, Any], name: str) -> str:
    """A cell's text, with its interval where there is one; `name` is that of the row."""
    unit = "" if column in _WITHOUT_UNIT else _unit(column) or _unit(name)
    text = readable(values[column], unit)
    low, high = (values.get(f"{column}_{end}") for end in ("low", "high"))
    if low is None and high is None:
        return text
    ends = [readable(end, unit).removesuffix(unit) for end in (low, high)]
    if high is None:
        return f"{text} ({ends[0]} or more)"
    return f"{text} ({ends[0]} to {ends[1]})" if low is not None else f"{text} (up to {ends[1]})"


def _unit(name: str) -> str:
    """The unit in which fractions are printed."""
    if any(word in name for word in _POINTS):
        return " points"
    return " %" if any(word in name for word in _PERCENT) else ""


def verdict(text: str) -> str:
    """A verdict with a mark, so that it is not told by its colour alone."""
    mark = f"{_VERDICTS[text]} {escape(text)}"
    return f'<span class="verdict {text.replace(":", "").replace(" ", "-")}">{mark}</span>'


def _cells(columns: Sequence[str], titles: Sequence[str], texts: Sequence[str]) -> str:
    cells = []
    for index, (column, title, text) in enumerate(zip(columns, titles, texts, strict=True)):
        kind = "absent" if text == _ABSENT else "short" if len(text) <= _SHORT else ""
        judged = column in _VERDICT_COLUMNS and text in _VERDICTS
        content = verdict(text) if judged else escape(text)
        if index == 0:
            attributes = f'role="rowheader" scope="row" data-title="{escape(title)}"'
            cells.append(f"<th {attributes}>{content}</th>")
        else:
            cells.append(
                f'<td role="cell" class="{kind}" data-title="{escape(title)}">{content}</td>'
            )
    return "".join(cells)


def readable(value: Any, unit: str = "") -> str:
    """A cell for people: percent, thousands, four digits, an experiment's own name."""
    if value is None or value == "":
        return _ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if unit:
            return f"{100 * value:.2f}{unit}"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return _EXPERIMENT.sub(lambda found: EXPERIMENTS[found[0]].label, str(value))


def panel(drawn: Panel, prefix: str) -> str:
    """A panel as a figure with its drawing inside the page, and its title as text."""
    svg = inline_svg(drawn, f"{prefix}-{drawn.name}")
    return f"<figure>{svg}<figcaption>{escape(drawn.title)}</figcaption></figure>"


def details(content: str, summary: str) -> str:
    """Content that is opened on demand."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def notes(lines: Sequence[str]) -> str:
    """Remarks below a table."""
    items = "".join(f"<li>{escape(readable(line))}</li>" for line in lines)
    return f'<ul class="note">{items}</ul>'


def data_files(paths: Sequence[str]) -> str:
    """Links to files beside the page, relative to it."""
    return f'<p class="how">Data: {", ".join(map(_link, paths))}</p>'


def notes_file(path: str) -> str:
    """A link to what was written by hand beside the data."""
    return f'<p class="how">What was tried, and the reasons that were found: {_link(path)}</p>'


def page_link(path: str) -> str:
    """A link to a page beside this one that its reader can play with."""
    return f"<p>With sliders, for a lecture: {_link(path)}</p>"


def _link(path: str) -> str:
    return f'<a href="{escape(path)}">{escape(path)}</a>'


def drawing_file(path: Path, identifier: str, description: str) -> str:
    """A drawing of several panels that another command left; where it is too wide it scrolls."""
    svg = of_page(path.read_text(), identifier, description)
    return f'<div class="wide" tabindex="0" role="group" aria-label="drawing">{svg}</div>'


def missing(line: str) -> str:
    """What is left out, and why."""
    return paragraph(f"Left out: {line}", "missing")
