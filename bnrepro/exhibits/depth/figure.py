"""Gradients over depth, from what `bnrepro laboratory depth` has left."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, made_on
from bnrepro.exhibits.depth.claims import (
    BN,
    CONTROL_BATCH,
    JUDGED,
    RELU_BATCH,
    SKIPS,
    STUDY,
    TRAINED,
    WITHOUT,
    growth,
    law,
)
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.experiments.line import (
    BLUE,
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

_BATCHES = {
    4: Line("B = 4", PURPLE, "", "v"),
    8: Line("B = 8", VERMILLION, "", "s"),
    32: Line("B = 32", BLUE, "", "o"),
    128: Line("B = 128", GREEN, "", "^"),
}
_NETWORKS = {
    BN: Line("BN", BLUE, "-", "o"),
    SKIPS: Line("BN, layers add their inputs", GREEN, DASHED, "^"),
    WITHOUT: Line("without BN, He's weights", ORANGE, DOTTED, "D"),
}
_CAPTION = (
    "(a, b) Squared gradient by a layer's inner values over that of the last layer, at "
    "initialization, 24 layers of 400 units, a random linear function of the outputs; marks: "
    "medians over the seeds; lines: the law, B the examples in a mini-batch (with ReLU that of "
    "large batches; dashed and dotted: networks with another form, B = 32). (c) Training accuracy "
    "over the last 50 mini-batches of 64; 64 units a layer, momentum 0.9; marks: single seeds; "
    "lines: medians."
)
_LEAD = (
    "Batch normalization keeps the values of every layer in order on the way up. On the way down "
    "it does not do that for gradients. At initialization each layer multiplies the squared "
    "gradient by a factor that can be worked out: with ReLU, half of the variance is in the mean, "
    "which batch normalization takes away; it divides by what is left, and divides the gradient "
    "too. Per layer that is pi / (pi - 1) = 1.47, over 80 layers a factor of 10^13. Without "
    "normalization, with He's weights, the factor is 1: here batch normalization is not the cure "
    "but the cause.",
    "Layers that add their inputs to their outputs give the gradient a way that goes around all of "
    "these factors. That is one reason why very deep networks have both.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """D5, from the study's tables."""
    gradients, trained = found["gradients"], found["trained"]
    return Told(
        title="Depth",
        setting=f"mlp, {made_on(record, trained)}",
        findings=_findings(gradients, trained),
        drawings=[_drawing(gradients, trained)],
    )


def _drawing(gradients: pd.DataFrame, trained: pd.DataFrame) -> Drawing:
    panels = [
        *(
            Panel(
                activation,
                f"({letter}) {words}",
                _describe(gradients, activation),
                partial(_draw_gradients, rows=gradients, activation=activation),
            )
            for letter, activation, words in (
                ("a", "linear", "Squared gradients without an activation"),
                ("b", "relu", "Squared gradients with ReLU"),
            )
        ),
        Panel(
            "trained",
            "(c) Who trains",
            _describe_trained(trained),
            partial(_draw_trained, rows=trained),
        ),
    ]
    factor = _growths(gradients)["relu", BN, RELU_BATCH]
    deepest = trained["depth"].max()
    title = (
        f"With ReLU and batch normalization squared gradients grow by {factor:.2f} a layer; of "
        f"{deepest} layers {_share(trained, BN, deepest)} networks train, "
        f"{_share(trained, SKIPS, deepest)} where layers add their inputs"
    )
    return Drawing(STUDY, title, panels, [[panel.name for panel in panels]], _CAPTION, _LEAD)


def _growths(gradients: pd.DataFrame) -> pd.Series:
    """The median growth a layer, by activation, network and mini-batch."""
    keys = ["activation", "network", "batch", "seed"]
    values = {key: growth(own) for key, own in gradients.groupby(keys)}
    index = pd.MultiIndex.from_tuples(values, names=keys)
    return pd.Series(list(values.values()), index).groupby(level=[0, 1, 2]).median()


def _share(trained: pd.DataFrame, network: str, depth: int) -> str:
    """How many of the seeds have trained: `0 of 6`."""
    own = trained[(trained["network"] == network) & (trained["depth"] == depth)]
    return f"{(own['accuracy'] >= TRAINED).sum()} of {len(own)}"


def _findings(gradients: pd.DataFrame, trained: pd.DataFrame) -> list[str]:
    growths = _growths(gradients)
    each = {
        activation: ", ".join(
            f"{batch}: {growths[activation, BN, batch]:.3f} ({law(activation, batch):.3f})"
            for batch in _BATCHES
        )
        for activation in ("linear", "relu")
    }
    shares = "; ".join(
        f"{depth} layers {_share(trained, BN, depth)} and {_share(trained, SKIPS, depth)}"
        for depth in sorted(trained["depth"].unique())
    )
    return [
        "Growth of the squared gradient a layer with batch normalization, by examples in a "
        "mini-batch (in brackets the law): without an activation "
        f"{each['linear']}; with ReLU {each['relu']} (medians).",
        f"With ReLU in mini-batches of {CONTROL_BATCH} it is "
        f"{growths['relu', SKIPS, CONTROL_BATCH]:.3f} where layers add their inputs, and "
        f"{growths['relu', WITHOUT, CONTROL_BATCH]:.3f} without normalization.",
        "Networks that see half of their training images rightly after all steps, plain and where "
        f"layers add their inputs: {shares}.",
    ]


def _draw_gradients(axes: Axes, rows: pd.DataFrame, activation: str) -> None:
    own = rows[rows["activation"] == activation]
    layers = np.array(sorted(own["layer"].unique()))
    for batch, line in _BATCHES.items():
        median = _median(own[(own["network"] == BN) & (own["batch"] == batch)])
        axes.plot(
            median.index, median, line.marker, color=line.color, markersize=3, label=line.label
        )
        if activation == "linear" or batch == RELU_BATCH:
            by_law = law(activation, batch) ** (layers[-1] - layers)
            axes.plot(layers, by_law, color=line.color, linewidth=1)
    for network in (SKIPS, WITHOUT) if activation == "relu" else ():
        line = _NETWORKS[network]
        median = _median(own[own["network"] == network])
        axes.plot(median.index, median, color=INK, linestyle=line.style, label=line.label)
    axes.set_yscale("log")
    axes.set_xlabel("layer, from the inputs")
    axes.set_ylabel("squared gradient over the last layer's")
    axes.legend(frameon=False, fontsize=7.5, loc="upper right")


def _median(rows: pd.DataFrame) -> pd.Series:
    return rows.groupby("layer")["squared_gradient"].median()


def _draw_trained(axes: Axes, rows: pd.DataFrame) -> None:
    depths = sorted(rows["depth"].unique())
    places = {depth: place for place, depth in enumerate(depths)}
    for network, own in rows.groupby("network", sort=False):
        line = _NETWORKS[str(network)]
        axes.plot(
            own["depth"].map(places), own["accuracy"], line.marker, color=line.color, markersize=3.5
        )
        median = own.groupby("depth")["accuracy"].median()
        axes.plot(
            range(len(depths)), median, color=line.color, linestyle=line.style, label=line.label
        )
    axes.axhline(TRAINED, color=INK, linewidth=0.7, linestyle=FINE)
    axes.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    axes.set_ylim(0, 1.03)
    axes.set_xlabel("hidden layers")
    axes.set_ylabel("training accuracy")
    percent_axis(axes.yaxis)
    axes.legend(frameon=False, fontsize=8, loc="lower left")


def _describe(rows: pd.DataFrame, activation: str) -> str:
    growths = _growths(rows)[activation]
    each = "; ".join(
        f"{network}, {batch}: {value:.3f}" for (network, batch), value in growths.items()
    )
    return f"Median growth of the squared gradient a layer, by network and mini-batch: {each}."


def _describe_trained(rows: pd.DataFrame) -> str:
    each = "; ".join(
        f"{network}, {depth}: {_share(rows, network, depth)}"
        for network in (BN, SKIPS)
        for depth in sorted(rows["depth"].unique())
    )
    return f"Networks that have trained, by network and hidden layers: {each}."
