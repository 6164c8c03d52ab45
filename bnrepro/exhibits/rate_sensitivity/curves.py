"""F1, drawn: accuracy over the rate, optimizer by optimizer, and what the weights do meanwhile."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.rate_sensitivity.claims import ACTIVATIONS, OPTIMIZERS
from bnrepro.exhibits.rate_sensitivity.widths import TOLERANCE
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GRAY, VERMILLION, Line

NETWORKS = {
    "plain": Line("without batch normalization", VERMILLION, DASHED, "o"),
    "batch normalization": Line("with batch normalization", BLUE, "-", "s"),
}
_NORMS_OF = ("sgd", "momentum", "adam")
_LETTERS = "abcdef"
_MOST_GROWTH = 1_000
_CAPTION = (
    "Lines: median test accuracy over the seeds; bands: from the lowest to the highest seed. A "
    f"mark on the line is within {100 * TOLERANCE:g} point of that line's best. Crosses at the "
    "bottom: rates at which a seed diverged (there it counts as always wrong). Titles: width of "
    "the window of good rates in decades, without and with batch normalization (medians); a "
    "number with > is cut off by the grid. A network that is never right on half of the images has "
    "no window."
)
_NORM_CAPTION = (
    "Euclidean norm of all hidden kernels together after the last step over that before the first; "
    "medians over the seeds; what has grown more than a thousandfold is not drawn. Solid: ReLU; "
    "dotted: sigmoid. Gray: the norm stays as it is."
)
_LEADS = {
    "sigmoid": (
        "A learning rate has to be found, and finding it costs trainings. How many depends on how "
        "wide the window of good rates is: with a window of two decades a search in steps of ten "
        "cannot miss it, with one of a third of a decade it takes ten trainings or luck. The paper "
        "says that batch normalization allows much higher rates. So take its first network, train "
        "it at nine rates with each of six optimizers, and look at the width.",
    ),
    "relu": (
        "The same with ReLU and the initial weights that are made for it. The plain network is "
        "now a healthy one, and the question becomes sharper: what is left for batch normalization "
        "to widen?",
    ),
    "norms": (
        "Why do such rates do no harm? The output of a layer with batch normalization does not "
        "change when its kernel grows, and the gradient is at right angles to the kernel, so that "
        "every step makes it longer: |w + d|^2 = |w|^2 + |d|^2. The longer kernel is turned less "
        "by the next step, because the gradient shrinks as 1/|w|. A rate that is too large is "
        "thus made smaller by the training itself, in a few steps, while one that is too small is "
        "not made larger: the window opens upward. By how much? By the square of what the kernels "
        "have grown: look at the norms before you call a rate large.",
    ),
}


def drawing(activation: str, rates: pd.DataFrame, widths: pd.DataFrame) -> Drawing:
    """Small multiples by optimizer; rows of the study and of `widths`."""
    rates = rates[rates["activation"] == activation]
    medians = median_widths(widths[widths["activation"] == activation])
    panels = [
        Panel(
            f"{activation}_{optimizer}",
            f"({letter}) {name}: {decades(medians, optimizer)}",
            _describe(own := rates[rates["optimizer"] == optimizer]),
            partial(_draw, rows=own, legend=letter == "f"),
        )
        for letter, (optimizer, name) in zip(_LETTERS, OPTIMIZERS.items(), strict=True)
    ]
    names = [panel.name for panel in panels]
    return Drawing(
        activation,
        f"{ACTIVATIONS[activation]}: SGD's window {decades(medians, 'sgd')} decades wide, "
        f"Adam's {decades(medians, 'adam')}",
        panels,
        [names[:3], names[3:]],
        _CAPTION,
        _LEADS[activation],
    )


def norms(rates: pd.DataFrame) -> Drawing:
    """The kernels' growth over the rate."""
    rates = rates.assign(growth=rates["norm_after"] / rates["norm_before"])
    panels = [
        Panel(
            f"norm_{optimizer}",
            f"({letter}) {OPTIMIZERS[optimizer]}",
            _describe_norms(own := rates[rates["optimizer"] == optimizer]),
            partial(_draw_norms, rows=own, legend=letter == "a"),
        )
        for letter, optimizer in zip(_LETTERS, _NORMS_OF, strict=False)
    ]
    longer = ", ".join(
        f"{growth:.3g} times at {rate:g} ({ACTIVATIONS[activation]})"
        for activation in ACTIVATIONS
        for rate, growth in [_largest_good(rates[rates["activation"] == activation])]
    )
    title = f"At SGD's largest good rate batch-normalized kernels have become longer: {longer}"
    return Drawing(
        "norms", title, panels, [[panel.name for panel in panels]], _NORM_CAPTION, _LEADS["norms"]
    )


def _decades_of(medians: pd.DataFrame, optimizer: str, network: str) -> str:
    width, cut = medians["width"][optimizer, network], medians["cut"][optimizer, network]
    return f"{'>' if cut >= 0.5 else ''}{width:.2g}"


def median_widths(widths: pd.DataFrame) -> pd.DataFrame:
    """Of one activation, by optimizer and network; `cut` is above 0 if most seeds' are."""
    widths = widths.assign(cut=(widths["cut"] > 0).astype(float))
    return widths.groupby(["optimizer", "network"])[["width", "cut"]].median()


def decades(medians: pd.DataFrame, optimizer: str) -> str:
    """Both networks' widths of `median_widths`; with > where the grid cuts most seeds' off."""
    plain, normalized = (_decades_of(medians, optimizer, name) for name in NETWORKS)
    return f"{plain} and {normalized}"


def _largest_good(rates: pd.DataFrame) -> tuple[float, float]:
    """SGD's largest rate within the tolerance of the best with BN, and the norm's growth there."""
    own = rates[(rates["optimizer"] == "sgd") & (rates["network"] == "batch normalization")]
    by_rate = own.groupby("rate")[["accuracy", "growth"]].median().reset_index()
    good = by_rate[by_rate["accuracy"] >= by_rate["accuracy"].max() - TOLERANCE]
    return float(good["rate"].iloc[-1]), float(good["growth"].iloc[-1])


def _draw(axes: Axes, rows: pd.DataFrame, legend: bool) -> None:
    for place, (network, line) in enumerate(NETWORKS.items()):
        own = rows[rows["network"] == network]
        by_rate = own["accuracy"].fillna(0).groupby(own["rate"])
        median = by_rate.median()
        axes.fill_between(
            median.index, by_rate.min(), by_rate.max(), color=line.color, alpha=0.15, linewidth=0
        )
        axes.plot(median.index, median, color=line.color, linestyle=line.style, label=line.label)
        good = median[median >= median.max() - TOLERANCE]
        axes.plot(good.index, good, line.marker, color=line.color)
        diverged = sorted(own[own["diverged_at"].notna()]["rate"].unique())
        axes.plot(diverged, [-0.04 - 0.05 * place] * len(diverged), "x", color=line.color)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_ylim(-0.13, 1.02)
    percent_axis(axes.yaxis)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("test accuracy")
    if legend:
        axes.legend(frameon=False, fontsize=7, loc="lower left")


def _draw_norms(axes: Axes, rows: pd.DataFrame, legend: bool) -> None:
    for network, line in NETWORKS.items():
        for activation in ACTIVATIONS:
            own = rows[(rows["network"] == network) & (rows["activation"] == activation)]
            growth = own["growth"].groupby(own["rate"]).median()
            growth = growth.where(growth <= _MOST_GROWTH)
            is_first = activation == "relu"
            axes.plot(
                growth.index,
                growth,
                color=line.color,
                linestyle="-" if is_first else DOTTED,
                marker=line.marker if is_first else "",
                label=line.label if is_first else None,
            )
    axes.axhline(1, color=GRAY, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xlabel("learning rate")
    axes.set_ylabel("norm after over before")
    if legend:
        axes.legend(frameon=False, fontsize=7, loc="upper left")


def _describe(rows: pd.DataFrame) -> str:
    medians = rows.fillna({"accuracy": 0}).groupby(["network", "rate"])["accuracy"].median()
    each = "; ".join(
        f"{row['network']}, {row['rate']:g}: {100 * row['accuracy']:.1f}"
        for row in medians.reset_index().to_dict("records")
    )
    return f"Median test accuracy in percent by network and rate: {each}."


def _describe_norms(rows: pd.DataFrame) -> str:
    medians = rows.groupby(["activation", "network", "rate"])["growth"].median().dropna()
    each = "; ".join(
        f"{row['activation']}, {row['network']}, {row['rate']:g}: {row['growth']:.3g}"
        for row in medians.reset_index().to_dict("records")
    )
    return f"Growth of the kernels' norm by activation, network and rate: {each}."
