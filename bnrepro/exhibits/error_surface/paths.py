"""E3, drawn and told: contours of the loss, and paths of gradient descent over them."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GRAY, ORANGE, PURPLE, VERMILLION, Line

# A row of the study's table of surfaces.
Surface = dict[Any, Any]

_SEED = 0
_PANELS = ("raw", "standardized", "batch normalization", "whitened")
_LINES = {
    "best": Line("best rate", BLUE, "-", "o"),
    "0.95 of the largest": Line("0.95 of 2 / lambda_max", ORANGE, DASHED, "^"),
    "1.05 of the largest": Line("1.05 of 2 / lambda_max", VERMILLION, DOTTED, "v"),
    "mini-batches": Line("best, mini-batches of 50", PURPLE, "-", "s"),
}
_SHOWN = {
    "batch normalization": ("best", "mini-batches"),
    **dict.fromkeys(
        ("raw", "standardized", "whitened"), ("best", "0.95 of the largest", "1.05 of the largest")
    ),
}
# So much of a path is drawn: one that diverges would hide all others.
_FIRST_STEPS = {"0.95 of the largest": 10, "1.05 of the largest": 5}
# Contours lie at a quarter of the loss of the one around them.
_CONTOURS = 6
_CAPTION = (
    "Loss over both weights, the bias at its best everywhere; both axes of a panel have one unit. "
    "Every path begins at the same loss, equally far from the minimum along both directions; each "
    "contour has a quarter of the loss of the one around it. Steps are those at the best rate to a "
    "thousandth of the distance; of the paths at other rates the first 10 and 5 steps are drawn. "
    "Deviations 1 and 4, correlation 0.6, seed 0; in (c) batch normalization of the raw features "
    "has no gamma and beta to learn."
)
_LEAD = (
    "Now look at the bowl from above. On raw features it is a valley: the rate that the steep "
    "walls allow is too small for the flat floor, and descent zigzags between the walls while it "
    "crawls along the floor. A little more than 2 / lambda_max, and every step ends higher on the "
    "other wall. Standardized features make the valley a wide one, whitened ones a round bowl, "
    "where the gradient points at the minimum and one step leads there. Batch normalization gives "
    "the second picture, and in mini-batches a path that trembles: statistics and gradient are "
    "those of 50 examples.",
)


def drawing(found: dict[str, pd.DataFrame]) -> Drawing:
    """Four surfaces with their paths; `found` are the study's tables."""
    surfaces, paths = (
        found[name][found[name]["seed"] == _SEED].set_index("normalization")
        for name in ("surfaces", "paths")
    )
    rows = {str(row["normalization"]): row for row in surfaces.reset_index().to_dict("records")}
    panels = [
        Panel(
            name.replace(" ", "_"),
            f"({letter}) {_title(rows[name])}",
            _describe(rows[name]),
            partial(_draw, surface=rows[name], paths=paths.loc[[name]]),
        )
        for letter, name in zip("abcd", _PANELS, strict=True)
    ]
    steps = surfaces["counted_steps"]
    title = (
        f"Steps to a thousandth of the distance: {steps['raw']} raw, {steps['standardized']} "
        f"standardized, {steps['batch normalization']} with batch normalization of the inputs, "
        f"{steps['whitened']} whitened"
    )
    names = [panel.name for panel in panels]
    return Drawing("paths", title, panels, [names[:2], names[2:]], _CAPTION, _LEAD)


def findings(found: dict[str, pd.DataFrame]) -> list[str]:
    """What came out, in a sentence."""
    of_name = found["surfaces"].groupby("normalization")
    steps, ratios = of_name["counted_steps"].median(), of_name["condition"].median() ** 0.5
    each = ", ".join(
        f"{name} {steps[name]:,.0f} (axes {ratios[name]:.1f} to 1)" for name in _PANELS
    )
    return [f"Steps over the surface of two correlated features of unequal scale: {each}."]


def _title(surface: Surface) -> str:
    name = surface["normalization"]
    ratio = surface["condition"] ** 0.5
    steps = f"{surface['counted_steps']} (foretold {surface['predicted_steps']})"
    return f"{name}: axes {ratio:.1f} to 1, steps {steps}"


def _draw(axes: Axes, surface: Surface, paths: pd.DataFrame) -> None:
    hessian = np.array(
        [
            [surface["hessian_11"], surface["hessian_12"]],
            [surface["hessian_12"], surface["hessian_22"]],
        ]
    )
    minimum = np.array([surface["minimum_1"], surface["minimum_2"]])
    loss = paths[paths["step"] == 0]["excess"].iloc[0]
    circle = _circle_on(hessian)
    for contour in range(_CONTOURS):
        x, y = minimum[:, None] + np.sqrt(2 * loss / 4**contour) * circle
        axes.plot(x, y, color=GRAY, linewidth=0.7)
    for rate in reversed(_SHOWN[surface["normalization"]]):
        line = _LINES[rate]
        last = _FIRST_STEPS.get(rate, paths["step"].max())
        own = paths[(paths["rate"] == rate) & (paths["step"] <= last)]
        axes.plot(
            own["weight_1"],
            own["weight_2"],
            color=line.color,
            linestyle=line.style,
            marker=line.marker,
            markersize=3,
            linewidth=1,
            label=line.label,
        )
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("weight of the first feature")
    axes.set_ylabel("weight of the second")
    axes.legend(frameon=False, fontsize=7, loc="lower right")


def _circle_on(hessian: np.ndarray) -> np.ndarray:
    """Points (2, points) all round at which `x H x = 1`."""
    angles = np.linspace(0, 2 * np.pi, 121)
    circle = np.array([np.cos(angles), np.sin(angles)])
    return np.linalg.solve(np.linalg.cholesky(hessian).T, circle)


def _describe(surface: Surface) -> str:
    return (
        f"Contours of the loss, condition number {surface['condition']:.3g}, with paths of "
        f"gradient descent; at the best rate {surface['counted_steps']} steps."
    )
