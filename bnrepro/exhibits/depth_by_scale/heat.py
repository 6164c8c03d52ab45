"""F2, drawn: two heat maps an activation, of one colour scale."""

import math
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.depth_by_scale.claims import ACTIVATIONS, TRAINED
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.experiments.line import INK

NETWORKS = {"plain": "without batch normalization", "batch normalization": "with it"}
# What each rule draws: kernels of deviation c / sqrt(fan-in).
_RULES = {"tanh": ("Xavier", 1.0), "relu": ("MSRA", math.sqrt(2))}
_COLORS = "cividis"
_CAPTION = (
    "Training accuracy in percent, over the last tenth of the mini-batches, by hidden layers and "
    "scale c of the initial weights (deviation c / sqrt(fan-in), normal); medians over the seeds, "
    "one colour scale; a cross is a network that diverged on most seeds. The frame is the rule "
    "that is made for the activation. Momentum 0.9, rate 0.05, 64 units a layer."
)
_LEADS = {
    "tanh": (
        "How large should initial weights be? Send a vector through a layer with weights of "
        "deviation c / sqrt(n): its length is multiplied by about c where the activation is the "
        "identity, and by c / sqrt(2) with ReLU, which sets half of the values to 0. One layer "
        "forgives every c. But factors multiply: through 32 ReLU layers with c = 1 a squared "
        "length becomes 2^-32 of what it was, and gradients on their way back likewise. Xavier's "
        "rule (c = 1, for tanh) and MSRA's (c = sqrt(2), for ReLU) are the numbers that keep the "
        "factor at 1. With batch normalization the values after each layer do not depend on c at "
        "all. How much of the map does that win?",
    ),
    "relu": (
        "The same with ReLU, which has no slope that saturates: too small a c makes the signal "
        "vanish, too large a c makes it explode, and both get worse with every layer. And with "
        "batch normalization? The forward pass is out of danger at every depth. The gradient is "
        "not: at initialization batch normalization with ReLU makes it grow by pi / (pi - 1) a "
        "layer, squared (Yang et al. 2019; `bnrepro claims X6`), which 32 layers feel.",
    ),
}


def drawing(activation: str, cells: pd.DataFrame) -> Drawing:
    """The maps of an activation; rows of the study."""
    cells = cells[cells["activation"] == activation]
    panels = [
        Panel(
            f"{activation}_{network.replace(' ', '_')}",
            f"({letter}) {words}: {count_trained(cells, network)}",
            _describe(own := cells[cells["network"] == network]),
            partial(_draw, rows=own, rule=_RULES[activation]),
        )
        for letter, (network, words) in zip("ab", NETWORKS.items(), strict=True)
    ]
    plain, normalized = (count_trained(cells, network) for network in NETWORKS)
    return Drawing(
        activation,
        f"{ACTIVATIONS[activation]}: {plain} depths and scales train without batch normalization, "
        f"{normalized} with it",
        panels,
        [[panel.name for panel in panels]],
        _CAPTION,
        _LEADS[activation],
    )


def count_trained(cells: pd.DataFrame, network: str) -> str:
    """How many cells of a network's map train, of how many."""
    medians = _medians(cells[cells["network"] == network])
    return f"{int((medians > TRAINED).to_numpy().sum())} of {medians.size}"


def _medians(rows: pd.DataFrame) -> pd.DataFrame:
    """(depths, scales), 0 where most seeds diverged."""
    filled = rows.fillna({"accuracy": 0})
    return filled.pivot_table("accuracy", index="depth", columns="scale", aggfunc="median")


def _draw(axes: Axes, rows: pd.DataFrame, rule: tuple[str, float]) -> None:
    medians = _medians(rows)
    values = medians.to_numpy()
    axes.pcolormesh(values, cmap=_COLORS, vmin=0, vmax=1)
    diverged = rows.assign(diverged=rows["diverged_at"].notna().astype(float)).pivot_table(
        "diverged", index="depth", columns="scale", aggfunc="median"
    )
    for (row, column), value in np.ndenumerate(values):
        stopped = diverged.to_numpy()[row, column] >= 0.5
        axes.text(
            column + 0.5,
            row + 0.5,
            "×" if stopped else f"{100 * value:.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if value < 0.55 else INK,
        )
    name, scale = rule
    place = int(np.abs(medians.columns.to_numpy() - scale).argmin())
    axes.add_patch(_frame(place, len(medians)))
    words = [_short(float(scale)) for scale in medians.columns]
    words[place] += f"\n{name}"
    axes.set_xticks(np.arange(len(words)) + 0.5, words)
    axes.set_yticks(np.arange(len(medians)) + 0.5, [f"{depth}" for depth in medians.index])
    axes.grid(visible=False)
    axes.set_xlabel("scale c of the initial weights")
    axes.set_ylabel("hidden layers")


def _frame(place: int, height: int) -> Rectangle:
    return Rectangle((place, 0), 1, height, fill=False, edgecolor=INK, linewidth=2)


def _short(scale: float) -> str:
    return "√2" if abs(scale - math.sqrt(2)) < 1e-3 else f"{scale:g}"


def _describe(rows: pd.DataFrame) -> str:
    filled = rows.fillna({"accuracy": 0})
    medians = filled.groupby(["depth", "scale"])["accuracy"].median().reset_index()
    each = "; ".join(
        f"{row['depth']}, {row['scale']:.3g}: {100 * row['accuracy']:.0f}"
        for row in medians.to_dict("records")
    )
    return f"Median training accuracy in percent by hidden layers and scale: {each}."
