"""Pieces of the page: tables, drawings, commands. Everything from outside is escaped."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from bnrepro.figures.style import GRID, INK, LINES, PALETTE, SURFACE, Panel, build, to_bytes

_PERCENT = ("accuracy", "error", "gap")
_ENDS = ("_low", "_high")
_ABSENT = "–"
# Longer names first: `bn_x5_sigmoid` is not `bn_x5`.
_EXPERIMENT = re.compile(rf"\b({'|'.join(sorted(LINES, key=len, reverse=True))})\b")
_VERDICTS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?", "yes": "✓", "no": "✗"}


def escape(text: object) -> str:
    """Text as HTML."""
    return html.escape(str(text))


def code(text: str) -> str:
    """A command or a name of a file."""
    return f"<code>{escape(text)}</code>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], caption: str) -> str:
    """A table with a caption; on a narrow screen each row becomes a card with labelled cells.

    The roles keep it a table for a screen reader there too. The columns `x_low` and `x_high` stand
    in brackets behind `x`.
    """
    shown = [column for column in columns if not column.endswith(_ENDS)]
    titles = [column.replace("_", " ") for column in shown]
    head = "".join(f'<th role="columnheader" scope="col">{escape(title)}</th>' for title in titles)
    body = []
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        percent = any(word in str(row[0]) for word in _PERCENT)
        texts = [_text(column, values, percent=percent) for column in shown]
        body.append(f'<tr role="row">{_cells(titles, texts)}</tr>')
    return (
        f'<table role="table"><caption>{escape(caption)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(body)}</tbody></table>'
    )


def _text(column: str, values: Mapping[str, Any], *, percent: bool) -> str:
    """A cell's text, with its interval where there is one."""
    percent = percent or any(word in column for word in _PERCENT)
    text = readable(values[column], percent=percent)
    low, high = (values.get(f"{column}_{end}") for end in ("low", "high"))
    if low is None and high is None:
        return text
    ends = [readable(end, percent=percent).removesuffix(" %") for end in (low, high)]
    if high is None:
        return f"{text} ({ends[0]} or more)"
    return f"{text} ({ends[0]} to {ends[1]})" if low is not None else f"{text} (up to {ends[1]})"


def _cells(titles: Sequence[str], texts: Sequence[str]) -> str:
    cells = []
    for index, (title, text) in enumerate(zip(titles, texts, strict=True)):
        kind = "absent" if text == _ABSENT else ""
        content = escape(text)
        if text in _VERDICTS:
            mark = f"{_VERDICTS[text]} {content}"
            content = f'<span class="verdict {text.replace(" ", "-")}">{mark}</span>'
        if index == 0:
            cells.append(f'<th role="rowheader" scope="row">{content}</th>')
        else:
            cells.append(
                f'<td role="cell" class="{kind}" data-title="{escape(title)}">{content}</td>'
            )
    return "".join(cells)


def readable(value: Any, *, percent: bool = False) -> str:
    """A cell for people: percent, thousands, four digits, an experiment's own name."""
    if value is None or value == "":
        return _ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if percent:
            return f"{100 * value:.2f} %"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return _EXPERIMENT.sub(lambda found: LINES[found[0]].label, str(value))


def panel(drawn: Panel, prefix: str) -> str:
    """A panel as a figure with its drawing inside the page, and its title as text."""
    svg = inline_svg(drawn, f"{prefix}-{drawn.name}")
    return f"<figure>{svg}<figcaption>{escape(drawn.title)}</figcaption></figure>"


def inline_svg(drawn: Panel, identifier: str) -> str:
    """The panel's drawing for this page.

    Its identifiers are made unique on the page, and its colours the page's, light or dark.
    """
    untitled = Panel(drawn.name, "", drawn.description, drawn.draw)
    text = to_bytes(build([untitled], [[drawn.name]]), "svg").decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{identifier}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{identifier}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{identifier}-\1)", text)
    for color in (INK, GRID, SURFACE, *PALETTE):
        text = text.replace(color, f"var(--{color[1:]})")
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text)
    label = escape(f"{drawn.title}. {drawn.description}")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1).strip()


def colors(*, dark: bool) -> str:
    """Custom properties for the colours of the drawings; on a dark page they are lighter."""
    chosen = {
        INK: "var(--ink)",
        GRID: "var(--rule)",
        SURFACE: "var(--page)",
        **{color: _lighter(color) if dark else color for color in PALETTE},
    }
    return " ".join(f"--{name[1:]}: {value};" for name, value in chosen.items())


def _lighter(color: str) -> str:
    parts = [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(part + 0.45 * (255 - part)):02x}" for part in parts)


def details(content: str, summary: str) -> str:
    """Content that is opened on demand."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def notes(lines: Sequence[str]) -> str:
    """Remarks below a table."""
    return '<ul class="note">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def data_files(paths: Sequence[str]) -> str:
    """Links to files beside the page, relative to it."""
    links = ", ".join(f'<a href="{escape(path)}">{escape(path)}</a>' for path in paths)
    return f'<p class="how">Data: {links}</p>'
