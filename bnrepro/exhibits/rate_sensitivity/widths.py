"""How wide the window of good learning rates is."""

from typing import NamedTuple

import numpy as np
import pandas as pd

# So far below the best accuracy a rate still counts as a good one.
TOLERANCE = 0.01
# A network that gets no more than half of all images right at any rate has no good one.
TRAINED = 0.5
_KEYS = ["activation", "optimizer", "network", "seed"]


class Width(NamedTuple):
    """The window around the best rate: its width in decades, and what lies at its place.

    `cut` is the number of its ends (0 to 2) that the grid cuts off, so that the width is a lower
    bound. `area` is the mean accuracy over the grid's decades.
    """

    width: float
    cut: int
    best_rate: float
    best_accuracy: float
    area: float


def widths(rates: pd.DataFrame) -> pd.DataFrame:
    """A row per activation, optimizer, network and seed, with the columns of `Width`."""
    found = [
        {**dict(zip(_KEYS, key, strict=True)), **width(own)._asdict()}
        for key, own in rates.groupby(_KEYS, sort=False)
    ]
    return pd.DataFrame(found)


def width(rows: pd.DataFrame) -> Width:
    """Of one network over its rates; columns `rate` and `accuracy`, nan where it diverged.

    Between two rates the accuracy is interpolated over the logarithm; a network that diverged
    counts as one that is always wrong. A network that trains at no rate has a window of width 0.
    """
    ordered = rows.sort_values("rate", kind="stable")
    decades = np.log10(ordered["rate"].to_numpy())
    accuracies = ordered["accuracy"].fillna(0).to_numpy()
    best = int(accuracies.argmax())
    level = accuracies[best] - TOLERANCE
    area = np.trapezoid(accuracies, decades) / (decades[-1] - decades[0])
    at_best = float(ordered["rate"].iloc[best]), float(accuracies[best]), float(area)
    if accuracies[best] < TRAINED:
        return Width(0.0, 0, *at_best)
    right, right_cut = _end(decades[best:], accuracies[best:], level)
    left, left_cut = _end(decades[best::-1], accuracies[best::-1], level)
    return Width(abs(right - left), left_cut + right_cut, *at_best)


def _end(decades: np.ndarray, accuracies: np.ndarray, level: float) -> tuple[float, bool]:
    """Where the accuracy, from the best one outward, first falls to `level`; whether it does not.

    Where it does not, it is the last of the decades.
    """
    below = np.flatnonzero(accuracies < level)
    if not len(below):
        return float(decades[-1]), True
    outer, inner = below[0], below[0] - 1
    share = (accuracies[inner] - level) / (accuracies[inner] - accuracies[outer])
    return float(decades[inner] + share * (decades[outer] - decades[inner])), False
