"""F2, drawn: uniform and orthogonal weights beside normal ones of the same variance."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.depth_by_scale.claims import ACTIVATIONS, TRAINED
from bnrepro.exhibits.depth_by_scale.heat import NETWORKS
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.experiments.line import BLUE, GREEN, VERMILLION

_LOOKS = {"normal": (BLUE, "o"), "uniform": (VERMILLION, "v"), "orthogonal": (GREEN, "s")}
_CAPTION = (
    "Training accuracy over the last tenth of the mini-batches by the scale c of the initial "
    "weights, medians over the seeds: {shallow} hidden layers solid, {deep} dashed; a network that "
    "diverged counts as 0. All kernels have the deviation c / sqrt(fan-in)."
)
_LEAD = (
    "The two rules speak of the variance of the weights and of nothing else, so that it should not "
    "matter whether weights are normal or uniform. Orthogonal ones are another matter: a normal "
    "matrix keeps lengths on average and stretches one direction while it shrinks another, which "
    "many layers multiply; an orthogonal one keeps every length. With tanh, which is nearly the "
    "identity around 0, that is what deep networks want (Saxe et al. 2013).",
)


def drawing(cells: pd.DataFrame) -> Drawing:
    """A panel an activation and network; rows of `by_distribution`."""
    shallow, deep = sorted(cells["depth"].unique())
    pairs = [(activation, network) for activation in ACTIVATIONS for network in NETWORKS]
    panels = [
        Panel(
            f"{activation}_{network.replace(' ', '_')}",
            f"({letter}) {ACTIVATIONS[activation]}, {NETWORKS[network]}",
            _describe(own, int(deep)),
            partial(_draw, rows=own),
        )
        for letter, (activation, network) in zip("abcd", pairs, strict=True)
        for own in [cells[(cells["activation"] == activation) & (cells["network"] == network)]]
    ]
    names = [panel.name for panel in panels]
    return Drawing(
        "distributions",
        f"Cells above {100 * TRAINED:g} %: {counts(cells)}",
        panels,
        [names[:2], names[2:]],
        _CAPTION.format(shallow=shallow, deep=deep),
        _LEAD,
    )


def counts(cells: pd.DataFrame) -> str:
    """How many cells train with each distribution, of how many, in words."""
    place = ["distribution", "activation", "network", "depth", "scale"]
    trained = cells.groupby(place)["accuracy"].median() > TRAINED
    by_name = trained.groupby("distribution")
    counted, of_all = by_name.sum(), by_name.size()
    return ", ".join(
        f"{int(counted[name])} of {int(of_all[name])} with {name} weights" for name in _LOOKS
    )


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    for name, (color, marker) in _LOOKS.items():
        own = rows[rows["distribution"] == name]
        for (depth, of_depth), style in zip(own.groupby("depth"), ("-", (0, (4, 2))), strict=True):
            medians = of_depth.groupby("scale")["accuracy"].median()
            axes.plot(
                medians.index, medians, color=color, linestyle=style, marker=marker, markersize=4,
                linewidth=1.2, label=name if depth == own["depth"].min() else None,
            )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_ylim(0, 1.02)
    percent_axis(axes.yaxis)
    axes.set_xlabel("scale c of the initial weights")
    axes.set_ylabel("training accuracy")
    axes.legend(frameon=False, fontsize=7.5, loc="best")


def _describe(rows: pd.DataFrame, deep: int) -> str:
    medians = rows[rows["depth"] == deep].groupby(["distribution", "scale"])["accuracy"].median()
    best = medians.groupby("distribution").max()
    each = ", ".join(f"{name} {100 * best[name]:.0f} %" for name in _LOOKS)
    return f"Training accuracy at the best scale with {deep} hidden layers: {each}."
