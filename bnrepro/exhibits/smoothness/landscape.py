"""A2, drawn and told: loss and gradient along the gradient, and what the numbers are worth."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import plain_ticks
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import verdict_table
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, command_at, name_at
from bnrepro.exhibits.smoothness.landscape_claims import (
    RELATIVE,
    late,
    medians,
    per_step,
    ratios,
    verdicts,
)
from bnrepro.exhibits.smoothness.networks import (
    BN,
    LINES,
    PLAIN,
    chosen,
    describe,
    draw_networks,
    draw_over_steps,
    labelled,
    measured,
    steps_axis,
)
from bnrepro.exhibits.wording import setting
from bnrepro.experiments.line import DOTTED
from bnrepro.verdicts.reasons import reasons_for

_KERNELS, _LARGER = "kernels", "kernels times 10"
_SHARE = RELATIVE[1]
_LEAD = (
    "If it is neither stable distributions nor steadier gradients, what does change? Stand on the "
    "error surface at some moment of the training and walk straight along the gradient, from half "
    "of the step that training is about to make to four times that step. Does the loss do what "
    "the slope foretold? Is the gradient at the other end still the one you set out with? Where "
    "both are so, the step may be large. The most that the gradient changes by the distance "
    "walked is called effective beta: the steepness of the steepness.",
    "One reservation belongs beside these numbers, and it is not a small one. Before batch "
    "normalization the kernels may be ten times as large: the network is the same, to the last "
    "digit, its gradients are a tenth, its curvature is a hundredth, and the surface looks a "
    "hundred times as smooth (dashed). An absolute measure of smoothness moves with the scale of "
    "the weights. So look at (d), where steps are shares of the weights and changes are shares of "
    "the gradient: what is left there is more than a choice of units.",
    "A second one: look at the loss before you look at smoothness. Where nothing is learned yet, "
    "or no longer, gradients are small and every surface is flat. The network without batch "
    "normalization stands on such a plateau for its first hundred steps; ask how rough its "
    "surface is when it begins to descend.",
)
_CAPTION = (
    "Seeds lie over each other in (a) and (b): bands from the least to the greatest over eight "
    "lengths of step, 1/2 to 4 learning rates, on the mini-batch that comes next, with its own "
    "statistics; dotted in (a): its loss. In (c) and (d) line: median over seeds, band: least and "
    "greatest; dashed in (c): batch normalization, moved in its kernels alone and with these "
    "ten times as large. (d) Change of the gradient over the gradient, at a step of 1 % of the "
    "weights' norm. A triangle at the top: not finite."
)


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """A2 from the records of the study `smoothness`.

    Raises:
        ConfigError: if none of the runs is there.
        RecordError: if a record or a measure cannot be read.
    """
    found = chosen(results_dir, scale)
    runs = labelled(found.runs)
    runs = runs[runs["label"].isin([PLAIN, BN])]
    rows = per_step(measured(runs, "landscape"))
    judged = verdicts(found)
    return Exhibit(
        name=name_at("smoothness", scale),
        title="A smoother error surface",
        setting=setting(runs),
        findings=_findings(rows),
        commands=[found.command, command_at("smoothness", scale)],
        missing=[found.missing] if found.missing else [],
        drawings=[_drawing(rows)],
        tables=[verdict_table(judged), _table(rows)],
        series=[],
        runs=runs,
        reasons=reasons_for(judged),
    )


def _drawing(rows: pd.DataFrame) -> Drawing:
    along = rows[rows["move"] == "gradient"]
    relative = rows[rows["move"] == _SHARE]
    panels = [
        Panel(
            "loss",
            "(a) Loss along the gradient",
            f"log10 of the highest loss over the lowest. {describe(along, 'range')}",
            partial(_draw_bands, rows=along, ends=("lowest_loss", "highest_loss"), label="loss"),
        ),
        Panel(
            "gradient",
            "(b) Change of the gradient along it",
            f"The greatest change. {describe(along, 'greatest_change')}",
            partial(
                _draw_bands,
                rows=along,
                ends=("least_change", "greatest_change"),
                label="norm of the change",
            ),
        ),
        Panel(
            "beta",
            "(c) Effective beta-smoothness",
            describe(along, "beta"),
            partial(_draw_beta, rows=rows),
        ),
        Panel(
            "relative",
            "(d) Without units: steps of 1 % of the weights",
            describe(relative, "relative_change"),
            partial(_draw_relative, rows=relative),
        ),
    ]
    at_once, later = (
        ratios(each, "gradient", "greatest_change").median() for each in (rows, late(rows))
    )
    title = (
        f"Without batch normalization the gradient changes {at_once:.2g} times as much along "
        f"itself as with it; after the first fifth of the training {later:.2g} times"
    )
    return Drawing(
        "landscape", title, panels, [["loss", "gradient"], ["beta", "relative"]], _CAPTION, _LEAD
    )


def _draw_bands(axes: Axes, rows: pd.DataFrame, ends: Sequence[str], label: str) -> None:
    """A band per seed: bands are not averaged before their ends are taken."""
    for network in (PLAIN, BN):
        line = LINES[network]
        of_network = rows[rows["network"] == network]
        for seed, own in of_network.groupby("seed"):
            low, high = (own[end].replace(np.inf, np.nan) for end in ends)
            axes.fill_between(
                own["step"], low, high, color=line.color, alpha=0.16, linewidth=0,
                label=network if seed == of_network["seed"].min() else None,
            )  # fmt: skip
            axes.plot(own["step"], low, own["step"], high, color=line.color, linewidth=0.5)
            beyond = own["step"][~np.isfinite(own[ends[1]])]
            # A series without a point would take part in the layout.
            if not beyond.empty:
                axes.plot(
                    beyond, np.ones(len(beyond)), "^", color=line.color, clip_on=False,
                    transform=axes.get_xaxis_transform(),
                )  # fmt: skip
        if label == "loss" and not of_network.empty:
            loss = of_network.groupby("step")["loss"].median()
            axes.plot(loss.index, loss, color=line.color, linestyle=DOTTED, linewidth=1)
    axes.set_yscale("log")
    steps_axis(axes, rows["step"].max())
    plain_ticks(axes)
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize=7.5, loc="best")


def _draw_beta(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_yscale("log")
    steps_axis(axes, rows["step"].max())
    larger = rows[(rows["move"] == _LARGER) & (rows["network"] == BN)]
    draw_over_steps(axes, larger, "beta", BN, dashed=True)
    axes.annotate(
        "dashed: with BN, kernels 10 times as large", (0.03, 0.04), xycoords="axes fraction",
        fontsize=7.5, color=LINES[BN].text_color,
    )  # fmt: skip
    axes.set_ylabel("effective beta")
    draw_networks(axes, rows[rows["move"] == "gradient"], "beta")


def _draw_relative(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_yscale("log")
    steps_axis(axes, rows["step"].max())
    axes.set_ylabel("change over the gradient's norm")
    draw_networks(axes, rows, "relative_change")


def _table(rows: pd.DataFrame) -> Table:
    """Medians over steps, then over seeds, of every move."""
    columns = ("move", "network", "n", "log10_range", "greatest_change", "beta", "relative_change")
    found = []
    for (move, network), own in rows.groupby(["move", "network"], sort=False):
        of_seeds = own.groupby("seed")[["range", "greatest_change", "beta", "relative_change"]]
        values = of_seeds.median()
        found.append([move, network, len(values), *values.median().tolist()])
    caption = "Medians over the measurements of a training, then over seeds."
    return Table("landscape", columns, found, caption)


def _findings(rows: pd.DataFrame) -> list[str]:
    found = []
    for when, own in (("Over all measurements", rows), ("After the first fifth", late(rows))):
        change, beta = (
            ratios(own, "gradient", name).median() for name in ("greatest_change", "beta")
        )
        relative = [ratios(own, move, "relative_change").median() for move in RELATIVE]
        losses = medians(own, "gradient", "loss").median()
        found.append(
            f"{when}, along the gradient and from 1/2 to 4 learning rates, the gradient without "
            f"batch normalization changes {change:.2g} times as much as with it, and effective "
            f"beta is {beta:.2g} times as large; at steps of 0.1, 1 and 10 % of the weights' norm "
            f"the change relative to the gradient is "
            f"{', '.join(f'{each:.2g}' for each in relative)} times as large (medians over steps, "
            f"then seeds; median loss {losses[PLAIN]:.2g} without, {losses[BN]:.2g} with)."
        )
    betas = [
        rows[(rows["move"] == move) & (rows["network"] == BN)].groupby("seed")["beta"].median()
        for move in (_KERNELS, _LARGER)
    ]
    return [
        *found,
        "The same network with kernels ten times as large before batch normalization looks "
        f"{(betas[0] / betas[1]).median():.2g} times as smooth by the effective beta of these "
        "kernels, and a hundred times in the limit of short steps: absolute numbers move with the "
        "scale of the weights.",
    ]
