"""The loss around trained networks, from what `bnrepro laboratory surfaces` has left."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from bnrepro.drawing import surfaces
from bnrepro.drawing.style import Panel
from bnrepro.drawing.surfaces import Plane
from bnrepro.exhibits.computed import Tables, Told, images_of, scale_of
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.surfaces.claims import (
    AT,
    FROZEN,
    JUDGED,
    PLAIN,
    SKIP,
    SKIPINIT,
    SOUND,
    STUDY,
    nonconvex_shares,
    ratios_of_modes,
    rises,
)
from bnrepro.exhibits.wording import percent
from bnrepro.records.laboratory import LaboratoryRecord

_NETWORKS = {
    SKIP: "with shortcuts",
    PLAIN: "without shortcuts",
    SKIPINIT: "SkipInit, not normalized",
}
_LEAD = (
    "A trained network is one point in a space of thousands of weights. What does the loss look "
    "like around it? Walk away along a random direction and watch. How far is far, though? Weights "
    "before batch normalization may have any length at all, and a step of 1 is nothing to kernels "
    "of length 100. Li et al. (2018) make every filter of the direction as long as the network's "
    "own: a step of 1 then changes each filter by as much as there is of it, whatever its scale "
    "(`bnrepro claims X13` tests that). Along such directions they saw, around deep networks "
    "without shortcuts, a landscape of chaos, and around those with shortcuts a bowl.",
    "One question is easily passed over. While the weights move, what does batch normalization "
    "normalize by? The moving averages of the trained network (frozen, as in Li's pictures) fit "
    "these weights and no others: one step away the values of each layer have another mean and "
    "deviation, and the loss rises for that reason too. Statistics that are computed anew at each "
    "point (population) show the network that would be there if somebody trained to that point; "
    "those of the images themselves (batch) what training itself sees. It is one network, and "
    "three different curves.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """B1 and B2, from the study's tables."""
    setting = found["setting"].iloc[0]
    seeds = found["networks"]["seed"].nunique()
    planes = list(_planes(found["planes"]))
    return Told(
        title="Loss surfaces",
        setting=(
            f"ResNet at width {setting['width']:g}, {images_of(found['setting'])}"
            f"{scale_of(record)}, {setting['train_steps']} steps of {setting['batch_size']}, "
            f"n = {seeds}"
        ),
        findings=_findings(found),
        drawings=[_drawing(found)],
        pages={"interactive.html": surfaces.page("Loss surfaces", _text(found), planes)},
    )


def _text(found: Tables) -> str:
    setting = found["setting"].iloc[0]
    return (
        f"Cross-entropy of {setting['examples']} training images over planes through trained "
        "residual networks, along two random filter-normalized directions, as far as the weights "
        "are long. Choose two, and compare the same network with frozen statistics and with ones "
        "computed anew, or two networks."
    )


def _planes(rows: pd.DataFrame) -> Iterator[Plane]:
    """All planes, the deepest networks first, and those with statistics computed anew."""
    for layers in sorted(rows["layers"].unique(), reverse=True):
        for mode in (SOUND, FROZEN):
            for network, words in _NETWORKS.items():
                own = _plane_rows(rows, network, layers, mode)
                if len(own):
                    which = "" if network == SKIPINIT else f", {mode}"
                    yield Plane.of(f"{layers} layers, {words}{which}", own)


def _plane_rows(rows: pd.DataFrame, network: str, layers: int, mode: str) -> pd.DataFrame:
    chosen = (rows["network"] == network) & (rows["layers"] == layers) & (rows["mode"] == mode)
    return rows[chosen]


def _drawing(found: Tables) -> Drawing:
    lines = found["lines"]
    letters = iter("abcdefghi")
    panels = [*_plane_panels(found["planes"], letters), *_line_panels(lines, letters)]
    names, width = [panel.name for panel in panels], len(_NETWORKS)
    layout = [names[start : start + width] for start in range(0, len(names), width)]
    return Drawing(STUDY, _title(lines), panels, layout, _caption(found), _LEAD)


def _plane_panels(planes: pd.DataFrame, letters: Iterator[str]) -> Iterator[Panel]:
    """A row of networks for each depth, in levels that all of them share."""
    shown = {
        (layers, network): Plane.of(
            f"{layers} layers, {words}", _plane_rows(planes, network, layers, _mode(network))
        )
        for layers in sorted(planes["layers"].unique())
        for network, words in _NETWORKS.items()
    }
    shared = surfaces.levels(list(shown.values()))
    for (layers, network), plane in shown.items():
        title = f"({next(letters)}) {plane.name}: {plane.center:.2g}"
        draw = partial(surfaces.contours, plane=plane, shared=shared, bar=network == SKIPINIT)
        yield Panel(_named("plane", layers, network), title, _describe(plane), draw)


def _line_panels(lines: pd.DataFrame, letters: Iterator[str]) -> Iterator[Panel]:
    """The deepest networks, over one range of the loss."""
    layers = lines["layers"].max()
    deepest = lines[lines["layers"] == layers]
    finite = deepest["loss"][np.isfinite(deepest["loss"])]
    limits = (float(finite.min()) / 1.3, float(finite.max()) * 1.3)
    for network, words in _NETWORKS.items():
        own = deepest[deepest["network"] == network]
        title = f"({next(letters)}) Lines, {layers} layers, {words}"
        draw = partial(surfaces.lines, rows=own, limits=limits)
        yield Panel(_named("lines", layers, network), title, _describe_lines(own), draw)


def _named(what: str, layers: int, network: str) -> str:
    return f"{what}_{layers}_{network.replace(' ', '_')}"


def _mode(network: str) -> str:
    """The mode whose planes are drawn."""
    return FROZEN if network == SKIPINIT else SOUND


def _caption(found: Tables) -> str:
    setting = found["setting"].iloc[0]
    last = "abcdef"[len(_NETWORKS) * found["planes"]["layers"].nunique() - 1]
    return (
        f"(a-{last}) Loss on {setting['examples']} training images over two random filter-"
        "normalized directions, from -1 to 1; contours and colours are the same in all, of equal "
        "ratios; mode population; first seed; in the titles the loss at the trained weights, the "
        "cross. Below: along single directions, line: median over seeds and directions, band: "
        "least and greatest; a network without batch normalization has one curve."
    )


def _title(lines: pd.DataFrame) -> str:
    deepest = lines[lines["layers"] == lines["layers"].max()]
    medians = rises(deepest).groupby(level=["network", "mode"]).median()
    return (
        f"Half the weights' length away, the loss of {deepest['layers'].iloc[0]} layers rises by "
        f"{medians[SKIP, SOUND]:.2g} with shortcuts and by {medians[PLAIN, SOUND]:.2g} without; "
        f"with frozen statistics by {medians[SKIP, FROZEN]:.2g} and {medians[PLAIN, FROZEN]:.2g}"
    )


def _findings(found: Tables) -> list[str]:
    lines, networks = found["lines"], found["networks"]
    keys = ["layers", "network", "mode"]
    by_mode = rises(lines).groupby(level=keys).median()
    shares = nonconvex_shares(lines).groupby(level=keys).mean()
    centers = lines[lines["length"] == 0].groupby(keys)["loss"].median()
    return [
        f"Loss at the trained weights (medians over seeds): {_each(centers, '{:.2g}'.format)}.",
        f"Loss above that of the trained weights at |a| = {AT:g} (medians over seeds and "
        f"directions): {_each(by_mode, '{:.2g}'.format)}.",
        "With frozen statistics it rises so many times as much as with ones computed anew (median, "
        f"least to greatest over seeds and directions): {_of_networks(ratios_of_modes(lines))}.",
        f"Share of a line's points at which the loss bends down (means): {_each(shares, percent)}.",
        "Share of a plane's points at which it bends down in some direction of the plane (one "
        f"seed): {_of_planes(found['planes'])}.",
        "Largest curvature at the trained weights, of the loss on these images as one mini-batch, "
        f"and times the rate (medians over seeds): {_curvatures(found)}.",
        f"Trained so far (medians over seeds, loss of the last mini-batches and test accuracy): "
        f"{_trained(networks)}.",
    ]


def _each(values: pd.Series, written: Callable[[float], str]) -> str:
    """The values by layers, network and mode, in words."""
    return "; ".join(
        f"{layers} layers {_NETWORKS[network]} "
        + ", ".join(
            written(values[layers, network, mode]) + ("" if network == SKIPINIT else f" ({mode})")
            for mode in surfaces.MODES
            if (layers, network, mode) in values.index
        )
        for layers in sorted(values.index.unique("layers"))
        for network in _NETWORKS
    )


def _of_networks(ratios: pd.Series) -> str:
    """The ratios of a network's seeds and directions, in words."""
    found = ratios.groupby(level=["layers", "network"])
    low, middle, high = found.min(), found.median(), found.max()
    return "; ".join(
        f"{layers} layers {_NETWORKS[network]} {middle[layers, network]:.2g} "
        f"({low[layers, network]:.2g} to {high[layers, network]:.2g})"
        for layers in sorted(ratios.index.unique("layers"))
        for network in (SKIP, PLAIN)
    )


def _of_planes(rows: pd.DataFrame) -> str:
    return "; ".join(
        f"{plane.name} {percent(surfaces.nonconvex_share(plane))}" for plane in _planes(rows)
    )


def _curvatures(found: Tables) -> str:
    rate = found["setting"]["learning_rate"].iloc[0]
    medians = found["networks"].groupby(["layers", "network"])["curvature"].median()
    return "; ".join(
        f"{layers} layers {words} {medians[layers, network]:.2g} and "
        f"{rate * medians[layers, network]:.2g}"
        for layers in sorted(medians.index.unique("layers"))
        for network, words in _NETWORKS.items()
    )


def _trained(networks: pd.DataFrame) -> str:
    medians = networks.groupby(["layers", "network"])[["train_loss", "accuracy"]].median()
    return "; ".join(
        f"{layers} layers {words} {medians.loc[(layers, network), 'train_loss']:.2g} and "
        f"{percent(medians.loc[(layers, network), 'accuracy'])}"
        for layers in sorted(networks["layers"].unique())
        for network, words in _NETWORKS.items()
    )


def _describe(plane: Plane) -> str:
    known = plane.losses[np.isfinite(plane.losses)]
    return (
        f"Loss {plane.center:.2g} at the trained weights, {known.min():.2g} to {known.max():.2g} "
        "over the plane."
    )


def _describe_lines(rows: pd.DataFrame) -> str:
    at = rows[rows["length"].abs() == AT].groupby("mode")["loss"].median()
    each = ", ".join(f"{at[mode]:.2g} ({mode})" for mode in surfaces.MODES if mode in at.index)
    return f"Median loss at |a| = {AT:g}: {each}."
