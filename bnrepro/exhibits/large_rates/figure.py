"""Residual networks at small and large rates, from what `bnrepro laboratory large_rates` left."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, images_of
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.large_rates.claims import (
    BN,
    JUDGED,
    PLAIN,
    SMALL,
    STUDY,
    at_smallest,
    best,
    between_columns,
    gradients_of,
)
from bnrepro.exhibits.wording import percent
from bnrepro.experiments.line import BLUE, DOTTED, VERMILLION, Line
from bnrepro.records.laboratory import LaboratoryRecord

_LINES = {
    PLAIN: Line("without BN", VERMILLION, DOTTED, "v"),
    BN: Line("with BN", BLUE, "-", "o"),
}
_MAPS = {PLAIN: "map_without", BN: "map_with"}
# Of the examples of a map: what can be told apart.
_SHOWN = 32
_CAPTION = (
    "(a) Accuracy on the test images after all steps; marks: seeds; crosses at the bottom: seeds "
    "that diverged; lines: medians. (b) Training accuracy over the mini-batches since the point "
    "before; thick: at the rate of the best median test accuracy; thin: at the smallest rate; "
    "medians, and from the lowest to the highest seed. (c, d) |dL/d output| at initialization, L "
    "of each example by itself, the first 64 normalized together, seed {seed}: rows are the first "
    "32 examples, columns are classes; one colour scale, from 0 (dark) to 1 (light)."
)
_LEAD = (
    "A network with batch normalization learns sooner and ends higher. Is that the normalization "
    "itself, or the rate at which it lets you train? Give both networks the same small rate, and "
    "then each the best that it bears. If they are alike at the small one, then what batch "
    "normalization gives is the larger step, and the question is why the other network does not "
    "bear it.",
    "A part of the answer can be seen before anything is trained. Where values have doubled from "
    "block to block, whatever is common to all images has, too: the network sees the same class in "
    "every image, and is sure of it. Then all examples pull the same output the same way.",
)


@JUDGED.exhibited
def exhibit(_: LaboratoryRecord, found: Tables) -> Told:
    """D4b, from the study's tables."""
    shared = found["setting"].iloc[0]
    return Told(
        title="Small and large rates",
        setting=(
            f"resnet of {shared['layers']} layers at half width, {images_of(found['setting'])}, "
            f"{shared['train_steps']:,} steps of {shared['batch_size']} examples, "
            f"n = {found['ends']['seed'].nunique()}"
        ),
        findings=_findings(found),
        drawings=[_drawing(found)],
    )


def _drawing(found: Tables) -> Drawing:
    ends, outputs = found["ends"], found["outputs"]
    first = int(outputs["seed"].min())
    panels = [
        Panel("rates", "(a) Test accuracy", _at_rates(ends), partial(_draw_rates, rows=ends)),
        Panel(
            "curves",
            f"(b) Training accuracy, at {SMALL:g} and at the best rate",
            f"Best rates: {_best_rates(ends)}.",
            partial(_draw_curves, curves=found["curves"], ends=ends),
        ),
        *(
            Panel(
                _MAPS[network],
                f"({letter}) |dL/d output| at first, {_LINES[network].label}",
                f"Share of its variance between classes: {_shares(outputs)[network]:.2g} (median).",
                partial(_draw_map, values=gradients_of(outputs[outputs["seed"] == first], network)),
            )
            for letter, network in zip("cd", _LINES, strict=True)
        ),
    ]
    names = [panel.name for panel in panels]
    title = f"Test accuracy at {SMALL:g}: {_small(ends)}; at the best rate: {_best(ends)} (medians)"
    caption = _CAPTION.format(seed=first)
    return Drawing(STUDY, title, panels, [names[:2], names[2:]], caption, _LEAD)


def _medians(ends: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy, a row a rate, a column a network; 0 where most seeds diverged."""
    filled = ends.fillna({"accuracy": 0.0})
    return filled.pivot_table("accuracy", index="rate", columns="network", aggfunc="median")


def _best_rate(ends: pd.DataFrame, network: str) -> float:
    medians = _medians(ends)[network]
    return float(medians.index.to_numpy()[medians.argmax()])


def _best_rates(ends: pd.DataFrame) -> str:
    return ", ".join(f"{_best_rate(ends, each):g} {line.label}" for each, line in _LINES.items())


def _at_rates(ends: pd.DataFrame) -> str:
    """Every median, in words."""
    return "; ".join(
        f"{rate:g}: "
        + ", ".join(f"{_percent(row[each])} {line.label}" for each, line in _LINES.items())
        for rate, row in _medians(ends).iterrows()
    )


def _percent(accuracy: float) -> str:
    return percent(accuracy) if accuracy else "diverged"


def _small(ends: pd.DataFrame) -> str:
    medians = _medians(at_smallest(ends)).iloc[0]
    return " and ".join(f"{_percent(medians[each])} {line.label}" for each, line in _LINES.items())


def _bests(ends: pd.DataFrame) -> dict[str, float]:
    """Medians over the seeds of each one's best."""
    return {
        network: float(np.median([best(own, network) for _, own in ends.groupby("seed")]))
        for network in _LINES
    }


def _best(ends: pd.DataFrame) -> str:
    each = _bests(ends)
    return " and ".join(f"{_percent(each[name])} {line.label}" for name, line in _LINES.items())


def _shares(outputs: pd.DataFrame) -> dict[str, float]:
    return {
        network: float(
            np.median(
                [between_columns(gradients_of(own, network)) for _, own in outputs.groupby("seed")]
            )
        )
        for network in _LINES
    }


def _findings(found: Tables) -> list[str]:
    ends, shares = found["ends"], _shares(found["outputs"])
    trained = at_smallest(ends).groupby("network")["train_accuracy"].median()
    each = ", ".join(f"{shares[name]:.2f} {line.label}" for name, line in _LINES.items())
    small = " and ".join(f"{_percent(trained[name])} {line.label}" for name, line in _LINES.items())
    return [
        f"Test accuracy by the rate (medians): {_at_rates(ends)}.",
        f"At {SMALL:g} they see {small} of the training images of the last tenth of the steps "
        "rightly (medians).",
        f"Each at its own best rate: {_best(ends)} (medians over the seeds).",
        f"Share of the variance of |dL/d output| at initialization that is between classes: {each} "
        "(medians).",
    ]


def _draw_rates(axes: Axes, rows: pd.DataFrame) -> None:
    for network, line in _LINES.items():
        own = rows[rows["network"] == network]
        kept, lost = own.dropna(subset="accuracy"), own[own["accuracy"].isna()]
        axes.plot(kept["rate"], kept["accuracy"], line.marker, color=line.color, markersize=4)
        if not lost.empty:
            axes.plot(lost["rate"], [0.0] * len(lost), "x", color=line.color, clip_on=False)
        medians = _medians(own)[network]
        axes.plot(medians.index, medians, color=line.color, linestyle=line.style, label=line.label)
    axes.set_xscale("log")
    axes.set_ylim(0, 1.1 * rows["accuracy"].max())
    percent_axis(axes.yaxis)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("test accuracy")
    axes.legend(frameon=False, fontsize=8, loc="best")


def _draw_curves(axes: Axes, curves: pd.DataFrame, ends: pd.DataFrame) -> None:
    for network, line in _LINES.items():
        own = curves[curves["network"] == network].dropna(subset="accuracy")
        best_rate = _best_rate(ends, network)
        for rate in sorted({SMALL, best_rate}):
            by_step = own[np.isclose(own["rate"], rate)].groupby("step")["accuracy"]
            middle = by_step.median()
            axes.fill_between(
                middle.index, by_step.min(), by_step.max(), color=line.color, alpha=0.12, lw=0
            )
            axes.plot(
                middle.index, middle, color=line.color, linestyle=line.style,
                linewidth=1.8 if rate == best_rate else 0.9, label=f"{line.label}, {rate:g}",
            )  # fmt: skip
    axes.set_ylim(bottom=0)
    percent_axis(axes.yaxis)
    axes.set_xlabel("training steps")
    axes.set_ylabel("training accuracy")
    axes.legend(frameon=False, fontsize=7.5, loc="best")


def _draw_map(axes: Axes, values: np.ndarray) -> None:
    """Rows from above, as one reads."""
    axes.pcolormesh(values[:_SHOWN], cmap="cividis", vmin=0, vmax=1)
    axes.invert_yaxis()
    axes.set_xticks(
        np.arange(values.shape[1]) + 0.5, [f"{each}" for each in range(values.shape[1])]
    )
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlabel("class")
    axes.set_ylabel("examples")
