"""F4, drawn: schedules, effective rates beside them, and where the losses end."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.rate_decay.claims import NETWORKS, effective
from bnrepro.experiments.line import (
    BLUE,
    DASH_DOTTED,
    DASHED,
    DOTTED,
    GREEN,
    INK,
    PURPLE,
    VERMILLION,
    Line,
)

LINES = {
    "constant": Line("constant", INK, "-", "o"),
    "1 / (1 + k t)": Line("1 / (1 + k t)", VERMILLION, DASHED, "v"),
    "exponential": Line("exponential", BLUE, "-", "s"),
    "step": Line("step", GREEN, DASH_DOTTED, "D"),
    "cosine": Line("cosine", PURPLE, DOTTED, "^"),
}
_CAPTION = (
    "(a, b) Solid: the effective rate, eta over the squared norm of all hidden kernels, as a share "
    "of what it was before the first step; thin and dotted: the rate itself; medians over the "
    "seeds. (c) Training loss over the last tenth of the mini-batches; a mark is a seed. All "
    "decays end with a hundredth of the first rate (0.3 without batch normalization, 1 with it); "
    "step: a tenth after each third. Weight decay: 0.001 of the squared kernels."
)
_LEAD = (
    "A large rate travels fast and never arrives: noise keeps the weights in motion, the more so "
    "the larger the rate (E3 has the law for one weight). So the rate should fall. There are "
    "many ways to fall to a hundredth: 1 / (1 + k t), which is where the theory comes from, "
    "spends most of its steps at small rates; the cosine most of them at large ones. Which is "
    "better after a short training is not a matter of taste.",
    "With batch normalization look at what a step does, not at the number that was set. A kernel's "
    "length has no effect on the output; a step turns the kernel, by an angle that goes as "
    "eta / |w|^2. Without weight decay every step lengthens w, and the effective rate falls by "
    "itself, whatever the schedule says. Weight decay shortens w again, and as long as the rate "
    "is large both forces move quickly; then the rate falls, and w stays as long as it was.",
)


def drawing(decays: pd.DataFrame) -> Drawing:
    """Effective rates of both batch-normalized networks, and final losses of all."""
    rows = effective(decays)
    panels = [
        *(
            Panel(
                f"effective_{letter}",
                f"({letter}) {title}",
                _describe(own := rows[rows["network"] == network]),
                partial(_draw_rates, rows=own, legend=letter == "a"),
            )
            for letter, network, title in (
                ("a", "batch normalization", "Effective rate without weight decay"),
                ("b", "and weight decay", "Effective rate with weight decay"),
            )
        ),
        Panel(
            "losses",
            "(c) Training loss at the end",
            _describe_losses(rows),
            partial(_draw_losses, rows=rows),
        ),
    ]
    left = shares_left(rows)
    title = (
        f"The exponential schedule leaves 1 % of the rate: {100 * left['batch normalization']:.2g} "
        f"% of the effective rate without weight decay, {100 * left['and weight decay']:.2g} % "
        "with it"
    )
    return Drawing("decays", title, panels, [[panel.name for panel in panels]], _CAPTION, _LEAD)


def shares_left(rows: pd.DataFrame) -> pd.Series:
    """What the exponential schedule leaves of the effective rate, by network; medians."""
    last = rows[(rows["step"] == rows["step"].max()) & (rows["schedule"] == "exponential")]
    return last.groupby("network")["effective"].median()


def last_losses(rows: pd.DataFrame) -> pd.DataFrame:
    """Median training losses at the end, a row per network and a column per schedule."""
    last = rows[rows["step"] == rows["step"].max()]
    medians = last.pivot_table(
        "train_loss", index="network", columns="schedule", aggfunc="median", sort=False
    )
    return medians[list(LINES)]


def _draw_rates(axes: Axes, rows: pd.DataFrame, legend: bool) -> None:
    for schedule, line in LINES.items():
        own = rows[rows["schedule"] == schedule].groupby("step")
        shown, share = own["effective"].median(), own["share"].median()
        axes.plot(share.index, share, color=line.color, linestyle=DOTTED, linewidth=0.9)
        axes.plot(
            shown.index, shown, color=line.color, marker=line.marker, markersize=3, label=line.label
        )
    axes.set_yscale("log")
    axes.set_xlabel("training steps")
    axes.set_ylabel("share of the first value")
    if legend:
        axes.legend(frameon=False, fontsize=7, loc="lower left")


def _draw_losses(axes: Axes, rows: pd.DataFrame) -> None:
    last = rows[rows["step"] == rows["step"].max()]
    for place, network in enumerate(NETWORKS):
        for shift, (schedule, line) in enumerate(LINES.items()):
            own = last[(last["network"] == network) & (last["schedule"] == schedule)]
            at = [place + 0.15 * (shift - 2)] * len(own)
            axes.plot(at, own["train_loss"], line.marker, color=line.color, markersize=3.5)
    labels = ("without batch\nnormalization", "with batch\nnormalization", "and weight\ndecay")
    axes.set_xticks(range(len(NETWORKS)), labels)
    axes.set_ylabel("training loss")


def _describe(rows: pd.DataFrame) -> str:
    last = rows[rows["step"] == rows["step"].max()]
    medians = last.groupby("schedule", sort=False)[["share", "effective"]].median()
    each = "; ".join(
        f"{row['schedule']}: {row['effective']:.3g} ({row['share']:.3g})"
        for row in medians.reset_index().to_dict("records")
    )
    return f"Share that is left of the effective rate (of the rate) by schedule: {each}."


def _describe_losses(rows: pd.DataFrame) -> str:
    each = "; ".join(
        f"{network}, {schedule}: {loss:.3g}"
        for network, row in last_losses(rows).iterrows()
        for schedule, loss in row.items()
    )
    return f"Median training loss by network and schedule: {each}."
