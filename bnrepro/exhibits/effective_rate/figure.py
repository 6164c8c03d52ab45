"""Rate and decay in effect, from what `bnrepro laboratory effective_rate` has left."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told, made_on
from bnrepro.exhibits.effective_rate.claims import (
    JUDGED,
    MOMENTUM,
    RATES,
    STUDY,
    is_in_equilibrium,
    law,
)
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.wording import percent
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GREEN, ORANGE, PURPLE, VERMILLION, Line
from bnrepro.records.laboratory import LaboratoryRecord

_REPLAYS = {
    "decayed": Line("with decay", VERMILLION, "-", "v"),
    "replayed lengths": Line("without, given its lengths", BLUE, DASHED, "o"),
    "without decay": Line("without", GREEN, DOTTED, "^"),
}
_COLORS = (GREEN, BLUE, VERMILLION)
_KERNELS = {
    ("with BN", 1.0): Line("with BN", BLUE, "-", "o"),
    ("with BN", 10.0): Line("with BN, from ten times the length", PURPLE, DASHED, "s"),
    ("without BN", 1.0): Line("without BN", ORANGE, "-", "D"),
    ("without BN", 10.0): Line("without BN, from ten times the length", VERMILLION, DASHED, "v"),
}
_CAPTION = (
    "Two hidden layers of 64 units with ReLU, mini-batches of 64, momentum 0.9 (d: none); gamma, "
    "beta and the last layer do not decay. Statistics are the mini-batch's; of test accuracy those "
    "of all test images. (a) Medians; lines: the same product of rate and decay. (b) Median angle "
    "of a unit of the second layer, means over 50 steps, all seeds; dashed: the law; crosses have "
    "another rate than the dots and the same product. (c) Rate 0.1, decay 0.003; means over 50 "
    "steps; lines: medians, bands: all seeds. (d) The second layer's kernel; lines: medians."
)
_LEAD = (
    "Multiply a kernel before batch normalization by two: the function is the same, and the "
    "gradient is half as long (section 3.3 of the paper). Nothing pulls at the length of such a "
    "kernel, and each step at right angles to it makes it a little longer. So the learning rate "
    "is not what it says: what counts is by how much a step turns the kernel, eta / |w|^2.",
    "Then what does weight decay do? It cannot regularize a function that does not change. It "
    "shortens the kernel until what decay takes and what gradients add balance, and from then on "
    "every step turns it by the same angle, sqrt(2 eta lambda / (1 + mu)): rate and decay count "
    "only as a product. If that is all, decay can be replaced: train without it, and after every "
    "step give each kernel the length that decay would have given it.",
)


@JUDGED.exhibited
def exhibit(record: LaboratoryRecord, found: Tables) -> Told:
    """D3 and C3, from the study's tables."""
    return Told(
        title="Effective rate",
        setting=f"mlp of ReLU, {made_on(record, found['grid'])}",
        findings=_findings(found),
        drawings=[_drawing(found)],
    )


def _drawing(found: dict[str, pd.DataFrame]) -> Drawing:
    panels = [
        Panel(
            "grid",
            "(a) Test accuracy over rate and decay",
            _describe_grid(found["grid"]),
            partial(_draw_grid, rows=found["grid"]),
        ),
        Panel(
            "rotation",
            "(b) By how much a step turns a unit",
            _describe_rotation(found["rotation"]),
            partial(_draw_rotation, rows=found["rotation"]),
        ),
        Panel(
            "replay",
            "(c) Decay, or the lengths that it gives",
            _describe_replay(found["replay"]),
            partial(_draw_replay, rows=found["replay"]),
        ),
        Panel(
            "growth",
            f"(d) How a kernel grows at rate {RATES[1]:g}, no decay",
            _describe_growth(found["growth"]),
            partial(_draw_growth, rows=found["growth"]),
        ),
    ]
    decayed, replayed, without = _last_losses(found["replay"])
    title = (
        f"Weight decay sets the effective rate: training loss {decayed:.3f} with it, "
        f"{replayed:.3f} without it but with its lengths, {without:.3f} without"
    )
    names = [panel.name for panel in panels]
    return Drawing(STUDY, title, panels, [names[:2], names[2:]], _CAPTION, _LEAD)


def _findings(found: dict[str, pd.DataFrame]) -> list[str]:
    grid, growth = found["grid"], found["growth"]
    cells = grid[is_in_equilibrium(grid, found["replay"]["step"].max())]
    ratios = (cells["angle_2"] / law(cells)).groupby([cells["rate"], cells["decay"]]).median()
    decayed, replayed, without = _last_losses(found["replay"])
    accuracy = found["replay"].groupby("network")["accuracy"].median()
    lengths = _relative_lengths(growth)
    said = [
        f"{line.label} {lengths[network, scale]:.3g}" for (network, scale), line in _KERNELS.items()
    ]
    return [
        f"In the {len(ratios)} cells that have had ten time constants a step turns a unit of the "
        f"second layer by {ratios.min():.2f} to {ratios.max():.2f} times what the law says "
        "(medians over the seeds of the median over the units).",
        f"Training loss over the last steps is {decayed:.3f} with decay, {replayed:.3f} without it "
        f"but with its lengths, and {without:.3f} without either; test accuracy "
        f"{', '.join(percent(accuracy[name]) for name in _REPLAYS)} (medians).",
        f"At rate {RATES[1]:g} without decay a kernel's length grows by these factors: "
        f"{', '.join(said)} (medians).",
        _effective_rates(growth),
    ]


def _last_losses(rows: pd.DataFrame) -> list[float]:
    """Median training loss of each network in the last row of its curve."""
    last = rows[rows["step"] == rows["step"].max()].groupby("network")["loss"].median()
    return [float(last[name]) for name in _REPLAYS]


def _relative_lengths(growth: pd.DataFrame) -> pd.Series:
    """By network and initial scale: the last length over the first, medians over the seeds."""
    own = growth[growth["rate"] == RATES[1]].sort_values("step", kind="stable")
    lengths = own.groupby(["network", "scale", "seed"])["length"]
    return (lengths.last() / lengths.first()).groupby(["network", "scale"]).median()


def _effective_rates(growth: pd.DataFrame) -> str:
    own = growth[(growth["network"] == "with BN") & (growth["scale"] == 1)]
    last = own[own["step"] == own["step"].max()]
    lengths = last.groupby("rate")["length"].median()
    each = ", ".join(f"{rate:g}: {rate / lengths[rate] ** 2:.2g}" for rate in RATES)
    return f"The effective rate eta / |w|^2 after the last step, by the rate: {each} (medians)."


def _draw_grid(axes: Axes, rows: pd.DataFrame) -> None:
    cells = rows.pivot_table("accuracy", index="decay", columns="rate", aggfunc="median")
    # Not `imshow`: the picture that it puts into an SVG has other bytes in each process.
    across, up = range(len(cells.columns)), range(len(cells.index))
    axes.pcolormesh(across, up, cells.to_numpy(), shading="nearest", cmap="cividis")
    low, high = cells.to_numpy().min(), cells.to_numpy().max()
    for (row, column), value in np.ndenumerate(cells.to_numpy()):
        color = "white" if value < (low + high) / 2 else "black"
        axes.text(
            column, row, f"{100 * value:.1f}", ha="center", va="center", fontsize=8, color=color
        )
    _draw_products(axes, sorted(rows["rate"].unique()), sorted(rows["decay"].unique()))
    axes.grid(visible=False)
    axes.set_xticks(range(len(cells.columns)), [f"{rate:g}" for rate in cells.columns])
    axes.set_yticks(range(len(cells.index)), [f"{decay:g}" for decay in cells.index])
    axes.set_xlabel("learning rate")
    axes.set_ylabel("decay")


def _draw_products(axes: Axes, rates: list[float], decays: list[float]) -> None:
    """Lines on which rate times decay is the same."""
    places = np.linspace(0, len(rates) - 1, 50)
    logs = np.interp(places, range(len(rates)), np.log(rates))
    known = np.log(decays[1:])
    for product in (1e-5, 1e-4, 1e-3):
        wanted = np.log(product) - logs
        inside = (wanted >= known[0]) & (wanted <= known[-1])
        heights = np.interp(wanted, known, range(1, len(decays)))
        axes.plot(places[inside], heights[inside], color=VERMILLION, linewidth=1)


def _draw_rotation(axes: Axes, rows: pd.DataFrame) -> None:
    """Of cells with the same product the one with the larger rate has dots, the other crosses."""
    laws = law(rows).round(6)
    for of_law, color in zip(sorted(laws.unique()), _COLORS, strict=False):
        own = rows[laws == of_law]
        product = f"{(1 + MOMENTUM) / 2 * of_law**2:.0e}".replace("e-0", "e-")
        for rate, of_rate in own.groupby("rate"):
            marker = "." if rate == own["rate"].max() else "x"
            axes.plot(
                of_rate["step"], of_rate["angle"], marker, color=color, markersize=3,
                label=f"rate {rate:g}, product {product}",
            )  # fmt: skip
        axes.axhline(of_law, color=color, linestyle=DASHED, linewidth=1)
    axes.set_yscale("log")
    axes.set_ylim(4e-4, 0.04)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("steps")
    axes.set_ylabel("angle of a step")
    axes.legend(frameon=False, fontsize=7, loc="lower right", ncols=2)


def _draw_replay(axes: Axes, rows: pd.DataFrame) -> None:
    for network, line in _REPLAYS.items():
        of_step = rows[rows["network"] == network].groupby("step")["loss"]
        median = of_step.median()
        axes.fill_between(
            median.index, of_step.min(), of_step.max(), color=line.color, alpha=0.18, linewidth=0
        )
        axes.plot(median.index, median, color=line.color, linestyle=line.style, label=line.label)
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    axes.set_xlabel("steps")
    axes.set_ylabel("training loss")
    axes.legend(frameon=False, fontsize=8, loc="upper right")


def _draw_growth(axes: Axes, rows: pd.DataFrame) -> None:
    for (network, scale), line in _KERNELS.items():
        own = rows[
            (rows["network"] == network) & (rows["scale"] == scale) & (rows["rate"] == RATES[1])
        ]
        length = own.groupby("step")["length"].median()
        axes.plot(
            length.index, length / length.iloc[0], color=line.color, linestyle=line.style,
            marker=line.marker, markersize=3, label=line.label,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("steps")
    axes.set_ylabel("length over the first")
    axes.legend(frameon=False, fontsize=7.5, loc="center right")


def _describe_grid(rows: pd.DataFrame) -> str:
    medians = rows.groupby(["rate", "decay"])["accuracy"].median().reset_index()
    each = "; ".join(
        f"{row['rate']:g}, {row['decay']:g}: {percent(row['accuracy'])}"
        for row in medians.to_dict("records")
    )
    return f"Median test accuracy by rate and decay: {each}."


def _describe_rotation(rows: pd.DataFrame) -> str:
    last = rows[rows["step"] == rows["step"].max()]
    medians = last.assign(law=law(last)).groupby(["rate", "decay"])[["angle", "law"]].median()
    each = "; ".join(
        f"{row['rate']:g}, {row['decay']:g}: {row['angle']:.4f} by {row['law']:.4f}"
        for row in medians.reset_index().to_dict("records")
    )
    return f"Median angle after the last step and the law's, by rate and decay: {each}."


def _describe_replay(rows: pd.DataFrame) -> str:
    each = ", ".join(
        f"{line.label} {loss:.3f}"
        for line, loss in zip(_REPLAYS.values(), _last_losses(rows), strict=True)
    )
    return f"Median training loss at the end: {each}."


def _describe_growth(rows: pd.DataFrame) -> str:
    lengths = _relative_lengths(rows)
    each = ", ".join(f"{line.label} {lengths[key]:.3g}" for key, line in _KERNELS.items())
    return f"The last length over the first: {each}."
