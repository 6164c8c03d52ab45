"""How many times fewer steps than Inception, at equal shares of its best accuracy.

A share of the best can be compared with the paper, whose accuracies are of other images: the
factors at the same share, its curves read on straight lines between their points, stand beside
ours.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from bnrepro import statistics
from bnrepro.drawing.curves import Label, label_ends, percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Table
from bnrepro.exhibits.figure_2.findings import FASTER, REFERENCE, RELATIONS, target_accuracy
from bnrepro.exhibits.figure_2.proportional import SHOWN_SHARES, paper_factor
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import listed, percent
from bnrepro.experiments import EXPERIMENTS
from bnrepro.experiments.line import FINE, INK
from bnrepro.statistics import Ratios, Relation

# From below the paper's figure would have to be read where it is all but vertical.
DRAWN_SHARES = tuple(percents / 100 for percents in range(65, 101))
_TICKS = (1, 2, 3, 4, 5, 7, 10, 15)
_LIMITS = (0.8, 18)
# Where nothing else is judged, what is said first is said of this share.
USUAL_SHARE = 0.9
_CAPTION = (
    "Thick line: median of the ratios on the same seed; band: its order-statistic interval, up or "
    "down to the edge where it has no end. A line ends where too few seeds get further. Thin: the "
    "paper's, on ImageNet, from its drawn curves of one run each."
)


class FactorRow(NamedTuple):
    """How many times as many steps as a network Inception needs to a share of its best accuracy.

    The share is of the median over Inception's seeds, and so is the accuracy; `factor` is the
    median (`relation` is `=`) or a bound of it; `paper_factor` is the paper's at the same share of
    its own Inception's best.
    """

    share_of_best: float
    target_accuracy: float
    experiment: str
    n: int
    relation: Relation
    factor: float | None
    factor_low: float | None
    factor_high: float | None
    coverage_percent: int | None
    paper_factor: float | None


def factors(chosen: Selection, shares: Sequence[float]) -> list[FactorRow]:
    """The factors of the paper's other networks at each share; none without Inception."""
    best = target_accuracy(chosen.runs)
    if best is None:
        return []
    curves = dict(iter(chosen.curves.groupby("label")))
    rows = []
    for share in shares:
        crossed = {
            name: statistics.crossings(curves[name], share * best)
            for name in (REFERENCE, *FASTER)
            if name in curves
        }
        for name in FASTER:
            if name in crossed:
                ratios = statistics.ratios_of_steps(crossed[REFERENCE], crossed[name])
                rows.append(_row(share, share * best, name, ratios))
    return rows


def _row(share: float, target: float, name: str, ratios: Ratios) -> FactorRow:
    (median, relation), interval = ratios.median, ratios.interval
    measured = (len(ratios.low), relation, median, interval.low, interval.high)
    theirs = paper_factor(name, share)
    return FactorRow(share, target, name, *measured, interval.coverage_percent, theirs)


def table(rows: Sequence[FactorRow]) -> Table:
    """The factors at the shares that are shown."""
    caption = (
        "How many times as many steps Inception needs to a share of its median best accuracy: "
        "median of the ratios on the same seed with its order-statistic interval and the coverage "
        "that it has; beside it the paper's at the same share of its own Inception's best."
    )
    return Table("factors", FactorRow._fields, rows, caption)


def at_share(rows: Sequence[FactorRow], share: float) -> Iterator[str]:
    """The factors at one share with their intervals, and the paper's, in a sentence."""
    own = [row for row in rows if row.share_of_best == share and row.factor is not None]
    if not own:
        return
    each = listed(f"{_label(row)} {_number(row)}{_brackets(row)}" for row in own)
    known = own[0].coverage_percent
    coverage = "" if known is None else f", coverage {known} %"
    yield (
        f"How many times fewer steps than Inception to {percent(own[0].target_accuracy)}, "
        f"{percent(share, 0)} of its best (median of the ratios on the same seed{coverage}): "
        f"{each}; in the paper, at the same share of its Inception's best, "
        f"{listed(_papers(row) for row in own)}."
    )


def along_shares(rows: Sequence[FactorRow]) -> Iterator[str]:
    """The factors at the shares that are shown, and the paper's, in a sentence."""
    if rows:
        shares = listed(f"{100 * share:.0f}" for share in SHOWN_SHARES)
        yield (
            f"The same to {shares} % of Inception's best, and in brackets the paper's: "
            f"{'; '.join(_along(rows))}."
        )


def _along(rows: Sequence[FactorRow]) -> Iterator[str]:
    for name in dict.fromkeys(row.experiment for row in rows):
        own = [row for row in rows if row.experiment == name and row.share_of_best in SHOWN_SHARES]
        each = listed(f"{_number(row)} ({_papers(row)})" for row in own)
        yield f"{EXPERIMENTS[name].label} {each}"


def _label(row: FactorRow) -> str:
    return EXPERIMENTS[row.experiment].label


def _number(row: FactorRow) -> str:
    return "unknown" if row.factor is None else f"{RELATIONS[row.relation]}{row.factor:.1f}"


def _papers(row: FactorRow) -> str:
    return "never" if row.paper_factor is None else f"{row.paper_factor:.1f}"


def _brackets(row: FactorRow) -> str:
    if row.factor_low is None or row.factor_high is None:
        return ""
    return f" ({row.factor_low:.1f} to {row.factor_high:.1f})"


def drawing(
    rows: Sequence[FactorRow], drawn: Sequence[FactorRow], share: float, *beside: Panel
) -> Drawing:
    """Factors against the share, above the panels that stand beside them.

    The title is about `share`, `drawn` are rows at many.
    """
    letter = "(a) " if beside else ""
    panel = Panel(
        "factors",
        f"{letter}Ours (thick) and the paper's (thin), to the same share of Inception's best",
        "How many times as many steps as each network Inception needs to reach each share of its "
        "best accuracy, ours and the paper's.",
        partial(_draw, drawn=drawn),
    )
    layout = [["factors", "factors"], *([[each.name for each in beside]] if beside else [])]
    caption = " ".join([f"{letter}{_CAPTION}", *(each.description for each in beside)])
    return Drawing("factors", _title(rows, share), [panel, *beside], layout, caption)


def _title(rows: Sequence[FactorRow], share: float) -> str:
    known = [
        row
        for row in rows
        if row.share_of_best == share and row.relation == "=" and row.factor and row.paper_factor
    ]
    if not known:
        return "Inception's steps over each network's"
    return (
        f"Times fewer steps than Inception to {percent(share, 0)} of its best accuracy, and in "
        "brackets the paper's: "
        f"{listed(f'{_label(row)} {_number(row)} ({_papers(row)})' for row in known)}"
    )


def _draw(axes: Axes, drawn: Sequence[FactorRow]) -> None:
    ends: list[Label] = []
    for index, name in enumerate(FASTER):
        rows = [row for row in drawn if row.experiment == name]
        ends += _draw_ours(axes, [row for row in rows if row.relation == "="], markers_from=index)
        ends += _draw_the_papers(axes, [row for row in rows if row.paper_factor is not None])
    axes.axhline(1, color=INK, linewidth=0.7, linestyle=FINE)
    factor_axis(axes, _LIMITS)
    percent_axis(axes.xaxis)
    axes.set_xlabel("share of Inception's best accuracy to reach")
    label_ends(axes, ends)


def factor_axis(axes: Axes, limits: tuple[float, float]) -> None:
    """Factors upward, in equal steps for equal ratios."""
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.set_yticks([tick for tick in _TICKS if limits[0] <= tick <= limits[1]])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda factor, _: f"{factor:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("Inception's steps over the network's")


def _draw_ours(axes: Axes, rows: Sequence[FactorRow], markers_from: int) -> Iterator[Label]:
    known = [row for row in rows if row.factor is not None]
    if not known:
        return
    line, shares = EXPERIMENTS[known[0].experiment], [row.share_of_best for row in known]
    low = [row.factor_low or _LIMITS[0] for row in known]
    high = [row.factor_high or _LIMITS[1] for row in known]
    axes.fill_between(shares, low, high, color=line.color, alpha=0.15, linewidth=0)
    axes.plot(
        shares,
        [row.factor or 0 for row in known],
        color=line.color,
        linestyle=line.style,
        marker=line.marker,
        markevery=(markers_from, 6),
        label=line.label,
    )
    yield Label(shares[-1], known[-1].factor or 0, line.label, line.text_color)


def _draw_the_papers(axes: Axes, rows: Sequence[FactorRow]) -> Iterator[Label]:
    if not rows:
        return
    line, shares = EXPERIMENTS[rows[0].experiment], [row.share_of_best for row in rows]
    words, factors = f"{line.label}, paper", [row.paper_factor or 0 for row in rows]
    axes.plot(shares, factors, color=line.color, linestyle=line.style, linewidth=0.8, label=words)
    yield Label(shares[-1], factors[-1], words, line.text_color)
