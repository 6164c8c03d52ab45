"""E2, drawn and told: correlated features, and the pixels of images."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.error_surface.scales import LINES, describe_steps, draw_steps
from bnrepro.exhibits.exhibit import Drawing, Table, rows_of
from bnrepro.exhibits.wording import data_set
from bnrepro.experiments.line import DASHED, DOTTED, INK, PURPLE, Line

_LINES = {
    **{name: LINES[name] for name in ("raw", "batch normalization", "standardized")},
    "PCA": Line("whitened, PCA", INK, DASHED, "v"),
    "ZCA": Line("whitened, ZCA", PURPLE, DOTTED, "D"),
}
_CAPTION = (
    "(a) As in the drawing above; raw features have deviations of 1. (b) Least squares on the "
    "classes from all pixels: steps at 1 / lambda_max, from weights of 0, until the loss is within "
    "1 % of the least one; the first 10,000 training images (digits: all), means of 2 x 2 pixels "
    "of CIFAR-10, pixels that never vary left out, whitening with a ridge of 0.001 of the mean "
    "eigenvalue. There is one number each, without seeds."
)
_LEAD = (
    "Does that settle it? Not if features say nearly the same, as neighbouring pixels do. Two "
    "standardized features of correlation rho make a bowl with the curvatures 1 + rho along their "
    "sum and 1 - rho along their difference: kappa = (1 + rho) / (1 - rho), which standardization "
    "cannot see, because it looks at one feature at a time. Batch normalization cannot either: the "
    "paper drops whitening on purpose, because it is dear (section 3). Whitening makes every bowl "
    "round, so that one step is enough: PCA turns the features to the principal directions, ZCA "
    "turns them back and so stays as close to them as a whitening can.",
)


def drawing(found: dict[str, pd.DataFrame]) -> Drawing:
    """Steps over correlation, and on images; `found` are the study's tables."""
    rows, images = found["correlation"], found["images"]
    panels = [
        Panel(
            "correlation",
            "(a) Correlation rho: kappa = (1 + rho) / (1 - rho)",
            describe_steps(rows, "correlation"),
            partial(draw_steps, rows=rows, label="correlation rho", lines=_LINES, top=1e6),
        ),
        Panel(
            "images",
            "(b) Steps to within 1 % of the least loss, on images",
            _describe(images),
            partial(_draw_images, images=images),
        ),
    ]
    steps = rows[rows["setting"] == 0.99].groupby("normalization")["counted_steps"].median()
    title = (
        f"Correlation 0.99: {steps['raw']:,.0f} steps on raw features, with batch normalization "
        f"{steps['batch normalization']:,.0f}, whitened {steps['ZCA']:,.0f}"
    )
    return Drawing("correlation", title, panels, [["correlation", "images"]], _CAPTION, _LEAD)


def findings(found: dict[str, pd.DataFrame]) -> list[str]:
    """What came out, in a sentence for correlation and one for images."""
    rows, images = found["correlation"], found["images"]
    steps = rows[rows["setting"] == 0.9].groupby("normalization")["counted_steps"].median()
    law = rows[(rows["setting"] == 0.9) & (rows["normalization"] == "raw")]["law_steps"].max()
    said = [
        f"With two features of correlation 0.9 descent takes {steps['raw']:,.0f} steps raw (closed "
        f"form {law}), {steps['standardized']:,.0f} standardized, "
        f"{steps['batch normalization']:,.0f} with batch normalization, and {steps['ZCA']:,.0f} "
        "whitened."
    ]
    of_images = images.pivot_table("steps", index="data", columns="normalization", sort=False)
    each = "; ".join(
        f"{data_set(str(name))} {row['raw']:,.0f}, {row['batch normalization']:,.0f} and "
        f"{row['ZCA']:,.0f}"
        for name, row in of_images.iterrows()
    )
    return [*said, f"Steps on images, raw, with batch normalization and whitened: {each}."]


def table(found: dict[str, pd.DataFrame]) -> Table:
    """Condition numbers and steps on images."""
    images = found["images"]
    caption = (
        "Images: condition number of the second moments of pixels and a constant 1, over the "
        "eigenvalues above a billionth of the largest, and steps of descent at 1 / lambda_max to "
        "within 1 % of the least loss."
    )
    return Table("images", list(images.columns), rows_of(images), caption)


def _draw_images(axes: Axes, images: pd.DataFrame) -> None:
    """A row per data set, a mark per normalization."""
    names = list(dict.fromkeys(images["data"]))
    for name, line in _LINES.items():
        own = images[images["normalization"] == name]
        if own.empty:
            continue
        is_open = name == "batch normalization"
        axes.plot(
            own["steps"],
            own["data"].map(names.index),
            line.marker,
            color=line.color,
            markerfacecolor="none" if is_open else line.color,
            markersize=9 if is_open else 5,
            label=line.label,
        )
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), [data_set(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -1.1)
    axes.set_xlabel("steps")
    axes.legend(frameon=False, fontsize=7.5, loc="upper center", ncols=2)


def _describe(images: pd.DataFrame) -> str:
    each = "; ".join(
        f"{row['data']}, {row['normalization']}: {row['steps']:,}"
        for row in images.to_dict("records")
    )
    return f"Steps by data set and normalization: {each}."
