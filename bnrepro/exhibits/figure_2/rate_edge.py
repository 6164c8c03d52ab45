"""The largest learning rate that Inception bears, with and without batch normalization.

A network trains at a rate if it ends above twice chance. Its edge lies between the largest rate up
to which all seeds train and the smallest from which on none does.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.selection import Selection
from bnrepro.experiments import EXPERIMENTS
from bnrepro.experiments.line import FINE, INK

_CHANCE, _TIMES_CHANCE = 0.1, 2
_NETWORKS = {"none": "inception", "before": "bn_baseline"}
_WORDS = {"inception": "without BN", "bn_baseline": "with BN"}


class RateRow(NamedTuple):
    """How a network ends at a learning rate: accuracies on held-out training images."""

    experiment: str
    learning_rate: float
    n: int
    trained: int
    accuracy_low: float
    accuracy: float
    accuracy_high: float


class Edge(NamedTuple):
    """All seeds train up to `low`, none from `high` on."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        """The geometric mean of the two."""
        return math.sqrt(self.low * self.high)


def grid(chosen: Selection | None) -> list[RateRow]:
    """A row per network and rate of the study `rate_edge`; none without records."""
    if chosen is None:
        return []
    runs = chosen.runs.assign(experiment=chosen.runs["config.placement"].map(_NETWORKS))
    rows = []
    for name in _NETWORKS.values():
        for rate, own in runs[runs["experiment"] == name].groupby("config.learning_rate"):
            ends = own["judged_final"]
            trained = int((ends > _TIMES_CHANCE * own["chance"]).sum())
            seen = (float(ends.min()), float(ends.median()), float(ends.max()))
            rows.append(RateRow(name, float(str(rate)), len(own), trained, *seen))
    return rows


def edge(rows: Sequence[RateRow], name: str) -> Edge | None:
    """The edge of one network; None where the grid does not hold both ends."""
    own = sorted((row for row in rows if row.experiment == name), key=lambda row: row.learning_rate)
    train, fail = [], []
    for row in own:
        if row.trained < row.n:
            break
        train.append(row.learning_rate)
    for row in reversed(own):
        if row.trained:
            break
        fail.append(row.learning_rate)
    return Edge(train[-1], fail[-1]) if train and fail else None


def finding(rows: Sequence[RateRow]) -> Iterator[str]:
    """How many times as high the edge is with batch normalization."""
    plain, normalized = (edge(rows, name) for name in _NETWORKS.values())
    if plain is None or normalized is None:
        return
    yield (
        f"The largest learning rate that is borne (base recipe, 4,000 steps, "
        f"{max(row.n for row in rows)} seeds): Inception trains on all seeds up to "
        f"{plain.low:g} and on none from {plain.high:g} on, BN-Baseline up to {normalized.low:g} "
        f"and from {normalized.high:g} on: {normalized.middle / plain.middle:.0f} times as high "
        f"({normalized.low / plain.high:.0f} to {normalized.high / plain.low:.0f}, as far as the "
        "grid tells)."
    )


def table(rows: Sequence[RateRow]) -> Table:
    """How both networks end at each rate."""
    caption = (
        "Inception with and without batch normalization after 4,000 steps at each learning rate: "
        f"how many seeds end above {_TIMES_CHANCE} times chance, and the lowest, median and "
        "highest accuracy, on training images that were held out."
    )
    return Table("rate_edge", RateRow._fields, rows, caption)


def panels(rows: Sequence[RateRow]) -> list[Panel]:
    """The accuracy after 4,000 steps against the rate; none without records."""
    if not rows:
        return []
    plain, normalized = (edge(rows, name) for name in _NETWORKS.values())
    told = "which rates are borne"
    if plain and normalized:
        told = f"BN bears {normalized.middle / plain.middle:.0f} times the rate"
    description = (
        "(b) Median and range of the accuracy on held-out training images over "
        f"{max(row.n for row in rows)} seeds; shaded is where the edge of each network lies, "
        "dotted twice chance, above which a network trains."
    )
    return [
        Panel("rate_edge", f"(b) After 4,000 steps: {told}", description, partial(_draw, rows=rows))
    ]


def _draw(axes: Axes, rows: Sequence[RateRow]) -> None:
    for name in _NETWORKS.values():
        line = EXPERIMENTS[name]
        own = pd.DataFrame([row for row in rows if row.experiment == name])
        if own.empty:
            continue
        errors = [own["accuracy"] - own["accuracy_low"], own["accuracy_high"] - own["accuracy"]]
        axes.errorbar(
            own["learning_rate"],
            own["accuracy"],
            yerr=errors,
            color=line.color,
            linestyle=line.style,
            marker=line.marker,
            label=_WORDS[name],
        )
        bounds = edge(rows, name)
        if bounds:
            axes.axvspan(bounds.low, bounds.high, color=line.color, alpha=0.15, linewidth=0)
        first = own.iloc[0]
        axes.annotate(
            _WORDS[name],
            xy=(first["learning_rate"], first["accuracy"]),
            xytext=(7, 2),
            textcoords="offset points",
            color=line.text_color,
            fontsize=8,
        )
    axes.axhline(_TIMES_CHANCE * _CHANCE, color=INK, linewidth=0.7, linestyle=FINE)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    rates = sorted({row.learning_rate for row in rows})
    axes.set_xticks(rates[::2])
    axes.set_ylim(0, 0.7)
    percent_axis(axes.yaxis)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("accuracy")
