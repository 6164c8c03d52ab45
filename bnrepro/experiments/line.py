"""How one series is drawn, and the colours that there are for it."""

from dataclasses import dataclass

INK = "#1b1b1b"

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

# As (offset, lengths of strokes and gaps), in widths of the line; `FINE` is for bounds and zeros.
Style = str | tuple[int, tuple[float, ...]]
DASHED: Style = (0, (5, 2))
DOTTED: Style = (0, (1, 1.3))
DASH_DOTTED: Style = (0, (6, 1.5, 1, 1.5))
FINE: Style = (0, (1, 2))


@dataclass(frozen=True)
class Line:
    """How one series is drawn."""

    label: str
    color: str
    style: Style
    marker: str

    @property
    def text_color(self) -> str:
        """The colour of words about the line."""
        return _TEXT.get(self.color, self.color)
