"""What is known of each experiment: its label, how it is drawn, and what the paper printed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from bnrepro import paper
from bnrepro.experiments.line import (
    BLUE,
    BROWN,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GRAY,
    GREEN,
    INK,
    OLIVE,
    ORANGE,
    PURPLE,
    VERMILLION,
    WINE,
    Line,
    Style,
)

if TYPE_CHECKING:
    import pandas as pd

# As in the paper's figures, networks without batch normalization are dashed.
# Of an experiment that is not listed below: markers and styles that none of these has, and colours.
_FREE_MARKERS = ("h", "*", "<", ">", "d", "H", "8")
_FREE_COLORS = (ORANGE, GREEN, BLUE, VERMILLION, PURPLE)
_FREE_STYLES = ((0, (2, 1)), (0, (12, 2, 2, 2)), (0, (4, 1, 2, 1)))


@dataclass(frozen=True)
class Experiment(Line):
    """An experiment of `conf/experiment/`: the line that it is drawn as, and the paper's own.

    `paper_row` is its row of figure 3; `paper_series` names its accuracy among the drawn curves, as
    (figure, series). Both are None for an experiment that is not the paper's.
    """

    paper_row: paper.Row | None = None
    paper_series: tuple[str, str] | None = None

    @property
    def paper_curve(self) -> "pd.DataFrame | None":
        """The paper's accuracy curve, as `paper.curve` gives it; None where none was drawn."""
        return paper.curve(*self.paper_series) if self.paper_series else None

    @property
    def paper_best_accuracy(self) -> float | None:
        """The paper's best accuracy: figure 3's column, or the top of a curve of figure 1(a)."""
        if self.paper_row:
            return self.paper_row.best_accuracy
        return paper.highest(*self.paper_series) if self.paper_series else None


class Experiments(dict[str, Experiment]):
    """Experiments by name; one that is not listed is drawn all the same, under its name.

    How its line looks is a function of the name alone, so that a figure is the same whatever was
    drawn before it.
    """

    def __missing__(self, name: str) -> Experiment:
        """An experiment that is not the paper's; nothing is added to the known ones."""
        rest, marker = divmod(crc32(name.encode()), len(_FREE_MARKERS))
        rest, color = divmod(rest, len(_FREE_COLORS))
        style = _FREE_STYLES[rest % len(_FREE_STYLES)]
        return Experiment(name, _FREE_COLORS[color], style, _FREE_MARKERS[marker])


def _of_figure_3(label: str, color: str, style: Style, marker: str) -> Experiment:
    """A network that the paper lists in figure 3 and draws in figure 2, under its label there."""
    return Experiment(label, color, style, marker, paper.row(label), ("fig2", label))


# The paper's first, in its order.
EXPERIMENTS = Experiments(
    {
        "inception": _of_figure_3("Inception", INK, DASHED, "o"),
        "bn_baseline": _of_figure_3("BN-Baseline", VERMILLION, DASH_DOTTED, "s"),
        "bn_x5": _of_figure_3("BN-x5", BLUE, "-", "^"),
        "bn_x30": _of_figure_3("BN-x30", GREEN, (0, (9, 1.5)), "D"),
        "bn_x5_sigmoid": _of_figure_3("BN-x5-Sigmoid", PURPLE, DOTTED, "v"),
        "figure_1_plain": Experiment(
            "without BN", VERMILLION, DASHED, "o", paper_series=("fig1a", "without_bn")
        ),
        "figure_1_bn": Experiment("with BN", BLUE, "-", "s", paper_series=("fig1a", "with_bn")),
        "inception_tuned": Experiment("Inception, tuned rate", ORANGE, "-", "p"),
        "inception_x5": Experiment("Inception x5", WINE, DOTTED, "X"),
        "bn_baseline_x5": Experiment("BN-Baseline x5", BROWN, DASH_DOTTED, "s"),
        "inception_accelerated": Experiment("Inception, accelerated", OLIVE, (0, (9, 1.5)), "P"),
        "inception_sigmoid": Experiment("Inception, sigmoid", GRAY, (0, (3, 1, 1, 1, 1, 1)), "v"),
    }
)
# The rows of figure 3, by experiment, in the paper's order.
FIGURE_3 = {name: one.paper_row for name, one in EXPERIMENTS.items() if one.paper_row}
