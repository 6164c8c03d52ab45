"""The paper's drawn curves, digitised from the vector paths of figures 1(a), 1(b), 1(c) and 2.

`curves.json` holds the vertices of every path and says what its axes are. Figure 2 is clipped
below 0.4, figure 1(a) begins at about 3,600 steps: what lies before was not drawn.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# Steps per unit of the drawn x-axis.
_STEPS = {
    "fig1a": 1_000,
    "fig1b_without_bn": 1_000,
    "fig1c_with_bn": 1_000,
    "fig2": 1_000_000,
}


def curve(figure: str, series: str) -> "pd.DataFrame":
    """A drawn curve: columns `step` (float, in steps) and `value`, ordered by step.

    `value` is an accuracy (fraction) in `fig1a` and `fig2`, an input to the sigmoid in
    `fig1b_without_bn` and `fig1c_with_bn`.

    Raises:
        KeyError: if the paper has no such figure or series; it names those there are.
    """
    import pandas as pd

    if figure not in _STEPS:
        raise KeyError(f"{figure}: expected one of {', '.join(_STEPS)}")
    drawn = _digitised()[figure]
    if series not in drawn:
        raise KeyError(f"{series}: figure {figure} has {', '.join(drawn)}")
    frame = pd.DataFrame(drawn[series], columns=["step", "value"], dtype=float)
    frame["step"] *= _STEPS[figure]
    return frame


def highest(figure: str, series: str) -> float:
    """The highest accuracy of a drawn curve; arguments as `curve`'s."""
    return max(accuracy for _, accuracy in _digitised()[figure][series])


@cache
def _digitised() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "curves.json").read_text())
