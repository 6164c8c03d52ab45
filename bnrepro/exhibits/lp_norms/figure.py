"""l_p norms in place of the deviation, from what `bnrepro laboratory lp_norms` has left."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import Tables, Told
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.exhibits.lp_norms.claims import (
    BN,
    JUDGED,
    NORMS,
    PLAIN,
    STUDY,
    medians,
    steps_to,
    with_range,
)
from bnrepro.exhibits.lp_norms.lines import LINES, draw_lines
from bnrepro.exhibits.smoothness.networks import steps_axis
from bnrepro.records.laboratory import LaboratoryRecord

_SHARE = "relative_001"
_PANELS = (
    ("range", "Loss along the gradient", "log10 of the highest over the lowest"),
    ("greatest_change", "Change of the gradient along itself", "greatest change"),
    (_SHARE, "Change at a step of 1 % of the weights' norm", "change over the gradient"),
)
_CAPTION = (
    "25 layers of 10 x 10, all 1,000 examples in each step, summed loss, rate 1e-7; s_p before the "
    "mean is taken. (b, c) At steps of 1/100 to 30 times the rate along the gradient, statistics "
    "of the examples at the point itself; (d) without a scale. Line: median over seeds, band: "
    "least and greatest."
)
_LEAD = (
    "Must it be the deviation? Take the mean from a layer's values and divide by some other size: "
    "the mean of their absolute values, the root of their mean square, the largest of them. "
    "Distributions are then less Gaussian than any; if a stable distribution were the reason, this "
    "should do harm. Here is what it does where everything can be computed, in the deep linear "
    "network of the pictures before.",
    "And once more the question whether the surface is smoother. In absolute numbers it depends on "
    "how large weights and gradients are: a network whose gradient has nearly vanished behind 25 "
    "layers is flat, and learns nothing. Compare a step with the weights it moves and a change of "
    "the gradient with the gradient.",
)


@JUDGED.exhibited
def exhibit(_: LaboratoryRecord, found: Tables) -> Told:
    """A4 and A5, from the study's tables."""
    losses, along = found["losses"], with_range(found["along"])
    return Told(
        title="l_p norms",
        setting=f"a deep linear network, n = {losses['seed'].nunique()} seeds",
        findings=_findings(losses, along),
        drawings=[_drawing(losses, along)],
    )


def _drawing(losses: pd.DataFrame, along: pd.DataFrame) -> Drawing:
    panels = [
        Panel(
            "loss",
            "(a) Loss",
            f"Final loss, medians: {_final(losses)}.",
            partial(_draw, rows=losses, quantity="loss", axis="loss"),
        ),
        *(
            Panel(
                quantity,
                f"({letter}) {title}",
                f"Medians over the steps: {_medians(along, quantity)}.",
                partial(_draw, rows=along, quantity=quantity, axis=axis),
            )
            for letter, (quantity, title, axis) in zip("bcd", _PANELS, strict=True)
        ),
    ]
    final = _final_losses(losses)
    least = str(final.drop(PLAIN).idxmin())
    title = (
        f"With {LINES[least].label} the loss ends lowest, at {final[least]:.2g} (deviation "
        f"{final[BN]:.2g}, without {final[PLAIN]:.2g}); at 1 % of the weights' norm the gradient "
        f"changes {_over_plain(along, BN, _SHARE):.2g} times as much as without"
    )
    names = [panel.name for panel in panels]
    return Drawing(STUDY, title, panels, [names[:2], names[2:]], _CAPTION, _LEAD)


def _final_losses(losses: pd.DataFrame) -> pd.Series:
    """Medians over seeds, by network; infinite where it is not finite."""
    last = losses[losses["step"] == losses["step"].max()].fillna({"loss": np.inf})
    return last.groupby("network")["loss"].median()[list(LINES)]


def _final(losses: pd.DataFrame) -> str:
    final = _final_losses(losses)
    return ", ".join(f"{line.label} {final[name]:.3g}" for name, line in LINES.items())


def _medians(along: pd.DataFrame, quantity: str) -> str:
    """Over steps, then seeds."""
    found = _of_seeds(along, quantity).median()
    return ", ".join(f"{line.label} {found[name]:.3g}" for name, line in LINES.items())


def _of_seeds(along: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Medians over steps: a row a seed, a column a network."""
    each = {seed: medians(own, quantity) for seed, own in along.groupby("seed")}
    return pd.DataFrame(each).T


def _over_plain(along: pd.DataFrame, network: str, quantity: str) -> float:
    found = _of_seeds(along, quantity)
    return float((found[network] / found[PLAIN]).median())


def _steps(losses: pd.DataFrame) -> str:
    """To the final loss of the network without, by normalization."""
    said = []
    for name in (BN, *NORMS):
        each = pd.Series([steps_to(own, name) for _, own in losses.groupby("seed")])
        never = "never" if np.isinf(each.median()) else f"{each.median():,.0f}"
        said.append(f"{LINES[name].label} {never}")
    return ", ".join(said)


def _findings(losses: pd.DataFrame, along: pd.DataFrame) -> list[str]:
    last = losses["step"].max()
    changes, shares, betas = (
        ", ".join(
            f"{LINES[name].label} {_over_plain(along, name, quantity):.3g}" for name in (BN, *NORMS)
        )
        for quantity in ("greatest_change", _SHARE, "beta")
    )
    return [
        f"Loss after {last:,} steps at a rate of 1e-7 (medians): {_final(losses)}. Steps to the "
        f"final loss of the network without normalization: {_steps(losses)}.",
        "The greatest change of the gradient along itself, over that without normalization "
        f"(medians over steps, then seeds): {changes}; effective beta: {betas}.",
        f"The same at a step of 1 % of the weights' norm, relative to the gradient: {shares}.",
    ]


def _draw(axes: Axes, rows: pd.DataFrame, quantity: str, axis: str) -> None:
    draw_lines(axes, rows, quantity, with_marks=quantity != "loss")
    if quantity == "loss":
        axes.legend(frameon=False, fontsize=7.5, loc="lower left")
    else:
        steps_axis(axes, rows["step"].max())
    axes.set_yscale("log")
    axes.set_xlabel("training steps")
    axes.set_ylabel(axis)
