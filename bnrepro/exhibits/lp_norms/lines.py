"""How networks with l_p norms and those beside them are drawn, whichever network it is."""

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.exhibits.lp_norms.claims import BN, PLAIN
from bnrepro.experiments.line import BLUE, GREEN, PURPLE, VERMILLION, WINE, Line

LINES = {
    PLAIN: Line("without normalization", VERMILLION, "-", "o"),
    BN: Line(BN, BLUE, "-", "s"),
    "l1": Line("l1", GREEN, (0, (5, 2)), "^"),
    "l2": Line("l2", WINE, (0, (1, 1.3)), "v"),
    "linf": Line("l infinity", PURPLE, (0, (6, 1.5, 1, 1.5)), "D"),
}


def draw_lines(axes: Axes, rows: pd.DataFrame, quantity: str, *, with_marks: bool = True) -> None:
    """Medians over seeds at each step, with bands from the least to the greatest."""
    for name, line in LINES.items():
        by_step = rows[rows["network"] == name].groupby("step")[quantity]
        middle = by_step.median()
        axes.fill_between(
            middle.index, by_step.min(), by_step.max(), color=line.color, alpha=0.12, lw=0
        )
        axes.plot(
            middle.index, middle, color=line.color, linestyle=line.style, label=line.label,
            marker=line.marker if with_marks else "", markersize=3,
        )  # fmt: skip
