"""The style of pages, and drawings inside them: in the colours of the page, light or dark."""

import html
import re
from collections.abc import Callable, Mapping
from importlib import resources
from string import Template
from zlib import crc32

import jinja2
from markupsafe import Markup

from bnrepro.drawing.compact import compact
from bnrepro.drawing.shared import with_shared_shapes
from bnrepro.drawing.style import GRID, SURFACE, Panel, build, to_bytes
from bnrepro.experiments.line import INK, PALETTE

# Smaller than in a file, so that the words can be read where the page is 360 pixels wide.
PANEL_SIZE = (3.9, 2.9)
_NUMBER_AND_PERCENT = re.compile(r"(\d) %")


def escape(text: object) -> str:
    """Text as HTML; a number and its percent sign stay on one line."""
    return _NUMBER_AND_PERCENT.sub("\\1\N{NO-BREAK SPACE}%", html.escape(str(text)))


def inline_svg(drawn: Panel, identifier: str) -> str:
    """The panel's drawing for this page, without its title."""
    untitled = Panel(drawn.name, "", drawn.description, drawn.draw)
    svg = to_bytes(build([untitled], [[drawn.name]], size=PANEL_SIZE), "svg").decode()
    return of_page(svg, identifier, f"{drawn.title}. {drawn.description}")


def of_page(svg: str, identifier: str, description: str) -> str:
    """An SVG file as a part of this page.

    Its identifiers are made unique on the page, and its colours the page's, light or dark.
    """
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = compact(text)
    text = _with_short_names(text, f"{crc32(identifier.encode()):x}")
    for color in (INK, GRID, SURFACE, *PALETTE):
        text = text.replace(color, f"var(--{color[1:]})")
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text)
    attributes = f'role="img" aria-label="{escape(description)}"'
    return text.replace("<svg ", f"<svg {attributes} ", 1).strip()


def _with_short_names(svg: str, prefix: str) -> str:
    """What is referred to by its identifier has one of the page's own; the others have none."""
    names = dict.fromkeys(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    short = {name: f"{prefix}-{number:x}" for number, name in enumerate(names)}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", svg)
    svg = re.sub(r'href="#([^"]+)"', lambda match: f'href="#{short[match[1]]}"', svg)
    return re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{short[match[1]]})", svg)


def page(package: str, filters: Mapping[str, Callable[..., object]], **values: object) -> str:
    """A package's `page.html`, filled in: whatever is no markup already is escaped.

    The template is given the style of all pages as `style`.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    text = resources.files(package).joinpath("page.html").read_text(encoding="utf-8")
    style = Markup(_stylesheet())  # noqa: S704 (our own file)
    return with_shared_shapes(environment.from_string(text).render(style=style, **values))


def _stylesheet() -> str:
    """The style of a page: `page.css` with the colours of drawings, light and dark."""
    text = resources.files("bnrepro.drawing").joinpath("page.css").read_text(encoding="utf-8")
    return Template(text).substitute(light=_colors(dark=False), dark=_colors(dark=True))


def _colors(*, dark: bool) -> str:
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
