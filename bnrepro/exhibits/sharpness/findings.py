"""What the study of sharpness says in sentences, and its table."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import Tables
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.sharpness.claims import (
    AT,
    BEYOND,
    FIRST,
    LARGE,
    MOVING,
    SHORT,
    SMALL,
    SOUND,
    medians_beyond,
    rises,
    shortening,
)
from bnrepro.exhibits.sharpness.lines import DECAYS, KINDS
from bnrepro.exhibits.wording import percent


def findings(found: Tables) -> Iterator[str]:
    """The sentences below the figure."""
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
            KINDS,
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
            KINDS,
        )
        + "."
    )
    yield from _beyond(found["between"])
    yield _lengths(networks)


def _each(written: Callable[[float, str], str], kinds: Iterable[str]) -> str:
    return "; ".join(
        f"{words}: " + ", ".join(f"{KINDS[kind].label} {written(decay, kind)}" for kind in kinds)
        for decay, words in DECAYS.items()
    )


def _beyond(between: pd.DataFrame) -> Iterator[str]:
    """How wide both ends of a line look."""
    beyond = medians_beyond(between)

    def said(kind: str, decay: float, end: str) -> str:
        each = (number_or_none(beyond[end, kind, decay, mode]) for mode in (SOUND, MOVING))
        return " and ".join(each)

    for kind, words in ((SMALL, "small mini-batches"), (SHORT, "small ones, stopped early,")):
        yield (
            f"From {words} to large ones, rise of the loss at {BEYOND:g} "
            "of the way beyond a solution with statistics computed anew, and with moving averages "
            "(medians): "
            + "; ".join(
                f"{decayed}: beyond the former {said(kind, decay, FIRST)}, beyond the latter "
                f"{said(kind, decay, LARGE)}"
                for decay, decayed in DECAYS.items()
            )
            + "."
        )


def _lengths(networks: pd.DataFrame) -> str:
    """How long the way between both solutions is, and what weight decay does to both."""
    of_kind = networks.set_index(["decay", "kind", "seed"]).sort_index(kind="stable")
    way = of_kind["distance"].xs(LARGE, level="kind")
    relative, turned = {}, {}
    for decay, (kind, other) in product(DECAYS, ((SMALL, LARGE), (LARGE, SMALL))):
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
        + ", ".join(f"{KINDS[kind].label} {shrunk[kind]:.2f}" for kind in (SMALL, LARGE))
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


def number_or_none(value: float) -> str:
    """A rise in words, where there may be none."""
    return f"{value:.2g}" if np.isfinite(value) else "none, a variance below 0"


def table(found: Tables) -> Table:
    """A row for each network and decay: scores, lengths and rises, medians over the seeds."""
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
