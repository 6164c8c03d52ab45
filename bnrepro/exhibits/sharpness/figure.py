"""Sharp and flat solutions, from what `bnrepro laboratory sharpness` has left."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told
from bnrepro.exhibits.exhibit import Drawing, Table
from bnrepro.exhibits.sharpness.claims import (
    AT,
    BEYOND,
    DECAY,
    FIRST,
    JUDGED,
    LARGE,
    MOVING,
    NO_DECAY,
    SHORT,
    SMALL,
    SOUND,
    STUDY,
    rises,
    rises_beyond,
    shortening,
)
from bnrepro.exhibits.wording import percent
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, FINE, GRAY, GREEN, INK, VERMILLION, Line
from bnrepro.records import laboratory
from bnrepro.records.laboratory import LaboratoryRecord

_KINDS = {
    SMALL: Line("small mini-batches", BLUE, "-", "s"),
    LARGE: Line("large mini-batches", VERMILLION, DASHED, "o"),
    SHORT: Line("small, stopped early", GREEN, DOTTED, "^"),
}
_DECAYS = {NO_DECAY: "no weight decay", DECAY: f"weight decay {DECAY:g}"}
_WAYS = {
    SOUND: Line("computed anew", INK, "-", ""),
    MOVING: Line("moving averages", GRAY, DASHED, ""),
}
# For a legend above the lines, as a share of what they take.
_ROOM = 0.4
_LEAD = (
    "A solution is called flat where the loss around it rises slowly, and flat solutions are said "
    "to generalize. To compare two of them, one of small mini-batches and one of large ones, it "
    "seems natural to walk from one to the other and on beyond them, and to see which of both "
    "valleys is wider. But the length of a step is measured by the weights here too, and the scale "
    "of weights before a batch normalization is an accident: a step that hardly turns long kernels "
    "turns short ones by a lot. Li et al. (2018) let weight decay shorten the kernels. It does so "
    "in every step, and small mini-batches make more steps: with it, they report, the wider valley "
    "becomes the narrower one.",
    "Directions in which every filter is as long as the network's own know no such scale, and "
    "along them, they say, small mini-batches have the flatter solution either way. One more "
    "thing is compared with it, though: in as many images large mini-batches do not come as far, "
    "and a loss that has not come down rises otherwise. So there is a third network, of small "
    "mini-batches, that was stopped where its training loss was that of the large ones.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """B3, from the study's tables."""
    setting = found["setting"].iloc[0]
    small = "" if record.scale == laboratory.PUBLISHED_SCALE else f", {record.scale}"
    seeds = found["networks"]["seed"].nunique()
    return Told(
        title="Sharp and flat solutions",
        setting=(
            f"CNN at width {setting['width']:g}, {setting['train_examples']:,} {setting['data']}"
            f"{small}, {setting['seen']:,} images seen in mini-batches of {setting['small_batch']} "
            f"or {setting['large_batch']}, n = {seeds}"
        ),
        findings=list(_findings(found)),
        drawings=[_drawing(found)],
        tables=[_table(found)],
    )


def _drawing(found: Tables) -> Drawing:
    rows = [
        [
            _between_panel(letters[0], found["between"], decay),
            _line_panel(letters[1], found["lines"], decay),
            _weight_panel(letters[2], found["weights"], decay),
        ]
        for letters, decay in zip(("abc", "def"), _DECAYS, strict=True)
    ]
    panels = [panel for row in rows for panel in row]
    layout = [[panel.name for panel in row] for row in rows]
    return Drawing(STUDY, _title(found), panels, layout, _caption(found), _LEAD)


def _between_panel(letter: str, between: pd.DataFrame, decay: float) -> Panel:
    beyond = _medians_beyond(between)
    each = "; ".join(
        f"{line.label}: {_or_none(beyond[FIRST, SMALL, decay, mode])} beyond small, "
        f"{_or_none(beyond[LARGE, SMALL, decay, mode])} beyond large mini-batches"
        for mode, line in _WAYS.items()
    )
    return Panel(
        f"between_{letter}",
        f"({letter}) From small to large, {_DECAYS[decay]}",
        f"Median rise of the loss at {BEYOND:g} of the way beyond a solution, {each}.",
        partial(_draw_between, rows=between[between["kind"] == SMALL], decay=decay),
    )


def _medians_beyond(between: pd.DataFrame) -> pd.Series:
    """By end, kind of the first one, decay and mode; nan unless all seeds have a number."""
    found = rises_beyond(between).groupby(level=["end", "kind", "decay", "mode"])
    return found.median().where(found.count() == found.size())


def _draw_between(axes: Axes, rows: pd.DataFrame, decay: float) -> None:
    """The loss over what is finite with statistics computed anew in both panels."""
    sound = rows[rows["mode"] == SOUND]
    low, high = float(sound["loss"].min()), float(sound["loss"].max())
    limits = low / 1.5, high * (high / low) ** _ROOM
    for mode, line in _WAYS.items():
        own = rows[(rows["decay"] == decay) & (rows["mode"] == mode)]
        by_share = own.groupby("share")["loss"]
        median, whole = by_share.median(), by_share.count() == own["seed"].nunique()
        if mode == SOUND:
            least, greatest = by_share.min(), by_share.max()
            axes.fill_between(median.index, least, greatest, color=line.color, alpha=0.15, lw=0)
        axes.plot(
            median.index[whole], median[whole], color=line.color, linestyle=line.style,
            label=f"loss, {line.label}",
        )  # fmt: skip
        missing = median.index[~whole]
        axes.plot(missing, np.full(len(missing), high), "x", color=line.color)
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.minorticks_off()
    axes.set_xticks(np.linspace(-0.5, 1.5, 5))
    axes.set_xlabel("a, of the way from small (0) to large (1)")
    axes.set_ylabel("loss")
    for end in (0, 1):
        axes.axvline(end, color=INK, linewidth=0.8, linestyle=FINE)
    _draw_accuracy(axes, rows[(rows["decay"] == decay) & (rows["mode"] == SOUND)])


def _draw_accuracy(axes: Axes, rows: pd.DataFrame) -> None:
    beside = axes.twinx()
    median = rows.groupby("share")["accuracy"].median()
    (drawn,) = beside.plot(
        median.index, median, color=GREEN, linestyle=DOTTED, label="accuracy, computed anew"
    )
    beside.set_ylim(0, 1.02 + _ROOM)
    beside.set_yticks(np.linspace(0, 1, 6))
    beside.set_ylabel("accuracy")
    beside.grid(visible=False)
    beside.spines["right"].set_visible(True)
    percent_axis(beside.yaxis)
    lines = [*axes.get_legend_handles_labels()[0], drawn]
    axes.legend(handles=lines, frameon=False, fontsize=7, loc="upper center")


def _line_panel(letter: str, lines: pd.DataFrame, decay: float) -> Panel:
    medians = rises(lines).groupby(level=["kind", "decay", "mode"]).median()
    each = "; ".join(
        f"{line.label} {medians[kind, decay, SOUND]:.2g}" for kind, line in _KINDS.items()
    )
    return Panel(
        f"lines_{letter}",
        f"({letter}) Filter-normalized, {_DECAYS[decay]}",
        f"Median rise of the loss at |a| = {AT:g}: {each}.",
        partial(_draw_lines, rows=lines[lines["mode"] == SOUND], decay=decay),
    )


def _draw_lines(axes: Axes, rows: pd.DataFrame, decay: float) -> None:
    """Of each seed the mean over directions; their median, and from the least to the greatest."""
    limits = float(rows["loss"].min()) / 1.5, float(rows["loss"].max()) * 2
    for kind, line in _KINDS.items():
        own = rows[(rows["decay"] == decay) & (rows["kind"] == kind)]
        seeds = own.groupby(["length", "seed"])["loss"].mean().groupby(level="length")
        median = seeds.median()
        axes.fill_between(
            median.index, seeds.min(), seeds.max(), color=line.color, alpha=0.15, lw=0
        )
        axes.plot(
            median.index, median, color=line.color, linestyle=line.style, marker=line.marker,
            markersize=3, label=line.label,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(limits)
    axes.minorticks_off()
    axes.set_xticks(np.linspace(-1, 1, 5))
    axes.set_xlabel("step a along a direction")
    axes.set_ylabel("loss")
    axes.legend(frameon=False, fontsize=7, loc="upper center")


def _weight_panel(letter: str, weights: pd.DataFrame, decay: float) -> Panel:
    own = weights[weights["decay"] == decay]
    each = "; ".join(
        f"{line.label} {_deviation(own[own['kind'] == kind]):.2g}"
        for kind, line in _KINDS.items()
        if kind != SHORT
    )
    return Panel(
        f"weights_{letter}",
        f"({letter}) Weights of all kernels, {_DECAYS[decay]}",
        f"Root mean square, first seed: {each}.",
        partial(_draw_weights, rows=own),
    )


def _deviation(bins: pd.DataFrame) -> float:
    middle = (bins["low"] + bins["high"]) / 2
    return float(np.sqrt((bins["share"] * middle**2).sum()))


def _draw_weights(axes: Axes, rows: pd.DataFrame) -> None:
    for kind in (SMALL, LARGE):
        own, line = rows[rows["kind"] == kind], _KINDS[kind]
        edges = [*own["low"], own["high"].iloc[-1]]
        axes.stairs(
            own["share"], edges, color=line.color, linestyle=line.style, label=line.label,
            linewidth=1.3,
        )  # fmt: skip
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xlabel("weight")
    axes.set_ylabel("share of the weights")
    axes.legend(frameon=False, fontsize=7, loc="upper left")


def _title(found: Tables) -> str:
    rise = rises(found["lines"]).groupby(level=["kind", "decay", "mode"]).median()
    beyond = _medians_beyond(found["between"])
    on_the_line, normalized = (
        ", with weight decay ".join(f"{small:.2g} and {large:.2g}" for small, large in values)
        for values in (
            [tuple(beyond[end, SMALL, each, SOUND] for end in (FIRST, LARGE)) for each in _DECAYS],
            [tuple(rise[kind, each, SOUND] for kind in (SMALL, LARGE)) for each in _DECAYS],
        )
    )
    return (
        "How far the loss rises beyond small and large mini-batches: on the line through both "
        f"{on_the_line}; along filter-normalized directions {normalized}"
    )


def _caption(found: Tables) -> str:
    setting = found["setting"].iloc[0]
    return (
        f"Cross-entropy of {setting['examples']} training images. (a, d) On the straight line "
        "through both solutions; moving averages lie on that line as weights do, and beyond the "
        "solutions variances may fall below 0 (crosses); or statistics are computed anew at each "
        "point. (b, e) Along random directions of which every filter is as long as the network's "
        "own, the same noise for all networks of a seed; statistics computed anew. Lines: medians, "
        "band: from the lowest to the highest seed. (c, f) First seed."
    )


def _findings(found: Tables) -> Iterator[str]:
    networks, lines = found["networks"], found["lines"]
    loss, accuracy, length = (
        networks.groupby(["decay", "kind"])[column].median()
        for column in ("train_loss", "test_accuracy", "length")
    )
    yield (
        "Training loss, test accuracy and length of all kernels (medians): "
        + _each(
            lambda decay, kind: (
                f"{loss[decay, kind]:.2g}, {percent(accuracy[decay, kind])}, "
                f"{length[decay, kind]:.3g}"
            ),
            _KINDS,
        )
        + "."
    )
    rise = rises(lines).groupby(level=["kind", "decay", "mode"]).median()
    yield (
        f"Rise of the loss at |a| = {AT:g} along filter-normalized directions with statistics "
        "computed anew, and with moving averages (medians): "
        + _each(
            lambda decay, kind: (
                f"{rise[kind, decay, SOUND]:.2g} and {rise[kind, decay, MOVING]:.2g}"
            ),
            _KINDS,
        )
        + "."
    )
    yield from _beyond(found["between"])
    yield _lengths(networks)


def _each(written: Callable[[float, str], str], kinds: Iterable[str]) -> str:
    return "; ".join(
        f"{words}: " + ", ".join(f"{_KINDS[kind].label} {written(decay, kind)}" for kind in kinds)
        for decay, words in _DECAYS.items()
    )


def _beyond(between: pd.DataFrame) -> Iterator[str]:
    """How wide both ends of a line look."""
    beyond = _medians_beyond(between)

    def said(kind: str, decay: float, end: str) -> str:
        each = (_or_none(beyond[end, kind, decay, mode]) for mode in (SOUND, MOVING))
        return " and ".join(each)

    for kind, words in ((SMALL, "small mini-batches"), (SHORT, "small ones, stopped early,")):
        yield (
            f"From {words} to large ones, rise of the loss at {BEYOND:g} "
            "of the way beyond a solution with statistics computed anew, and with moving averages "
            "(medians): "
            + "; ".join(
                f"{decayed}: beyond the former {said(kind, decay, FIRST)}, beyond the latter "
                f"{said(kind, decay, LARGE)}"
                for decay, decayed in _DECAYS.items()
            )
            + "."
        )


def _lengths(networks: pd.DataFrame) -> str:
    """How long the way between both solutions is, and what weight decay does to both."""
    of_kind = networks.set_index(["decay", "kind", "seed"]).sort_index(kind="stable")
    way = of_kind["distance"].xs(LARGE, level="kind")
    relative, turned = {}, {}
    for decay, (kind, other) in product(_DECAYS, ((SMALL, LARGE), (LARGE, SMALL))):
        own, beside = (of_kind["length"].loc[decay, each] for each in (kind, other))
        relative[decay, kind] = float((way[decay] / own).median())
        turned[decay, kind] = float(turns(own, beside, way[decay]).median())
    shrunk = shortening(networks).groupby(level="kind").median()
    return (
        "The way from one to the other over the length of the kernels at each end (medians): "
        + _each(lambda decay, kind: f"{relative[decay, kind]:.2f}", (SMALL, LARGE))
        + f". A step of {BEYOND:g} of it beyond an end turns the kernels by so many degrees: "
        + _each(lambda decay, kind: f"{turned[decay, kind]:.1f}", (SMALL, LARGE))
        + ". Length with weight decay over that without: "
        + ", ".join(f"{_KINDS[kind].label} {shrunk[kind]:.2f}" for kind in (SMALL, LARGE))
        + "."
    )


def turns(length: pd.Series, other: pd.Series, way: pd.Series) -> pd.Series:
    """The angle between weights and those a quarter of the way beyond them, in degrees.

    `length` is that of the weights, `other` that of those at the other end of the way.
    """
    shared = (length**2 + other**2 - way**2) / (2 * length)
    along = (1 + BEYOND) * length - BEYOND * shared
    across = BEYOND * np.sqrt(other**2 - shared**2)
    return np.degrees(np.arctan2(across, along))


def _or_none(value: float) -> str:
    return f"{value:.2g}" if np.isfinite(value) else "none, a variance below 0"


def _table(found: Tables) -> Table:
    keys = ["kind", "decay", "rate", "steps"]
    columns = ["train_loss", "train_accuracy", "test_loss", "test_accuracy", "length", "distance"]
    medians = found["networks"].groupby(keys, sort=False)[columns].median().reset_index()
    rise = rises(found["lines"]).groupby(level=["kind", "decay", "mode"]).median().unstack("mode")
    both = rise.rename(columns={SOUND: "rise", MOVING: "rise_moving"}).reset_index()
    merged = medians.merge(both, on=["kind", "decay"])
    caption = (
        f"Medians over the seeds. Scores are with Algorithm 2's statistics; rise: of the loss at "
        f"|a| = {AT:g} along filter-normalized directions, with statistics computed anew and with "
        "moving averages."
    )
    rows = merged.astype(object).where(merged.notna(), None)
    return Table("networks", tuple(merged.columns), rows.to_numpy().tolist(), caption)
