"""How every figure looks, and the one way from a figure to a file.

Series differ by line style and marker as well as by colour (Okabe and Ito's palette), so that they
can be told apart in black and white. Files are the same bytes whenever and wherever they are drawn
again from the same records: Agg, fonts that come with matplotlib, no dates, and nothing that hangs
on the last bits of a position, which differ from processor to processor.
"""

import io
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bnrepro.experiments.line import INK
from bnrepro.records.record import write_atomically

# The report replaces these and all other colours by those of the reader's page, light or dark.
GRID = "#dcdcdc"
SURFACE = "#ffffff"

SIZE = (4.4, 3.2)  # of one panel, in inches
# Of the title above the panels and the caption below: points, letters an inch, inches a line.
_TITLE_POINTS, _TITLE_LETTERS, _TITLE_LINE = 11, 10.4, 0.22
_CAPTION_POINTS, _CAPTION_LETTERS, _CAPTION_LINE = 8, 16.5, 0.16
_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "figure.facecolor": SURFACE,
    "figure.titlesize": _TITLE_POINTS,
    "figure.titleweight": "bold",
    "axes.facecolor": SURFACE,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "svg.fonttype": "path",
    "savefig.dpi": 160,
}

# Positions of axes, in shares of the figure, and coordinates in SVG files, in points, are rounded
# to so many decimals.
_AXES_DECIMALS, _SVG_DECIMALS = 7, 3
# Where an SVG file has coordinates, and how it writes one with more decimals.
_PLACES = re.compile(r'\b(?:d|x|y|width|height|viewBox)="[^"]+"|translate\([^)]+\)')
_COORDINATE = re.compile(r"-?\d+\.\d+")
# What matplotlib calls clip paths, markers and shapes: hashes of their coordinates' last bits.
_HASHES = re.compile(r"\b(?:[pm]|C[0-9a-f]+_[0-9a-f]+_)[0-9a-f]{10}\b")


@contextmanager
def style() -> Iterator[None]:
    """The style of all figures, whatever the reader's own matplotlib settings are."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


@dataclass(frozen=True)
class Panel:
    """One pair of axes: `draw` fills it; `description` says in words what is seen."""

    name: str
    title: str
    description: str
    draw: Callable[[Axes], None]


class _Figure(Figure):
    """A figure that lays itself out while it is drawn, so that one drawing is enough.

    With a layout engine of its own matplotlib draws every figure twice, first for the layout alone.
    Axes whose positions differ in their last bits come to lie alike.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Lay out the figure, round, draw."""
        ConstrainedLayoutEngine().execute(self)
        for axes in self.axes:
            axes.set_position(np.round(axes.get_position().bounds, _AXES_DECIMALS))
            axes.set_in_layout(True)
        super().draw(renderer)


def build(
    panels: list[Panel],
    layout: list[list[str]],
    title: str = "",
    caption: str = "",
    size: tuple[float, float] = SIZE,
) -> Figure:
    """A figure of several panels; `layout` places their names in rows and columns.

    The title stands above them, the caption below. `size` is the width and height of one panel, in
    inches.
    """
    with style():
        width, height = size[0] * len(layout[0]), size[1] * len(layout)
        above = _wrapped(title, int(_TITLE_LETTERS * width))
        below = _wrapped(caption, int(_CAPTION_LETTERS * width))
        height += _TITLE_LINE * len(above) + _CAPTION_LINE * len(below)
        figure = _Figure((width, height))
        FigureCanvasAgg(figure)
        axes = figure.subplot_mosaic(layout)  # type: ignore[arg-type]
        for panel in panels:
            axes[panel.name].set_title(panel.title)
            panel.draw(axes[panel.name])
        if above:
            figure.suptitle("\n".join(above), x=0.01, ha="left")
        if below:
            figure.supxlabel("\n".join(below), x=0.01, ha="left", fontsize=_CAPTION_POINTS)
        return figure


def _wrapped(text: str, letters: int) -> list[str]:
    """Lines of at most so many letters; a number stays with its percent sign."""
    return textwrap.wrap(text.replace(" %", "\u00a0%"), letters)


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as `png` or `svg`, without a date or the name of the program that drew it."""
    metadata: dict[str, Any] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=kind, metadata=metadata[kind])
    drawn = buffer.getvalue()
    return _without_last_digits(drawn.decode()).encode() if kind == "svg" else drawn


def _without_last_digits(svg: str) -> str:
    """An SVG file with coordinates rounded, and with names by their order in place of hashes."""
    hashes = dict.fromkeys(_HASHES.findall(svg))
    names = {name: f"shape_{number}" for number, name in enumerate(hashes, start=1)}
    named = _HASHES.sub(lambda found: names[found[0]], svg)
    return _PLACES.sub(lambda place: _COORDINATE.sub(_rounded, place[0]), named)


def _rounded(coordinate: re.Match[str]) -> str:
    # Adding 0 makes 0 of -0.
    number = round(float(coordinate[0]), _SVG_DECIMALS) + 0.0
    return f"{number:.{_SVG_DECIMALS}f}".rstrip("0").rstrip(".")


def write(figure: Figure, path: Path) -> list[Path]:
    """Write `path`.png and `path`.svg."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.with_name(f"{path.name}.{kind}") for kind in ("png", "svg")]
    for file in files:
        write_atomically(file, to_bytes(figure, file.suffix.removeprefix(".")))
    return files
