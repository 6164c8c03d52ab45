"""Deep residual networks, from what `bnrepro laboratory residual_networks` has left."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Measure, Tables, Told, images_of, scale_of
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.residual_networks.claims import (
    BN,
    BORNE,
    FIXUP,
    JUDGED,
    PLAIN,
    SCALED,
    SKIPINIT,
    STUDY,
    TRAINED,
    largest_borne,
    largest_trained,
    slope,
)
from bnrepro.experiments.line import (
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    FINE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    Line,
)
from bnrepro.records.laboratory import LaboratoryRecord

_LINES = {
    PLAIN: Line("plain", VERMILLION, DOTTED, "v"),
    BN: Line("batch normalization", BLUE, "-", "o"),
    SKIPINIT: Line("SkipInit", GREEN, DASHED, "^"),
    FIXUP: Line("Fixup", PURPLE, DASH_DOTTED, "D"),
    SCALED: Line("scaled weights", ORANGE, DASHED, "s"),
}
_CAPTION = (
    "(a) Values behind the sums of each block at initialization, before the activation: the mean "
    "over feature maps of their deviation; block 0 is the first convolution. (b) The loss after "
    "one step of descent over that before it, on the same mini-batch, normalized by itself; "
    "a line ends where the loss overflows; dotted: 1,000. (c) Training accuracy over the last "
    "tenth of the steps, momentum 0.9; marks: seeds; crosses: seeds that diverged. Lines: medians. "
    "Scaled weights: SkipInit with weights by scaled weight standardization."
)
_LEAD = (
    "A residual network adds the outputs of all its branches up. With He's weights each branch is "
    "as large as what it is added to, so that the variance doubles with every block, and after 27 "
    "blocks values are hundreds of times too large. Batch normalization makes each branch the "
    "same size, whatever has been added up before: the variance grows by one a block instead of by "
    "a factor of two.",
    "If that is all, then something simpler will do. SkipInit multiplies each branch by a number "
    "that begins at 0 and is trained, also with weights that keep the variance within a branch; "
    "Fixup begins the last convolution of each branch at 0. Each of them begins as its own "
    "shortcut. None of them normalizes anything. What is left for "
    "batch normalization is the rate that it bears.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """D4 and D7, from the study's tables."""
    seeds = found["trained"]["seed"].nunique()
    shared = f"{images_of(found['setting'])}, batch {found['setting']['batch_size'].iloc[0]}"
    return Told(
        title="Residual networks",
        setting=f"resnet of {_layers(found)} layers, {shared}{scale_of(record)}, n = {seeds}",
        findings=_findings(found),
        drawings=[_drawing(found)],
    )


def _drawing(found: Tables) -> Drawing:
    panels = [
        Panel(
            "blocks",
            "(a) Values over depth",
            f"Decades by which the values' deviation grows a block: {_each(_slopes(found))}.",
            partial(_draw_blocks, rows=found["blocks"]),
        ),
        Panel(
            "first_steps",
            "(b) The first step",
            f"Largest rates of a first step that is borne: {_each(_borne(found))}.",
            partial(_draw_first_steps, rows=found["first_steps"]),
        ),
        Panel(
            "trained",
            "(c) Who trains",
            f"Largest rates at which networks train: {_each(_trained(found))}.",
            partial(_draw_trained, rows=found["trained"]),
        ),
    ]
    layers = _layers(found)
    title = f"Largest rate at which {layers} layers train (medians): {_each(_trained(found))}"
    return Drawing(STUDY, title, panels, [[panel.name for panel in panels]], _CAPTION, _LEAD)


def _by_seed(rows: pd.DataFrame, measure: Measure) -> dict[str, float]:
    """The median over the seeds of what is measured, by network."""
    measured = {
        str(network): [measure(of_seed) for _, of_seed in own.groupby("seed")]
        for network, own in rows.groupby("network", sort=False)
    }
    return {network: float(np.median(values)) for network, values in measured.items()}


def _slopes(found: Tables) -> dict[str, float]:
    return _by_seed(found["blocks"], slope)


def _borne(found: Tables) -> dict[str, float]:
    return _by_seed(found["first_steps"], largest_borne)


def _trained(found: Tables) -> dict[str, float]:
    return _by_seed(found["trained"], largest_trained)


def _each(values: dict[str, float]) -> str:
    return ", ".join(
        f"{_LINES[network].label} {format(value, '.2g') if value else 'none'}"
        for network, value in values.items()
    )


def _layers(found: Tables) -> int:
    """Two a block, the first convolution and the classifier."""
    return 2 * int(found["blocks"]["block"].max()) + 2


def _findings(found: Tables) -> list[str]:
    blocks = int(found["blocks"]["block"].max())
    growths = {network: 10 ** (value * blocks) for network, value in _slopes(found).items()}
    return [
        f"At initialization the deviation of the values grows over the {blocks} blocks by factors "
        f"of {_each(growths)} (by the slope of its logarithm, medians).",
        f"The largest rate up to which the first step leaves the loss below {BORNE:,.0f} times "
        f"what it was: {_each(_borne(found))} (medians).",
        f"The largest rate at which they see half of their training images rightly at the end: "
        f"{_each(_trained(found))} (medians).",
    ]


def _draw_blocks(axes: Axes, rows: pd.DataFrame) -> None:
    for network, own in rows.groupby("network", sort=False):
        line = _LINES[str(network)]
        median = own.groupby("block")["deviation"].median()
        axes.plot(median.index, median, color=line.color, linestyle=line.style, label=line.label)
    axes.set_yscale("log")
    axes.set_xlabel("block")
    axes.set_ylabel("deviation of the values")
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _draw_first_steps(axes: Axes, rows: pd.DataFrame) -> None:
    for network, own in rows.groupby("network", sort=False):
        line = _LINES[str(network)]
        median = own.groupby("rate")["relative_loss"].median()
        axes.plot(median.index, median, color=line.color, linestyle=line.style)
    axes.axhline(BORNE, color=INK, linewidth=0.7, linestyle=FINE)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(1e-2, 1e8)
    axes.set_xlabel("rate of the first step")
    axes.set_ylabel("loss after it over loss before")


def _draw_trained(axes: Axes, rows: pd.DataFrame) -> None:
    for network, own in rows.groupby("network", sort=False):
        line = _LINES[str(network)]
        kept = own.dropna(subset="accuracy")
        axes.plot(kept["rate"], kept["accuracy"], line.marker, color=line.color, markersize=3.5)
        diverged = own[own["accuracy"].isna()]
        axes.plot(diverged["rate"], [0.0] * len(diverged), "x", color=line.color, markersize=4)
        median = own.fillna({"accuracy": 0.0}).groupby("rate")["accuracy"].median()
        axes.plot(median.index, median, color=line.color, linestyle=line.style)
    axes.axhline(TRAINED, color=INK, linewidth=0.7, linestyle=FINE)
    axes.set_xscale("log")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training accuracy")
    percent_axis(axes.yaxis)
