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
from zlib import crc32

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bnrepro.records.record import write_atomically

# The report replaces all colours by those of the reader's page, light or dark.
INK = "#1b1b1b"
GRID = "#dcdcdc"
SURFACE = "#ffffff"

# Okabe and Ito 2008; yellow and sky blue are too faint for a line on white.
ORANGE, GREEN, BLUE = "#e69f00", "#009e73", "#0072b2"
VERMILLION, PURPLE = "#d55e00", "#cc79a7"
# For networks beside those of the palette: no colour stands for two networks of one figure.
WINE, BROWN, OLIVE, GRAY = "#882255", "#7a4a1e", "#8f8a1c", "#808080"
# The same for text, dark enough to be read on white.
_TEXT = {
    ORANGE: "#8f6300",
    GREEN: "#00714f",
    BLUE: "#00629a",
    VERMILLION: "#ac4b00",
    PURPLE: "#96527a",
    WINE: "#7a1f4c",
    BROWN: "#6b4019",
    OLIVE: "#6d690f",
    GRAY: "#666666",
}
PALETTE = (*_TEXT, *_TEXT.values())

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


@dataclass(frozen=True)
class Line:
    """How one series is drawn."""

    label: str
    color: str
    style: str | tuple[int, tuple[float, ...]]
    marker: str

    @property
    def text_color(self) -> str:
        """The colour of words about the line."""
        return _TEXT.get(self.color, self.color)


# As in the paper's figures, networks without batch normalization are dashed.
_DASHED, _DOTTED, _DASH_DOTTED = (0, (5, 2)), (0, (1, 1.3)), (0, (6, 1.5, 1, 1.5))
# Of an experiment without a line below: markers and styles that no line has, and colours.
_FREE_MARKERS = ("h", "*", "<", ">", "d", "H", "8")
_FREE_COLORS = (ORANGE, GREEN, BLUE, VERMILLION, PURPLE)
_FREE_STYLES = ((0, (2, 1)), (0, (12, 2, 2, 2)), (0, (4, 1, 2, 1)))


class Lines(dict[str, Line]):
    """Lines by experiment; an experiment that has none is drawn all the same, under its name.

    How such a line looks is a function of the name alone, so that a figure is the same whatever
    was drawn before it.
    """

    def __missing__(self, label: str) -> Line:
        """A line of the experiment's own name; nothing is added to the known ones."""
        rest, marker = divmod(crc32(label.encode()), len(_FREE_MARKERS))
        rest, color = divmod(rest, len(_FREE_COLORS))
        style = _FREE_STYLES[rest % len(_FREE_STYLES)]
        return Line(label, _FREE_COLORS[color], style, _FREE_MARKERS[marker])


LINES = Lines(
    {
        "figure_1_plain": Line("without BN", VERMILLION, _DASHED, "o"),
        "figure_1_bn": Line("with BN", BLUE, "-", "s"),
        "inception": Line("Inception", INK, _DASHED, "o"),
        "bn_baseline": Line("BN-Baseline", VERMILLION, _DASH_DOTTED, "s"),
        "bn_x5": Line("BN-x5", BLUE, "-", "^"),
        "bn_x30": Line("BN-x30", GREEN, (0, (9, 1.5)), "D"),
        "bn_x5_sigmoid": Line("BN-x5-Sigmoid", PURPLE, _DOTTED, "v"),
        "inception_tuned": Line("Inception, tuned rate", ORANGE, "-", "p"),
        "inception_x5": Line("Inception x5", WINE, _DOTTED, "X"),
        "bn_baseline_x5": Line("BN-Baseline x5", BROWN, _DASH_DOTTED, "s"),
        "inception_accelerated": Line("Inception, accelerated", OLIVE, (0, (9, 1.5)), "P"),
        "inception_sigmoid": Line("Inception, sigmoid", GRAY, (0, (3, 1, 1, 1, 1, 1)), "v"),
    }
)


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
