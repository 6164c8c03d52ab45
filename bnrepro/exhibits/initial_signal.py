"""H2: with what signal networks begin without their normalization (`initial_signal`)."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import SURFACE, Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table
from bnrepro.experiments.line import BLUE, FINE, GREEN, INK, PURPLE, VERMILLION, Line
from bnrepro.records import laboratory

STUDY = "initial_signal"
WITH, WITHOUT, HE, FITTED = "batch normalization", "without", "without, He", "without, fitted"
LINES = {
    WITH: Line("batch normalization", BLUE, "-", "o"),
    WITHOUT: Line("without", VERMILLION, "-", "x"),
    HE: Line("without, He's weights", PURPLE, "-", "^"),
    FITTED: Line("without, fitted", GREEN, "-", "s"),
}
_MEASURES = ("logits", "first_gradient", "last_gradient", "balance")
# A network is said to begin dead if its logits deviate by less between images, and too loud if by
# more: a class then has all of the probability, whichever it is.
DEAD, LOUD = 0.01, 10.0
_CAPTION = (
    "Families of keras.applications on the first mini-batch of 32, at initialization, without "
    "training; marks: medians over the seeds. (a) Deviation of the logits over the images, root "
    "mean square over the classes; dotted: {dead:g} and {loud:g}. (b) Length of the loss's "
    "gradient by the first kernel over that by the classifier's, each times the length of its "
    "kernel, so that the scale of a kernel does not count; dotted: 1. Batch normalization by the "
    "mini-batch itself; weights by Glorot's rule unless He's are said; fitted: He's, scaled layer "
    "by layer until outputs deviate by 1. VGG and ConvNeXt have no batch normalization."
)
_LEAD = (
    "What does one compare who takes batch normalization out of a network of the zoo? Its initial "
    "weights were drawn by a rule that was never asked to keep the values of a layer at one size, "
    "because batch normalization does that. Without it the signal is lost or grows from layer to "
    "layer, before anything is learned: the comparison is then one of initial weights. The table "
    "says of each family what is left of the images in the logits, and what of the gradient comes "
    "back to the first layer. With batch normalization it is the gradient that grows, backward "
    "through every layer (law X6).",
)


def exhibit(results_dir: str) -> Exhibit:
    """The families' signals from the table below `results_dir`.

    Raises:
        ConfigError: if they were not computed there.
        RecordError: if the record or the table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    rows = laboratory.read_table(results_dir, STUDY, "signal")
    images = "CIFAR-10" if record.scale == laboratory.PUBLISHED_SCALE else f"digits, {record.scale}"
    medians = medians_of(rows)
    return Exhibit(
        name=STUDY,
        title="The signal at the start",
        setting=f"{medians['family'].nunique()} families, {images}, n = {rows['seed'].nunique()}",
        findings=findings(medians),
        commands=[laboratory.command(STUDY, scale=record.scale), f"bnrepro figure {STUDY}"],
        missing=[],
        drawings=[_drawing(medians)],
        tables=[_table(medians)],
        series=[],
        computed=record,
    )


def medians_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Each measure's median over the seeds by family and network, in the order of the table.

    What overflows is not a number, and larger than any.
    """
    filled = rows.fillna(dict.fromkeys(_MEASURES, np.inf))
    grouped = filled.groupby(["family", "network"], sort=False)[list(_MEASURES)]
    return grouped.median().reset_index()


def findings(medians: pd.DataFrame) -> list[str]:
    """The results in sentences."""
    return [
        f"{_capital(LINES[network].label)}: logits deviate between images by {_extremes(own)}; "
        f"of {len(own)} families {_number_of(_dead(own))} with less than {DEAD:g}, "
        f"{_number_of(_loud(own))} with more than {LOUD:g}. The first gradient over the last, by "
        f"scale: {_range(own['balance'])} (medians over the seeds)."
        for network in LINES
        for own in [medians[medians["network"] == network]]
        if len(own)
    ]


def _extremes(own: pd.DataFrame) -> str:
    ordered = own.sort_values("logits", kind="stable")
    least, most = ordered.iloc[0], ordered.iloc[-1]
    return f"{least['logits']:.2g} ({least['family']}) to {most['logits']:.2g} ({most['family']})"


def _range(values: pd.Series) -> str:
    return f"{values.min():.2g} to {values.max():.2g}, median {values.median():.2g}"


def _dead(own: pd.DataFrame) -> int:
    return int((own["logits"] < DEAD).sum())


def _number_of(count: int) -> str:
    return str(count) if count else "none"


def _loud(own: pd.DataFrame) -> int:
    return int((own["logits"] > LOUD).sum())


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _drawing(medians: pd.DataFrame) -> Drawing:
    panels = [
        Panel(
            name,
            title,
            f"{title} of {medians['family'].nunique()} families, four networks each.",
            partial(_draw, medians=medians, column=name, bounds=bounds),
        )
        for name, title, bounds in (
            ("logits", "(a) Deviation of the logits", (DEAD, LOUD)),
            ("balance", "(b) First over last gradient, by scale", (1.0,)),
        )
    ]
    without = medians[medians["network"] == WITHOUT]
    title = (
        f"Without batch normalization the logits of {_dead(without)} of {len(without)} families "
        "hardly differ between images"
    )
    caption = _CAPTION.format(dead=DEAD, loud=LOUD)
    return Drawing("signal", title, panels, [[each.name for each in panels]], caption, _LEAD)


def _draw(axes: Axes, medians: pd.DataFrame, column: str, bounds: tuple[float, ...]) -> None:
    families = list(dict.fromkeys(medians["family"]))
    heights = {family: len(families) - place for place, family in enumerate(families)}
    for network, line in LINES.items():
        own = medians[(medians["network"] == network) & np.isfinite(medians[column])]
        axes.plot(
            own[column], own["family"].map(heights), line.marker, color=line.color,
            markersize=4.5, label=line.label,
        )  # fmt: skip
    for bound in bounds:
        axes.axvline(bound, color=INK, linewidth=0.7, linestyle=FINE)
    axes.set_xscale("log")
    axes.set_yticks(list(heights.values()), families, fontsize=7)
    axes.set_xlabel({"logits": "deviation over the images", "balance": "ratio"}[column])
    axes.set_ylim(0.4, len(families) + 3)  # above them there is room for the legend
    if column == "logits":
        axes.legend(
            facecolor=SURFACE, edgecolor=SURFACE, framealpha=1, fontsize=7, loc="upper left",
            ncols=2,
        )  # fmt: skip


def _table(medians: pd.DataFrame) -> Table:
    """The medians of all measures; none where they overflow."""
    rows = [
        [row["family"], row["network"], *(_number(row[name]) for name in _MEASURES)]
        for _, row in medians.iterrows()
    ]
    columns = ("family", "network", *_MEASURES)
    return Table("signals", columns, rows, "Medians over the seeds, at initialization.")


def _number(value: float) -> float | None:
    return float(f"{value:.3g}") if np.isfinite(value) else None
