"""F3's picture: paths over the contours of logistic regression, as the laboratory has left them."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import images_of
from bnrepro.exhibits.exhibit import Drawing, Exhibit
from bnrepro.experiments.line import BLUE, GRAY, GREEN, INK, VERMILLION
from bnrepro.records import laboratory

STUDY = "descent_paths"
_COLORS = (GREEN, BLUE, VERMILLION)
_CONTOURS = 9
_CAPTION = (
    "Contours of the loss over all images; from one to the next the loss above the minimum "
    "(cross) is halved. All paths begin at the open mark, as far along the steep direction as "
    "along the flat one by the curvatures at the minimum. Filled mark: after every image was seen "
    "once. Rates are 1, 1/2 and 1/50 of 1 / the largest curvature at the minimum; first seed; of "
    "long paths some of the points."
)
_LEAD = (
    "How do the three descents look? Two weights can be drawn: logistic regression on the first "
    "two principal components of the images. The gradient of all examples stands at right angles "
    "on the contours, step after step; in a valley that is not the way to the minimum, and each "
    "step costs a pass over all examples. Mini-batches take a trembling path in the same "
    "direction. Single examples stagger: each says only what it would like itself, and their mean "
    "is the way. When every example was seen once, the first descent has made one step.",
)


def exhibit(results_dir: str) -> Exhibit:
    """The paths from the tables below `results_dir`.

    Raises:
        ConfigError: if they were not computed there.
        RecordError: if the record or a table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    names = ("ends", "paths", "surface", "setting")
    found = {name: laboratory.read_table(results_dir, STUDY, name) for name in names}
    ends, images = found["ends"], int(found["setting"]["images"].iloc[0])
    return Exhibit(
        name=STUDY,
        title="Paths of descent",
        setting=(
            f"{images:,} images of {images_of(found['setting'])}, logistic regression on two "
            f"principal components, n = {ends['seed'].nunique()} seeds"
        ),
        findings=[_finding(ends)],
        commands=[
            laboratory.command(STUDY, scale=record.scale),
            f"bnrepro figure {STUDY}",
        ],
        missing=[],
        drawings=[_drawing(found)],
        tables=[],
        series=[],
        computed=record,
    )


def _drawing(found: dict[str, pd.DataFrame]) -> Drawing:
    ends, paths = found["ends"], found["paths"]
    sizes = sorted(ends["batch_size"].unique(), reverse=True)
    panels = [
        Panel(
            f"batch_{size}",
            f"({letter}) {_name(size, ends)}, {_count(int(own['update'].max()))}",
            f"A path over contours of the loss, from {own['loss'].iloc[0]:.3g} to "
            f"{own['loss'].iloc[-1]:.3g}.",
            partial(
                _draw,
                path=own,
                surface=found["surface"],
                pass_ends=int(ends[ends["batch_size"] == size]["updates"].iloc[0]),
                color=color,
            ),
        )
        for letter, size, color in zip("abc", sizes, _COLORS, strict=True)
        for own in [paths[paths["batch_size"] == size]]
    ]
    return Drawing(
        "paths",
        f"Loss above the minimum once every image was seen: {_excesses(ends)}",
        panels,
        [[panel.name for panel in panels]],
        _CAPTION,
        _LEAD,
    )


def _draw(
    axes: Axes, path: pd.DataFrame, surface: pd.DataFrame, pass_ends: int, color: str
) -> None:
    losses = surface.pivot_table("loss", index="weight_2", columns="weight_1")
    least = surface.sort_values("loss", kind="stable").iloc[0]
    excess = losses.to_numpy() - min(least["loss"], path["loss"].min())
    levels = path["loss"].iloc[0] - path["loss"].min()
    axes.contour(
        losses.columns, losses.index, excess, colors=GRAY, linewidths=0.6,
        levels=np.sort(2 * levels / 2.0 ** np.arange(_CONTOURS)),
    )  # fmt: skip
    x, y = path["weight_1"], path["weight_2"]
    axes.plot(x, y, color=color, linewidth=1, marker="." if len(path) < 60 else "", markersize=4)
    axes.plot(x.iloc[0], y.iloc[0], "o", color=INK, markerfacecolor="none", markersize=5)
    seen = path[path["update"] >= pass_ends].iloc[:1]
    if seen.empty:
        seen = path.iloc[-1:]
    axes.plot(seen["weight_1"], seen["weight_2"], "o", color=INK, markersize=5)
    axes.plot(least["weight_1"], least["weight_2"], "x", color=INK, markersize=6)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xlabel("first weight")
    axes.set_ylabel("second weight")


def _finding(ends: pd.DataFrame) -> str:
    return (
        "Once every image was seen, the loss of logistic regression is above its minimum by "
        f"{_excesses(ends)} (medians over the seeds)."
    )


def _excesses(ends: pd.DataFrame) -> str:
    medians = (
        ends.groupby("batch_size")["excess"].median().sort_index(ascending=False, kind="stable")
    )
    return ", ".join(f"{value:.2g} ({_name(size, ends)})" for size, value in medians.items())


def _name(size: object, ends: pd.DataFrame) -> str:
    if size == ends["batch_size"].max():
        return "all at once"
    return "one at a time" if size == 1 else f"mini-batches of {size}"


def _count(updates: int) -> str:
    return f"{updates:,} updates"
