"""The path of a training in its plane, from what `bnrepro laboratory training_path` has left."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing import surfaces
from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.drawing.surfaces import Plane
from bnrepro.exhibits.computed import Tables, Told, images_of, scale_of
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.training_path.claims import EQUAL, JUDGED, OWN, STUDY, TRAINING, in_plane
from bnrepro.exhibits.wording import percent
from bnrepro.experiments.line import BLUE, GRAY, ORANGE, VERMILLION, Line
from bnrepro.records.laboratory import LaboratoryRecord

_NETWORKS = {"plain": "without batch normalization", "batch normalization": "with it"}
_PATHS = {
    TRAINING: Line("training", VERMILLION, "-", "v"),
    OWN: Line("walk, the training's lengths", BLUE, (0, (5, 2)), "s"),
    EQUAL: Line("walk, equal steps", GRAY, (0, (1, 1.3)), "o"),
}
_CAPTION = (
    "(a, b) Loss on fixed training images in the plane of the path's first two principal "
    "components, statistics computed anew; contours and colours are the same in both, of equal "
    "ratios; units are Euclidean lengths, the cross is the end of the training, the open mark its "
    "beginning; first seed. (c) Share of the path's variation in its first two components; a mark "
    "is a seed. A walk's steps know nothing of each other."
)
_LEAD = (
    "Where does a training go, on such a surface? A random plane through the last weights does not "
    "show it: in thousands of dimensions the way there is all but perpendicular to any direction "
    "drawn at random. So one takes the plane in which the weights did move most, by principal "
    "components, and is delighted to find most of the movement in two dimensions out of thousands.",
    "But ask what a drunkard does. A walk in thousands of dimensions whose steps know nothing of "
    "each other has, by theory, 61 percent of its variation in its first principal component and "
    "15 in the second. The components of a random walk are cosines of time; large shares and "
    "elegant curves are what one sees of a path that goes nowhere in particular. A share proves "
    "something only where it is another than that.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """B4, from the study's tables."""
    seeds = found["shares"]["seed"].nunique()
    return Told(
        title="Paths of trainings",
        setting=f"{_network(found)}, {images_of(found['setting'])}{scale_of(record)}, n = {seeds}",
        findings=[_finding(found["shares"])],
        drawings=[_drawing(found)],
    )


def _network(found: Tables) -> str:
    is_dense = found["setting"]["model"].iloc[0] == "mlp"
    return "two hidden layers of 50 ReLU units" if is_dense else "the small CNN"


def _drawing(found: Tables) -> Drawing:
    shares = found["shares"]
    panels = [*_planes(found), Panel("shares", "(c) In two components", _of_both(shares),
                                     partial(_draw_shares, rows=shares))]  # fmt: skip
    medians = in_plane(shares).median()
    title = (
        f"Two components have {percent(medians[TRAINING], 0)} of a training's path, "
        f"{percent(medians[OWN], 0)} of a walk with its lengths, "
        f"{percent(medians[EQUAL], 0)} of one with equal steps"
    )
    return Drawing(STUDY, title, panels, [[panel.name for panel in panels]], _CAPTION, _LEAD)


def _planes(found: Tables) -> Iterator[Panel]:
    rows, paths = found["planes"], found["paths"]
    first = paths[paths["seed"] == paths["seed"].min()]
    planes = {network: Plane.of(network, rows[rows["network"] == network]) for network in _NETWORKS}
    shared = surfaces.levels(list(planes.values()))
    for letter, (network, plane) in zip("ab", planes.items(), strict=True):
        path = first[first["network"] == network]
        yield Panel(
            network.replace(" ", "_"),
            f"({letter}) The path {_NETWORKS[network]}",
            f"Loss {np.nanmin(plane.losses):.2g} to {np.nanmax(plane.losses):.2g} in the plane.",
            partial(_draw_plane, plane=plane, shared=shared, path=path, bar=letter == "b"),
        )


def _draw_plane(
    axes: Axes, plane: Plane, shared: np.ndarray, path: pd.DataFrame, bar: bool
) -> None:
    surfaces.contours(axes, plane, shared, bar)
    axes.plot(path["first"], path["second"], color=ORANGE, marker=".", markersize=3, linewidth=1)
    axes.plot(path["first"].iloc[0], path["second"].iloc[0], "o", color=ORANGE, fillstyle="none")
    axes.set_xlabel("first component")
    axes.set_ylabel("second component")


def _draw_shares(axes: Axes, rows: pd.DataFrame) -> None:
    wide = in_plane(rows)
    for place, network in enumerate(_NETWORKS):
        for beside, (path, line) in zip((-0.2, 0, 0.2), _PATHS.items(), strict=True):
            own = wide.xs(network, level="network")[path]
            at = np.full(len(own), place + beside)
            label = line.label if place == 0 else None
            axes.plot(at, own, line.marker, color=line.color, markersize=4, label=label)
    axes.set_xticks(range(len(_NETWORKS)), list(_NETWORKS.values()))
    axes.set_xlim(-0.5, len(_NETWORKS) - 0.5)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("share of the path's variation")
    percent_axis(axes.yaxis)
    axes.legend(frameon=False, fontsize=7.5, loc="lower left")


def _of_both(shares: pd.DataFrame) -> str:
    medians = in_plane(shares).groupby(level="network").median()
    each = "; ".join(
        f"{words} {percent(float(medians[path][network]), 0)} ({line.label})"
        for network, words in _NETWORKS.items()
        for path, line in _PATHS.items()
    )
    return f"Median share of the first two components: {each}."


def _finding(shares: pd.DataFrame) -> str:
    medians = shares.groupby(["network", "path"]).median()

    def said(network: str, path: str, *columns: str) -> str:
        return " and ".join(percent(float(medians[each][network, path])) for each in columns)

    each = "; ".join(
        f"{words} "
        + ", ".join(
            f"{said(network, path, 'first', 'second')} ({line.label}; from the end "
            f"{said(network, path, 'first_from_end', 'second_from_end')})"
            for path, line in _PATHS.items()
        )
        for network, words in _NETWORKS.items()
    )
    return f"First and second component have of a path's variation (medians): {each}."
