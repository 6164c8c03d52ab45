"""Dropout on little data, from what `bnrepro laboratory dropout` has left."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, little_data, network_on_little_data
from bnrepro.exhibits.dropout.claims import (
    CLASSIFIER,
    DECAY,
    EVERYWHERE,
    HALF,
    JUDGED,
    NO_DECAY,
    NONE,
    NORMALIZED,
    PLAIN,
    STUDY,
    gaps,
)
from bnrepro.exhibits.exhibit import Drawing, Table
from bnrepro.exhibits.wording import percent, points
from bnrepro.experiments.line import (
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GREEN,
    ORANGE,
    VERMILLION,
    Line,
)
from bnrepro.records.laboratory import LaboratoryRecord

_LINES = {
    (PLAIN, NO_DECAY): Line("without BN", VERMILLION, DASHED, "o"),
    (PLAIN, DECAY): Line("without BN, L2", ORANGE, DOTTED, "v"),
    (NORMALIZED, NO_DECAY): Line("with BN", BLUE, "-", "s"),
    (NORMALIZED, DECAY): Line("with BN, L2", GREEN, DASH_DOTTED, "^"),
}
# With batch normalization and without weight decay, by place and by the column of the accuracy.
_PLACES = {
    (CLASSIFIER, "accuracy"): Line("behind, moving averages", GREEN, DASHED, "^"),
    (CLASSIFIER, "population"): Line("behind, computed anew", BLUE, "-", "s"),
    (EVERYWHERE, "accuracy"): Line("before, moving averages", VERMILLION, DASHED, "o"),
    (EVERYWHERE, "population"): Line("before, computed anew", ORANGE, "-", "v"),
}
# For a legend below the lines, as a share of the axis.
_ROOM = 0.25
_CAPTION = (
    "each network at its best of three rates, chosen on training images that no network was "
    "trained on. Lines: medians, and from the lowest to the highest seed. (a, b) Dropout before "
    "the classifier, behind the last normalization; L2: 0.0005 of the squared kernels. Both "
    "accuracies of the gap are with Algorithm 2's statistics, dropout off. (c) With BN, without "
    "L2; before: also between the hidden layers, before their normalizations. Inference with "
    "moving averages, or with statistics computed anew without dropout."
)
_LEAD = (
    "Dropout hides half of the features from the classifier in every step, so that it cannot rely "
    "on any single one. Batch normalization does something like it without being asked: what an "
    "example is turned into depends on the others of its mini-batch, which are others each time. "
    "If that is the same medicine, then a patient who has one needs less of the other. So: few "
    "training images, which every network learns by heart, and dropout with and without batch "
    "normalization, with and without weight decay.",
    "The two also get in each other's way. Dropout at rate 1/2 leaves the mean of what goes on as "
    "it is and doubles the mean square; a batch normalization behind it learns that variance in "
    "its moving averages. At inference nothing is dropped, the variance is smaller, and the "
    "network is told the wrong one, layer after layer. Statistics that are computed anew, with "
    "dropout off, say how much of the loss is that alone.",
)


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """G1 and C17, from the study's tables."""
    cells = gaps(found["cells"])
    return Told(
        title="Dropout, weight decay and batch normalization",
        setting=little_data(found["setting"], cells),
        findings=_findings(cells),
        drawings=[_drawing(cells, network_on_little_data(found["setting"]))],
        tables=[_table(cells)],
    )


def _drawing(cells: pd.DataFrame, network: str) -> Drawing:
    behind = cells[cells["place"] == CLASSIFIER]
    panels = [
        Panel(
            "accuracy",
            "(a) Test accuracy",
            _describe(behind, "population"),
            partial(_draw, rows=behind, column="population", label="test accuracy", legend=True),
        ),
        Panel(
            "gap",
            "(b) Training minus test accuracy",
            _describe(behind, "gap"),
            partial(_draw, rows=behind, column="gap", label="gap"),
        ),
        Panel(
            "places",
            "(c) Before batch normalization, or behind",
            _describe_places(cells),
            partial(_draw_places, rows=cells),
        ),
    ]
    plain, normalized = (_gain(cells, network, NO_DECAY) for network in (PLAIN, NORMALIZED))
    title = (
        f"Dropout of a half changes the test accuracy by {points(plain, 1)} points without batch "
        f"normalization, by {points(normalized, 1)} with it"
    )
    caption = f"{network}, {_CAPTION}"
    return Drawing(STUDY, title, panels, [[panel.name for panel in panels]], caption, _LEAD)


def _medians(rows: pd.DataFrame, column: str) -> pd.Series:
    """By network, L2 and dropout; of dropout before the classifier."""
    behind = rows[rows["place"] == CLASSIFIER]
    return behind.groupby(["network", "l2", "dropout"])[column].median()


def _gain(cells: pd.DataFrame, network: str, l2: float) -> float:
    """The median over the seeds of what dropout of a half adds to the test accuracy."""
    own = cells[
        (cells["network"] == network) & (cells["l2"] == l2) & (cells["place"] == CLASSIFIER)
    ]
    wide = own.pivot_table("population", index="seed", columns="dropout")
    return float((wide[HALF] - wide[NONE]).median())


def _by_place(cells: pd.DataFrame, place: str, column: str) -> pd.DataFrame:
    """Rows with batch normalization and without L2; without dropout there is one place."""
    own = cells[(cells["network"] == NORMALIZED) & (cells["l2"] == NO_DECAY)]
    own = own[(own["place"] == place) | (own["dropout"] == NONE)]
    return own[["dropout", "seed", column]]


def _findings(cells: pd.DataFrame) -> list[str]:
    accuracy, gap = _medians(cells, "population"), _medians(cells, "gap")
    each = "; ".join(
        f"{line.label}: "
        + ", ".join(
            f"{percent(accuracy[key][dropout])} ({100 * gap[key][dropout]:.1f})"
            for dropout in accuracy[key].index
        )
        for key, line in _LINES.items()
    )
    dropped = {
        key: _by_place(cells, *key).query(f"dropout == {HALF}")[key[1]].median() for key in _PLACES
    }
    places = "; ".join(f"{line.label}: {percent(dropped[key])}" for key, line in _PLACES.items())
    return [
        "Test accuracy (and gap in points) with dropout of 0, 0.2 and 0.5 before the classifier, "
        f"medians: {each}.",
        f"Test accuracy with dropout of {HALF:g} by its place and the statistics of inference, "
        f"medians: {places}.",
        _shift(cells),
    ]


def _shift(cells: pd.DataFrame) -> str:
    """What dropout between the layers has made of the moving variances, and what it costs."""
    before = cells[(cells["place"] == EVERYWHERE) & (cells["dropout"] == HALF)]
    behind = cells[
        (cells["network"] == NORMALIZED)
        & (cells["place"] == CLASSIFIER)
        & (cells["dropout"] == HALF)
        & (cells["l2"] == NO_DECAY)
    ]
    before_ratio, behind_ratio = (rows["variance_ratio"].median() for rows in (before, behind))
    return (
        f"Moving variances behind dropout of {HALF:g} are {before_ratio:.2f} times those that are "
        f"computed anew ({behind_ratio:.2f} times without it between the layers); the loss on the "
        f"test images is {before['moving_loss'].median():.3g} with them and "
        f"{before['loss'].median():.3g} with those computed anew (medians)."
    )


def _table(cells: pd.DataFrame) -> Table:
    keys = ["network", "place", "dropout", "l2", "rate"]
    columns = ["train_accuracy", "population", "gap", "accuracy", "train_loss", "loss"]
    columns += ["moving_loss", "variance_ratio"]
    medians = cells.groupby(keys, sort=False)[columns].median().reset_index()
    caption = (
        "Medians over the seeds. Accuracy and moving loss are with moving averages, the rest with "
        "Algorithm 2's statistics; rate is the best of three by held-out training images."
    )
    rows = medians.astype(object).where(medians.notna(), None)
    return Table("cells", tuple(medians.columns), rows.to_numpy().tolist(), caption)


def _draw(axes: Axes, rows: pd.DataFrame, column: str, label: str, legend: bool = False) -> None:
    for place, ((network, l2), line) in enumerate(_LINES.items()):
        own = rows[(rows["network"] == network) & (rows["l2"] == l2)]
        _line(axes, own, column, line, place)
    axes.set_ylabel(label)
    _dress(axes, legend)


def _draw_places(axes: Axes, rows: pd.DataFrame) -> None:
    for number, ((place, column), line) in enumerate(_PLACES.items()):
        _line(axes, _by_place(rows, place, column), column, line, number)
    axes.set_ylabel("test accuracy")
    _dress(axes, legend=True)


def _line(axes: Axes, rows: pd.DataFrame, column: str, line: Line, place: int) -> None:
    """The `place`-th of four lines; they stand beside each other, not on each other."""
    seeds = rows.groupby("dropout")[column]
    median = seeds.median()
    at = median.index + 0.012 * (place - 1.5)
    axes.vlines(at, seeds.min(), seeds.max(), color=line.color, linewidth=1)
    axes.plot(
        at, median, color=line.color, linestyle=line.style, marker=line.marker, markersize=4.5,
        label=line.label,
    )  # fmt: skip


def _dress(axes: Axes, legend: bool) -> None:
    axes.set_xticks([NONE, 0.2, HALF])
    axes.set_xlabel("dropout")
    axes.yaxis.set_major_locator(MultipleLocator(0.01))
    percent_axis(axes.yaxis)
    if legend:
        low, high = axes.get_ylim()
        axes.set_ylim(low - _ROOM * (high - low), high)
        axes.legend(frameon=False, fontsize=7.5, loc="lower left", ncols=2)


def _describe(rows: pd.DataFrame, column: str) -> str:
    medians = _medians(rows, column)
    each = "; ".join(
        f"{line.label}, dropout {dropout:g}: {percent(value)}"
        for key, line in _LINES.items()
        for dropout, value in medians[key].items()
    )
    return f"Medians: {each}."


def _describe_places(cells: pd.DataFrame) -> str:
    each = "; ".join(
        f"{line.label}, dropout {dropout:g}: {percent(value)}"
        for key, line in _PLACES.items()
        for dropout, value in _by_place(cells, *key).groupby("dropout")[key[1]].median().items()
    )
    return f"Median test accuracy: {each}."
