"""One linear unit, from what `bnrepro laboratory linear_unit` has left."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.linear_unit.claims import (
    CONDITION,
    CONSTANT,
    JUDGED,
    JUDGED_SIZE,
    LEAST_SQUARES,
    NORMALIZED,
    STUDY,
    WHITENED,
    exponent,
    normal_law,
)
from bnrepro.experiments.line import (
    BLUE,
    DASHED,
    DOTTED,
    FINE,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    Line,
)
from bnrepro.records.laboratory import LaboratoryRecord

_VALUES = {
    "Laplace": Line("Laplace", VERMILLION, "-", "^"),
    "normal": Line("normal", BLUE, "-", "o"),
    "uniform": Line("uniform", GREEN, "-", "s"),
}
_DESCENTS = {
    LEAST_SQUARES: Line("least squares, best rate", ORANGE, DASHED, ""),
    CONSTANT: Line(CONSTANT, PURPLE, DOTTED, ""),
    NORMALIZED: Line(NORMALIZED, BLUE, "-", ""),
    WHITENED: Line("whitened: one step", GRAY, "-", "x"),
}
_FLOOR = 1e-12
_CAPTION = (
    "(a) A unit that is to give back its input, of mean 0 and variance 1: its loss with the "
    "statistics of M examples, that with the population's being 0. Marks: medians over the seeds; "
    "line: 1 - E s of normal values, in closed form. (b) Loss above its minimum over what it was "
    f"at first; condition {CONDITION:.0f}, ten features, the same start at its best length. Thick: "
    "medians; thin: single seeds. Black, dotted: the bound (1 - 1/condition)^(2t) for the "
    "normalized form with its rate by the length."
)
_LEAD = (
    "Two accounts of batch normalization can be worked out to the end for one linear unit. The "
    "first says that it regularizes: the statistics of a mini-batch vary, so that normalized "
    "values are now too large and now too small, and the best the gain can do is to shrink a "
    "little. What that costs, and by how much the gain shrinks, is one minus the mean deviation of "
    "M values: about 3/4 of 1/M for normal values, more for heavy tails.",
    "The second says that it parts the length of the weights from their direction. Least squares "
    "through batch normalization has no valley along the length any more: where the rate follows "
    "the length, a step is a plain step followed by the best length, and descent arrives linearly, "
    "although the surface is not convex. But the condition is what it was, and in the end it "
    "sets the pace of both; only whitening takes it away. Where the rate is constant, what a step "
    "amounts to follows the gain: it grows here as the direction becomes better, and a step that "
    "is too long lengthens the weights, which shortens all later ones.",
)


@JUDGED.exhibited
def exhibit(_: LaboratoryRecord, found: Tables) -> Told:
    """D8, from the study's tables."""
    gaps, arrivals = found["gaps"], found["arrivals"]
    return Told(
        title="One linear unit",
        setting=f"closed forms and what is counted, n = {gaps['seed'].nunique()} seeds",
        findings=_findings(gaps, arrivals),
        drawings=[_drawing(gaps, found["descents"], arrivals)],
    )


def _drawing(gaps: pd.DataFrame, descents: pd.DataFrame, arrivals: pd.DataFrame) -> Drawing:
    panels = [
        Panel(
            "gap",
            "(a) What statistics of M examples cost",
            f"Loss over M, by values: {_listed(gaps)}.",
            partial(_draw_gaps, rows=gaps),
        ),
        Panel(
            "descent",
            "(b) Descent on least squares",
            f"Steps until the loss has shrunk a thousandfold: {_steps(arrivals)}.",
            partial(_draw_descents, rows=descents),
        ),
    ]
    counted = _median_steps(arrivals)
    title = (
        f"What mini-batches add shrinks like M^{_median_exponents(gaps)['normal']:.2f}; the "
        f"normalized form arrives in {counted[NORMALIZED]:,.0f} steps, plain least squares in "
        f"{counted[LEAST_SQUARES]:,.0f}"
    )
    return Drawing(STUDY, title, panels, [[panel.name for panel in panels]], _CAPTION, _LEAD)


def _median_exponents(gaps: pd.DataFrame) -> pd.Series:
    """Of M, by kind of values."""
    each = {key: exponent(own) for key, own in gaps.groupby(["values", "seed"])}
    return pd.Series(each).groupby(level=0).median()


def _median_steps(arrivals: pd.DataFrame) -> pd.Series:
    """Until the loss has shrunk a thousandfold, by descent; infinite where it has not."""
    return arrivals.fillna(np.inf).groupby("descent")["steps"].median()


def _listed(gaps: pd.DataFrame) -> str:
    medians = gaps.groupby(["values", "size"])["gap"].median()
    exponents = _median_exponents(gaps)
    return "; ".join(
        f"{values} {medians[values][JUDGED_SIZE]:.4f} at M = {JUDGED_SIZE}, exponent "
        f"{exponents[values]:.3f}"
        for values in _VALUES
    )


def _steps(arrivals: pd.DataFrame) -> str:
    counted = _median_steps(arrivals)
    return ", ".join(f"{name} {counted[name]:,.0f}" for name in _DESCENTS)


def _findings(gaps: pd.DataFrame, arrivals: pd.DataFrame) -> list[str]:
    gains = gaps[gaps["values"] == "normal"].groupby("size")["best_gain"].median()
    each = ", ".join(f"{size}: {gain:.3f}" for size, gain in gains.items())
    return [
        f"What statistics of M examples add to the loss (medians): {_listed(gaps)}; for normal "
        f"values the closed form has {normal_law(JUDGED_SIZE):.4f}.",
        f"The gain that is best with them, normal values, by M: {each}; with the population's it "
        "is 1.",
        f"Steps until the loss above its minimum has shrunk a thousandfold, condition "
        f"{CONDITION:.0f} (medians): {_steps(arrivals)}.",
    ]


def _draw_gaps(axes: Axes, rows: pd.DataFrame) -> None:
    medians = rows.groupby(["values", "size"])["gap"].median()
    sizes = sorted(rows["size"].unique())
    for values, line in _VALUES.items():
        axes.plot(
            sizes, medians[values][sizes], line.marker, color=line.color, markersize=4,
            label=line.label,
        )  # fmt: skip
    axes.plot(sizes, [normal_law(size) for size in sizes], color=BLUE, linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_xlabel("examples M of which the statistics are")
    axes.set_ylabel("loss added")
    axes.legend(frameon=False, fontsize=8, loc="upper right")


def _draw_descents(axes: Axes, rows: pd.DataFrame) -> None:
    wide = rows.pivot_table("excess", index="step", columns=["descent", "seed"])
    shares = (wide / wide.iloc[0]).clip(lower=_FLOOR)
    for name, line in _DESCENTS.items():
        own = pd.DataFrame(shares[name])
        axes.plot(own.index, own, color=line.color, linestyle=line.style, linewidth=0.4, alpha=0.5)
        axes.plot(
            own.index, own.median(axis=1), color=line.color, linestyle=line.style, label=line.label
        )
    steps = shares.index.to_numpy()
    bound = (1 - 1 / CONDITION) ** (2 * steps)
    axes.plot(steps, bound, color=INK, linestyle=FINE, linewidth=0.9)
    axes.set_yscale("log")
    axes.set_ylim(_FLOOR, 1e3)
    axes.set_xlabel("steps")
    axes.set_ylabel("loss above its minimum, of the first")
    axes.legend(frameon=False, fontsize=7.5, loc="upper right")
