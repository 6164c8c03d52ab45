"""A3, drawn and told: how far a layer's gradient shifts when the layers before it step."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import verdict_table
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, command_at, name_at
from bnrepro.exhibits.smoothness.covariate_shift_claims import LINEAR, RATE, verdicts
from bnrepro.exhibits.smoothness.networks import (
    BN,
    PLAIN,
    chosen,
    describe,
    draw_networks,
    labelled,
    measured,
    steps_axis,
)
from bnrepro.exhibits.wording import setting
from bnrepro.records import laboratory
from bnrepro.verdicts.reasons import reasons_for

# Of the training, in which the plain network has hardly begun to learn.
_EARLY = 0.2
_LEAD = (
    "Perhaps distributions are the wrong thing to look at. What a layer wants is that the step it "
    "makes is still the right one when the layers before it have made theirs. That can be "
    "measured without a word about distributions: take the gradient of a layer, let the layers "
    "before it step, take it again on the same mini-batch. Does it keep its length, does it keep "
    "its direction? If batch normalization lessened internal covariate shift, here it would show.",
)
_LINEAR_LEAD = (
    "A deep linear network has no activation to blame: 25 matrices, one after the other, that "
    "learn another matrix. Without batch normalization its layers hardly disturb each other. With "
    "it the gradient turns, and the loss falls faster all the same. Whatever batch normalization "
    "does, it does not hold the gradient still.",
)
_CAPTION = (
    "Difference of a layer's gradient before and after the layers before it step, relative to the "
    "gradient, and the cosine of both; plain descent, on the mini-batch that comes next, with its "
    "own statistics. Line: median over seeds, band: least and greatest."
)
_LINEAR_CAPTION = (
    "25 layers of 10 x 10, all 1,000 examples in each step, loss summed over them. Line: median "
    "over seeds, band: least and greatest. (c) to (f) at a rate of 1e-7."
)


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """A3 from the records of the study `smoothness` and what `deep_linear` has left.

    Raises:
        ConfigError: if none of the runs is there, or the laboratory's study was not computed.
        RecordError: if a record, a measure or a table cannot be read.
    """
    computed = laboratory.read(results_dir, LINEAR.study)
    tables = LINEAR.tables(results_dir)
    found = chosen(results_dir, scale)
    runs = labelled(found.runs)
    runs = runs[runs["label"].isin([PLAIN, BN])]
    rows = measured(runs, "covariate_shift")
    judged = [*verdicts(found), *LINEAR.verdicts(tables)]
    linear = f"{_linear_setting(tables['losses'])}"
    return Exhibit(
        name=name_at("covariate_shift", scale),
        title="Covariate shift by gradients",
        setting=f"{setting(runs)}; {linear}",
        findings=_findings(rows, tables),
        commands=[
            found.command,
            laboratory.command(LINEAR.study, scale=computed.scale),
            command_at("covariate_shift", scale),
        ],
        missing=[found.missing] if found.missing else [],
        drawings=[_vgg(rows), _linear(tables)],
        tables=[verdict_table(judged), _table(rows)],
        series=[],
        runs=runs,
        computed=computed,
        reasons=reasons_for(judged),
    )


def _linear_setting(losses: pd.DataFrame) -> str:
    return f"a deep linear network, n = {losses['seed'].nunique()} seeds"


def _vgg(rows: pd.DataFrame) -> Drawing:
    panels = []
    kernels = list(dict.fromkeys(rows["kernel"]))
    letters = iter("abcdef")
    layout = []
    for quantity, words in (("relative", "shift of the gradient"), ("cosine", "cosine")):
        row = []
        for kernel in kernels:
            own = rows[rows["kernel"] == kernel]
            name = f"{quantity}_{kernel.split('/')[0]}"
            row.append(name)
            panels.append(
                Panel(
                    name,
                    f"({next(letters)}) {_said(kernel)}: {words}",
                    describe(own, quantity),
                    partial(_draw, rows=own, quantity=quantity),
                )
            )
        layout.append(row)
    ratio = _ratios(rows)
    title = (
        "With batch normalization the gradient shifts "
        f"{' and '.join(f'{value:.2g}' for value in ratio)} times as far, relative to its length"
    )
    return Drawing("vgg", title, panels, layout, _CAPTION, _LEAD)


def _linear(tables: dict[str, pd.DataFrame]) -> Drawing:
    losses, shifts = tables["losses"], tables["shifts"]
    panels = [
        Panel(
            f"loss_{place}",
            f"({'ab'[place]}) Loss at a rate of {_power(rate)}",
            describe(losses[losses["rate"] == rate], "loss"),
            partial(_draw_loss, rows=losses[losses["rate"] == rate]),
        )
        for place, rate in enumerate(sorted(losses["rate"].unique()))
    ]
    letters = iter("cdef")
    layout = [[panel.name for panel in panels]]
    at_rate = shifts[shifts["rate"] == RATE]
    for quantity, words in (("difference", "difference"), ("cosine", "cosine")):
        row = []
        for layer in sorted(at_rate["layer"].unique()):
            own = at_rate[at_rate["layer"] == layer]
            row.append(f"{quantity}_{layer}")
            panels.append(
                Panel(
                    row[-1],
                    f"({next(letters)}) Layer {layer}: {words}",
                    describe(own, quantity),
                    partial(_draw, rows=own, quantity=quantity, is_linear=True),
                )
            )
        layout.append(row)
    cosines = _cosines(shifts)
    title = (
        f"Deep linear network: the gradient's median cosine is {cosines[PLAIN]:.3g} without batch "
        f"normalization, {cosines[BN]:.2g} with it"
    )
    return Drawing("deep_linear", title, panels, layout, _LINEAR_CAPTION, _LINEAR_LEAD)


def _draw(axes: Axes, rows: pd.DataFrame, quantity: str, is_linear: bool = False) -> None:
    if quantity == "cosine":
        axes.set_ylim(-1.05, 1.05)
        axes.set_ylabel("cosine of G and G'")
    else:
        axes.set_yscale("log")
        axes.set_ylabel("|G - G'|" if is_linear else "|G - G'| / |G|")
    if not is_linear:
        steps_axis(axes, rows["step"].max())
    draw_networks(axes, rows, quantity)


def _draw_loss(axes: Axes, rows: pd.DataFrame) -> None:
    axes.set_yscale("log")
    axes.set_ylabel("loss")
    draw_networks(axes, rows, "loss")


def _ratios(rows: pd.DataFrame) -> list[float]:
    """The median shift with over without batch normalization, by kernel."""
    medians = rows.groupby(["kernel", "seed", "network"], sort=False)["relative"].median()
    table = medians.unstack("network").reindex(columns=[PLAIN, BN])
    ratio = (table[BN] / table[PLAIN]).groupby("kernel", sort=False).median()
    return [float(value) for value in ratio]


def _cosines(shifts: pd.DataFrame) -> pd.Series:
    """Median over steps, then seeds, of the last layer at the judged rate."""
    own = shifts[(shifts["rate"] == RATE) & (shifts["layer"] == shifts["layer"].max())]
    return own.groupby(["seed", "network"])["cosine"].median().groupby("network").median()


def _said(kernel: str) -> str:
    return kernel.split("/")[0].replace("_", " ")


def _power(rate: float) -> str:
    return f"{rate:.0e}".replace("e-0", "e-")


def _table(rows: pd.DataFrame) -> Table:
    columns = ("kernel", "network", "n", "relative", "cosine")
    found = []
    for (kernel, network), own in rows.groupby(["kernel", "network"], sort=False):
        values = own.groupby("seed")[["relative", "cosine"]].median()
        found.append([kernel, network, len(values), *values.median().tolist()])
    caption = "VGG network: medians over the measurements of a training, then over seeds."
    return Table("shifts", columns, found, caption)


def _findings(rows: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> list[str]:
    ratio, later = _ratios(rows), _ratios(rows[rows["step"] > _EARLY * rows["step"].max()])
    cosines = _cosines(tables["shifts"])
    losses = tables["losses"]
    last = losses[(losses["rate"] == RATE) & (losses["step"] == losses["step"].max())]
    final = last.groupby("network")["loss"].median()
    kernels = ", ".join(_said(kernel) for kernel in dict.fromkeys(rows["kernel"]))
    return [
        "In the VGG network, when the layers before it step, a layer's gradient changes "
        f"{' and '.join(f'{value:.2g}' for value in ratio)} times as much with batch normalization "
        f"as without, relative to its length ({kernels}; medians over steps, then seeds); after "
        "the first fifth of the training, when both learn, "
        f"{' and '.join(f'{value:.2g}' for value in later)} times as much.",
        f"In the deep linear network at a rate of {_power(RATE)} the median cosine of the gradient "
        f"before and after is {cosines[PLAIN]:.3g} without batch normalization and "
        f"{cosines[BN]:.2g} with it, and the final loss {final[PLAIN]:.2g} and {final[BN]:.2g}.",
    ]
