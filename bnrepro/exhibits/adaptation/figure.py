"""Networks on images of other domains, from what `bnrepro laboratory adaptation` has left."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import Label, label_ends, percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.adaptation.claims import IMAGES, JUDGED, SOURCE, TARGETS, accuracies
from bnrepro.exhibits.computed import Tables, Told, made_on
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.wording import listed, percent, points
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GRAY, GREEN, ORANGE, VERMILLION, Line
from bnrepro.records.laboratory import LaboratoryRecord

_DOMAINS = {
    SOURCE: Line("as trained on", GRAY, "-", "o"),
    "inverted": Line("inverted", VERMILLION, DOTTED, "v"),
    "noisy": Line("noisy", BLUE, "-", "s"),
    "rotated": Line("rotated", GREEN, DASHED, "^"),
}
_NETWORKS = (
    Line("without BN", ORANGE, "", "D"),
    Line("BN, statistics of the source", BLUE, "", "o"),
    Line(f"BN, of {IMAGES:,} images of the target", GREEN, "", "s"),
)
_CAPTION = (
    "Figure 1's networks after a fifth of its steps, on all test images. Noisy: normal noise of "
    "half of the range, before pixels are made black or white; rotated by 30 degrees. Statistics "
    "by Algorithm 2, of training images changed as the test images are, without their labels. "
    "Marks: single seeds; lines (a): medians. (b) The network without normalization has no "
    "statistics to adapt."
)
_LEAD = (
    "If a layer knows its inputs by their mean and variance alone, then perhaps images of another "
    "kind can be made familiar by new means and variances: run some of them through the trained "
    "network, without labels, and leave every weight as it is. The paper names this as future "
    "work (section 5). Noise is what it helps against: it widens and shifts what every unit sees, "
    "and statistics of noisy images take that back.",
    "Inverted images show what it cannot do. The first layer is linear, so that its inputs from a "
    "negative are those from the image with the opposite sign, plus a constant. New statistics "
    "take the constant away and leave the sign: the network sees the exact opposite of every "
    "feature that it knows, and does worse than by guessing. Rotation moves what is where; that is "
    "in the weights, and means and variances know nothing of it.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """C24, from the study's tables."""
    rows = found["adaptation"]
    return Told(
        title="Adaptation",
        setting=f"mlp of sigmoids, images black or white, {made_on(record, rows)}",
        findings=_findings(rows),
        drawings=[_drawing(rows)],
    )


def _drawing(rows: pd.DataFrame) -> Drawing:
    panels = [
        Panel(
            "images",
            "(a) With batch normalization",
            _describe(rows),
            partial(_draw_images, rows=rows),
        ),
        Panel("networks", "(b) Each domain", _describe(rows), partial(_draw_networks, rows=rows)),
    ]
    medians = _gains(rows)
    gaining = [domain for domain in TARGETS if medians[domain] > 0]
    title = (
        f"New statistics change the accuracy on {listed(TARGETS)} images by "
        f"{listed(points(medians[domain], 0) for domain in TARGETS)} points: "
        + (f"they help with {listed(gaining)} ones alone" if gaining else "they never help")
    )
    return Drawing("adaptation", title, panels, [["images", "networks"]], _CAPTION, _LEAD)


def _gains(rows: pd.DataFrame) -> pd.Series:
    """The median gain of the new statistics, by domain."""
    wide = accuracies(rows)
    return (wide[IMAGES] - wide[0]).groupby("domain").median()


def _medians(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the normalized network, a row per domain, a column per number of images."""
    return accuracies(rows).groupby("domain").median()


def _findings(rows: pd.DataFrame) -> list[str]:
    gains, medians = _gains(rows), _medians(rows)
    plain = rows[rows["network"] == "without BN"].groupby("domain")["accuracy"].median()
    each = "; ".join(
        f"{domain}: {percent(medians[0][domain])} to {percent(medians[IMAGES][domain])} "
        f"({points(gains[domain], 1)} points), without normalization {percent(plain[domain])}"
        for domain in _DOMAINS
    )
    few = ", ".join(f"{count:,}: {percent(medians[count]['noisy'])}" for count in medians if count)
    return [
        "Test accuracy with statistics of the source, and with those of 1,000 unlabelled images "
        f"of the same kind (medians): {each}.",
        f"On noisy images, by the number of images of which the statistics are: {few}.",
    ]


def _draw_images(axes: Axes, rows: pd.DataFrame) -> None:
    own = rows[rows["network"] == "with BN"]
    counts = sorted(own["images"].unique())
    places = {count: place for place, count in enumerate(counts)}
    ends = []
    for domain, line in _DOMAINS.items():
        of_domain = own[own["domain"] == domain]
        median = of_domain.groupby("images")["accuracy"].median()
        axes.plot(
            of_domain["images"].map(places), of_domain["accuracy"], line.marker, color=line.color,
            markersize=3,
        )  # fmt: skip
        axes.plot(range(len(median)), median, color=line.color, linestyle=line.style)
        ends.append(Label(len(median) - 1, median.iloc[-1], line.label, line.text_color))
    axes.set_xticks(range(len(counts)), ["source", *(f"{count:,}" for count in counts[1:])])
    axes.set_xlabel("images of which the statistics are")
    _accuracy_axis(axes)
    label_ends(axes, ends)


def _draw_networks(axes: Axes, rows: pd.DataFrame) -> None:
    wide = rows.assign(
        shown=rows["network"].where(rows["network"] != "with BN", rows["images"].astype(str))
    )
    for shift, (key, line) in enumerate(
        zip(("without BN", "0", str(IMAGES)), _NETWORKS, strict=True)
    ):
        own = wide[wide["shown"] == key]
        places = own["domain"].map({name: place for place, name in enumerate(_DOMAINS)})
        axes.plot(
            places + 0.2 * (shift - 1), own["accuracy"], line.marker, color=line.color,
            markersize=3.5, label=line.label,
        )  # fmt: skip
    axes.set_xticks(range(len(_DOMAINS)), list(_DOMAINS))
    _accuracy_axis(axes)
    axes.legend(frameon=False, fontsize=7, loc="upper center")


def _accuracy_axis(axes: Axes) -> None:
    axes.set_ylim(-0.03, 1.25 if not axes.get_xlabel() else 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_ylabel("test accuracy")
    percent_axis(axes.yaxis)


def _describe(rows: pd.DataFrame) -> str:
    each = "; ".join(
        f"{row['network']}, {row['domain']}, {row['images']}: {percent(row['accuracy'])}"
        for row in rows.groupby(["network", "domain", "images"], sort=False)["accuracy"]
        .median()
        .reset_index()
        .to_dict("records")
    )
    return f"Median accuracy by network, domain and number of images of the statistics: {each}."
