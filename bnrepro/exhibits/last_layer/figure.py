"""The last layer alone, from what `bnrepro laboratory last_layer` has left."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import ComputedClaims, Tables, Told, little_data
from bnrepro.exhibits.exhibit import Drawing, Table
from bnrepro.exhibits.last_layer.claims import (
    BEGUN,
    BY_HEART,
    DROPOUT,
    EL2,
    FL2,
    JUDGED,
    KEPT,
    LEAST,
    STD,
)
from bnrepro.exhibits.last_layer.gains import BN, NONE, gains, gains_at_equal_loss, shares
from bnrepro.exhibits.wording import percent, points
from bnrepro.experiments.line import (
    BLUE,
    BROWN,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GRAY,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    VERMILLION,
    WINE,
    Line,
)
from bnrepro.records.laboratory import LaboratoryRecord

_LINES = {
    NONE: Line("without BN", VERMILLION, DASHED, "o"),
    "INIT": Line("INIT, deviation 1", ORANGE, DOTTED, "v"),
    "INIT 0": Line("INIT, 0", BROWN, DOTTED, "<"),
    EL2: Line("EL2", GREEN, DASH_DOTTED, "^"),
    FL2: Line("FL2", PURPLE, DASH_DOTTED, "D"),
    STD: Line("STD", WINE, "-", "P"),
    DROPOUT: Line("dropout", GRAY, DASHED, "x"),
    BN: Line("with BN", BLUE, "-", "s"),
}
# What is compared with the network without BN.
_CHANGED = (*BEGUN, *KEPT, DROPOUT, BN)
_NETWORK = "The VGG network at an eighth of its width, on images at half of their height and width"
_NETWORK_BY_HEART = "Three hidden layers of 100 ReLU units"
_CAPTION = (
    "; h: what the last layer sees, f: the logits. Definitions are ours: EL2 and FL2 add a weight "
    "times the mean square of the values of h, or of f, to the loss; STD is one batch "
    "normalization, of h; INIT divides the last kernel once, so that f has deviation 1 on the "
    "first mini-batch, or is 0; dropout of h is 0.5. Each has its own best rate of a grid, and "
    "weight. (a) Test accuracy minus that of the network without BN of the same seed: bars are "
    "medians, dots seeds; dotted: half of BN's; diamonds: at the training loss that both come to "
    "(medians, first test images). (b) Mean length of f over training images, as in training, "
    "dropout off: medians, and from the lowest to the highest seed. (c) On the first test images, "
    "medians; each network goes from left to right."
)
_LEAD = (
    "Batch normalization acts in every layer, and a network with it generalizes better. Does it "
    "take all of them? Once every training image is on its right side, the loss falls further only "
    "if the logits grow, and nothing stops them: the network becomes ever more certain of what it "
    "knows by heart. Batch normalization puts an end to that, for the last layer sees values whose "
    "scale is set. But then one might hold the last layer alone, and leave all others as they are.",
    "There are several ways to hold it. A penalty on what it sees, or on what it says; one batch "
    "normalization, just there; or only a better beginning. Each of these is a network without "
    "batch normalization and one change. What each gains in test accuracy, over what the whole of "
    "batch normalization gains, is its share.",
)


_LEAD_BY_HEART = (
    "What has the time to grow? The network above was still learning when its training ended, and "
    "logits that grow because more is learnt are no danger. So take a smaller question: a thousand "
    "digits, and networks that are right on nearly all of them before half of their steps. From "
    "there on only certainty is left to gain.",
)


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """G3, from the study's tables."""
    return _told(found, JUDGED, "The last layer alone", _NETWORK, _LEAD)


@BY_HEART.exhibited
def exhibit_by_heart(_record: LaboratoryRecord, found: Tables) -> Told:
    """G3b, from its own."""
    title = "The last layer alone, by heart"
    return _told(found, BY_HEART, title, _NETWORK_BY_HEART, _LEAD_BY_HEART)


def _told(
    found: Tables, judged: ComputedClaims, title: str, network: str, lead: tuple[str, ...]
) -> Told:
    rows, course = found["variants"], found["course"]
    (claim,) = judged.claims
    return Told(
        title=title,
        setting=little_data(found["setting"], rows),
        findings=_findings(rows, course, LEAST[claim]),
        drawings=[_drawing(rows, course, judged.study, network + _CAPTION, lead)],
        tables=[_table(rows, course, LEAST[claim])],
    )


def _drawing(
    rows: pd.DataFrame, course: pd.DataFrame, study: str, caption: str, lead: tuple[str, ...]
) -> Drawing:
    panels = [
        Panel(
            "gains",
            "(a) Gain in test accuracy",
            _describe_gains(rows, course),
            partial(_draw_gains, rows=rows, course=course),
        ),
        Panel(
            "lengths",
            "(b) Length of the logits",
            f"At the end: {_ends(course, 'logits')}.",
            partial(_draw_lengths, course=course),
        ),
        Panel(
            "losses",
            "(c) Test accuracy by training loss",
            f"Training loss at the end: {_ends(course, 'train_loss')}.",
            partial(_draw_losses, course=course),
        ),
    ]
    gain = gains(rows).median()
    best = max(KEPT, key=gain.__getitem__)
    title = (
        f"Batch normalization gains {points(gain[BN], 1)} points of test accuracy; of the ways to "
        f"hold the last layer alone the best ({best}) gains {points(gain[best], 1)}"
    )
    return Drawing(study, title, panels, [[panel.name for panel in panels]], caption, lead)


def _medians(rows: pd.DataFrame, column: str) -> pd.Series:
    return rows.groupby("variant", sort=False)[column].median()


def _last(course: pd.DataFrame) -> pd.DataFrame:
    return course[course["step"] == course["step"].max()]


def _ends(course: pd.DataFrame, column: str) -> str:
    """Medians at the end of the training, in words."""
    median = _medians(_last(course), column)
    return "; ".join(f"{_LINES[name].label} {median[name]:.3g}" for name in median.index)


def _describe_gains(rows: pd.DataFrame, course: pd.DataFrame) -> str:
    gain, equal = gains(rows).median(), gains_at_equal_loss(course).median()
    each = "; ".join(
        f"{_LINES[name].label} {points(gain[name], 1)} ({points(equal[name], 1)})"
        for name in _CHANGED
    )
    return f"Gain in points over the network without BN (at equal training loss), medians: {each}."


def _describe_shares(rows: pd.DataFrame, least: float) -> str:
    found = shares(rows, least).dropna()
    seeds = f"the {len(found)} of {rows['seed'].nunique()} seeds"
    each = "; ".join(f"{_LINES[name].label} {found[name].median():.2f}" for name in _CHANGED[:-1])
    gained = f"{100 * least:g} points"
    return f"Shares on {seeds} where batch normalization gains {gained}, medians: {each}."


def _findings(rows: pd.DataFrame, course: pd.DataFrame, least: float) -> list[str]:
    test, train = _medians(rows, "population"), _medians(rows, "train_accuracy")
    accuracies = "; ".join(
        f"{_LINES[name].label} {percent(test[name])} ({100 * (train[name] - test[name]):.1f})"
        for name in test.index
    )
    return [
        f"Test accuracy (and gap in points), medians: {accuracies}.",
        _describe_gains(rows, course),
        _describe_shares(rows, least),
        f"|f| at the end, medians: {_ends(course, 'logits')}.",
        f"|h| at the end, medians: {_ends(course, 'embedding')}.",
    ]


def _table(rows: pd.DataFrame, course: pd.DataFrame, least: float) -> Table:
    columns = ["train_accuracy", "population", "accuracy", "train_loss", "loss"]
    medians = rows.groupby(["variant", "penalty", "rate"], sort=False)[columns].median()
    medians = medians.reset_index()
    medians["gap"] = medians["train_accuracy"] - medians["population"]
    last = _last(course)
    for name, values in {
        "gain": gains(rows).median(),
        "gain_at_equal_loss": gains_at_equal_loss(course).median(),
        "share": shares(rows, least).median(),
        "embedding": _medians(last, "embedding"),
        "logits": _medians(last, "logits"),
    }.items():
        medians[name] = medians["variant"].map(values)
    caption = (
        "Medians over the seeds. Accuracy is with moving averages, the rest with Algorithm 2's "
        "statistics; penalty and rate are the best by held-out training images; embedding and "
        "logits are the mean lengths of h and f at the end."
    )
    cells = medians.astype(object).where(medians.notna(), None)
    return Table("variants", tuple(medians.columns), cells.to_numpy().tolist(), caption)


def _draw_gains(axes: Axes, rows: pd.DataFrame, course: pd.DataFrame) -> None:
    each, equal = gains(rows), gains_at_equal_loss(course).median()
    for place, name in enumerate(_CHANGED):
        axes.bar(place, each[name].median(), 0.6, color=_LINES[name].color, alpha=0.45)
        axes.plot([place] * len(each), each[name], "o", color=_LINES[name].color, markersize=3)
        axes.plot(place + 0.22, equal[name], "D", color=INK, markersize=4, markerfacecolor="none")
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axhline(each[BN].median() / 2, color=INK, linewidth=0.8, linestyle=DOTTED)
    labels = [_LINES[name].label.replace("INIT, ", "INIT,\n") for name in _CHANGED]
    axes.set_xticks(range(len(_CHANGED)), labels, fontsize=7)
    axes.yaxis.set_major_locator(MultipleLocator(0.02))
    percent_axis(axes.yaxis)
    axes.set_ylabel("gain in test accuracy")


def _draw_lengths(axes: Axes, course: pd.DataFrame) -> None:
    for name, line in _LINES.items():
        seeds = course[course["variant"] == name].groupby("step")["logits"]
        median = seeds.median()
        axes.vlines(median.index, seeds.min(), seeds.max(), color=line.color, linewidth=0.6)
        axes.plot(median.index, median, color=line.color, linestyle=line.style, label=line.label)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.1)
    axes.set_xlabel("steps")
    axes.set_ylabel("|f|")
    axes.legend(frameon=False, fontsize=7, ncols=2)


def _draw_losses(axes: Axes, course: pd.DataFrame) -> None:
    for name, line in _LINES.items():
        own = course[course["variant"] == name].groupby("step")[["train_loss", "accuracy"]].median()
        axes.plot(
            own["train_loss"], own["accuracy"], color=line.color, linestyle=line.style,
            marker=line.marker, markersize=3.5,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xlabel("training loss")
    axes.set_ylabel("test accuracy")
    percent_axis(axes.yaxis)
