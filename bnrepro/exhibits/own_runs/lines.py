"""How a person's own experiments are drawn: apart from each other, and named by what differs."""

from collections.abc import Sequence

from bnrepro.experiments import EXPERIMENTS
from bnrepro.experiments.line import (
    BLUE,
    BROWN,
    DASHED,
    DOTTED,
    GRAY,
    GREEN,
    OLIVE,
    ORANGE,
    PURPLE,
    VERMILLION,
    WINE,
    Line,
    Style,
)

_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, WINE, OLIVE, BROWN, GRAY)
_STYLES: tuple[Style, ...] = ("-", DASHED, DOTTED)
_MARKERS = ("o", "s", "^", "v", "P", "X", "p", "h", "*")


def lines(labels: Sequence[str]) -> dict[str, Line]:
    """A line for each label; no colour and no marker stands for two of up to nine.

    The paper's networks look as in the figures about them.
    """
    known = {label: EXPERIMENTS[label] for label in labels if label in EXPERIMENTS}
    taken = {(line.color, line.marker) for line in known.values()}
    colors = [color for color in _COLORS if color not in {color for color, _ in taken}]
    markers = [marker for marker in _MARKERS if marker not in {marker for _, marker in taken}]
    others = [label for label in labels if label not in known]
    drawn = {
        label: Line(
            short,
            colors[place % len(colors)],
            _STYLES[place % len(_STYLES)],
            markers[place % len(markers)],
        )
        for place, (label, short) in enumerate(zip(others, shortened(others), strict=True))
    }
    return {label: known.get(label) or drawn[label] for label in labels}


def shortened(labels: Sequence[str]) -> list[str]:
    """The labels without the words that all of them have; whole where nothing else is left."""
    if len(labels) < 2:
        return list(labels)
    common = set.intersection(*(set(label.split("-")) for label in labels))
    short = ["-".join(part for part in each.split("-") if part not in common) for each in labels]
    # Two names of the same words in another order stay apart.
    return [
        part if part and short.count(part) == 1 else label
        for part, label in zip(short, labels, strict=True)
    ]
