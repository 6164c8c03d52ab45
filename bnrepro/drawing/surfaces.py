"""How the loss around a network's weights looks: contours of a plane, and a page to turn it on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from bnrepro.drawing.inline import escape
from bnrepro.experiments.line import BLUE, GREEN, VERMILLION, Line

# What batch normalization normalizes by beside the trained weights: see `engine.probe`.
MODES = {
    "frozen": Line("frozen: moving averages", VERMILLION, "-", "v"),
    "population": Line("population: computed anew", BLUE, (0, (5, 2)), "o"),
    "batch": Line("batch: the images' own", GREEN, (0, (1, 1.3)), "s"),
}
# Levels a decade of the loss: up to so many decades, and of more.
_FEW_DECADES, _OF_FEW, _OF_MANY = 3, 4, 2
_COLORS = "viridis"
_NOT_FINITE, _CENTER = "#9a9a9a", "#f0f0f1"


@dataclass(frozen=True)
class Plane:
    """The loss over a plane through trained weights, as long as these in both directions.

    `losses` are (lengths, lengths), the first index that of the first direction; what is not finite
    is a value of its own.
    """

    name: str
    lengths: np.ndarray
    losses: np.ndarray

    @classmethod
    def of(cls, name: str, rows: pd.DataFrame) -> "Plane":
        """From rows with the columns `first`, `second` and `loss`."""
        wide = rows.pivot_table(
            "loss", index="first", columns="second", dropna=False, aggfunc="first"
        )
        return cls(name, wide.index.to_numpy(float), wide.to_numpy(float))

    @property
    def center(self) -> float:
        """The loss at the trained weights."""
        middle = len(self.lengths) // 2
        return float(self.losses[middle, middle])


def levels(planes: Sequence[Plane]) -> np.ndarray:
    """The contour levels that some planes share: equal ratios, around all that is finite."""
    every = np.concatenate([plane.losses.ravel() for plane in planes])
    known = every[np.isfinite(every) & (every > 0)]
    low, high = np.log10([known.min(), known.max()])
    count = _OF_FEW if high - low <= _FEW_DECADES else _OF_MANY
    first, last = np.floor(count * low), np.ceil(count * high)
    return np.asarray(10 ** (np.arange(first, max(last, first + 1) + 1) / count))


def contours(axes: Axes, plane: Plane, shared: np.ndarray, bar: bool = False) -> None:
    """Draw a plane in the colours of the shared levels; grey is what is not finite."""
    axes.set_facecolor(_NOT_FINITE)
    values = np.ma.masked_invalid(plane.losses.T)
    norm = LogNorm(shared[0], shared[-1])
    place = (plane.lengths, plane.lengths)
    filled = axes.contourf(*place, values, shared, cmap=_COLORS, norm=norm)
    axes.plot(0, 0, marker="+", color=_CENTER, markersize=7)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xlabel("first direction")
    axes.set_ylabel("second direction")
    if bar:
        exponents = np.log10(shared)
        marks = shared[np.isclose(exponents, np.rint(exponents))]
        place_of_bar = axes.inset_axes((1.05, 0, 0.05, 1))
        drawn = axes.figure.colorbar(filled, cax=place_of_bar, ticks=marks)
        drawn.ax.set_yticklabels([f"{mark:g}" for mark in marks])
        drawn.ax.minorticks_off()
        drawn.set_label("loss")


def lines(axes: Axes, rows: pd.DataFrame, limits: tuple[float, float] | None = None) -> None:
    """Draw the loss along lines: rows with `mode`, `length` and `loss`, several of a length.

    Line: their median; band: the least and the greatest. `limits` are those of the loss, where
    several drawings share them.
    """
    for mode, line in MODES.items():
        own = rows[rows["mode"] == mode].groupby("length")["loss"]
        if not own.ngroups:
            continue
        median = own.median()
        axes.fill_between(median.index, own.min(), own.max(), color=line.color, alpha=0.15, lw=0)
        axes.plot(
            median.index, median, color=line.color, linestyle=line.style, marker=line.marker,
            markersize=3, label=line.label,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.minorticks_off()
    axes.set_xlabel("step a along a direction")
    axes.set_ylabel("loss")
    if rows["mode"].nunique() > 1:
        axes.legend(frameon=False, fontsize=7, loc="upper center")


def nonconvex_share(plane: Plane) -> float:
    """The share of inner points at which the loss bends down in some direction of the plane.

    By the smaller eigenvalue of the 2 x 2 matrix of second differences; what is not finite counts.
    """
    values = plane.losses
    inner = values[1:-1, 1:-1]
    first = values[2:, 1:-1] - 2 * inner + values[:-2, 1:-1]
    second = values[1:-1, 2:] - 2 * inner + values[1:-1, :-2]
    both = (values[2:, 2:] - values[2:, :-2] - values[:-2, 2:] + values[:-2, :-2]) / 4
    with np.errstate(invalid="ignore"):
        smaller = (first + second) / 2 - np.hypot((first - second) / 2, both)
        return float((~(smaller >= 0)).mean())


def page(title: str, text: str, planes: Sequence[Plane]) -> str:
    """A page of HTML that needs nothing but itself: each plane as a surface that turns.

    Heights are logarithms of the loss, with one scale for all planes.
    """
    shared = levels(planes)
    data = {
        "low": round(float(np.log10(shared[0])), 4),
        "high": round(float(np.log10(shared[-1])), 4),
        "planes": [_as_data(plane) for plane in planes],
    }
    template = resources.files("bnrepro.drawing").joinpath("surfaces.html")
    filled = template.read_text(encoding="utf-8")
    for mark, value in (("TITLE", escape(title)), ("TEXT", escape(text))):
        filled = filled.replace(f"<!--{mark}-->", value)
    # A name could end the script's element.
    return filled.replace("/*DATA*/", json.dumps(data).replace("<", "\\u003c"))


def _as_data(plane: Plane) -> dict[str, Any]:
    """What the page draws: the loss with four digits, null where it is not finite."""
    rows = [[_short(value) for value in row] for row in plane.losses.tolist()]
    return {"name": plane.name, "reach": float(plane.lengths[-1]), "losses": rows}


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) and value > 0 else None
