"""D5: what the laboratory's tables of depth say, by criteria fixed before them.

The laws are those of X6, with its tolerance; at 4 examples a single direction in few decides, and
with ReLU the law is that of large batches, so that these are drawn and not judged.
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "depth"
BN, SKIPS, WITHOUT = "BN", "BN, layers add their inputs", "without BN"
CONTROL_BATCH, RELU_BATCH = 32, 128
# A network has trained if it sees so many of its training images rightly at the end.
TRAINED = 0.5
RELU_LAW = float(np.pi / (np.pi - 1))

CRITERIA = {
    "D5.linear": SeedCriterion(
        "D5",
        "without an activation squared gradients grow by (B - 2) / (B - 3) a layer",
        "largest relative distance from it at mini-batches of 8, 32 and 128",
        "below",
        0.03,
    ),
    "D5.relu": SeedCriterion(
        "D5",
        "with ReLU they grow by pi / (pi - 1) a layer",
        "relative distance from it at mini-batches of 128",
        "below",
        0.03,
    ),
    "D5.skips": SeedCriterion(
        "D5",
        "where layers add their inputs they grow far less",
        "growth over all layers without over with, mini-batches of 32",
        "above",
        10,
    ),
    "D5.deep": SeedCriterion(
        "D5",
        "the deepest network with batch normalization does not train",
        "training accuracy at its end",
        "below",
        TRAINED,
    ),
    "D5.shallow": SeedCriterion(
        "D5",
        "the shallowest does",
        "training accuracy at its end",
        "above",
        TRAINED,
    ),
    "D5.deep_skips": SeedCriterion(
        "D5",
        "the deepest does where layers add their inputs",
        "training accuracy at its end",
        "above",
        TRAINED,
    ),
}


def law(activation: str, batch: int) -> float:
    """By how much the squared gradient grows a layer, at large batches with ReLU."""
    return RELU_LAW if activation == "relu" else (batch - 2) / (batch - 3)


def growth(rows: pd.DataFrame) -> float:
    """The growth a layer, geometric mean, of one network's rows; the first layer is left out."""
    later = rows[rows["layer"] > 1].set_index("layer")
    squares = later["squared_gradient"].sort_index(kind="stable")
    return float((squares.iloc[0] / squares.iloc[-1]) ** (1 / (len(squares) - 1)))


def _measures(found: Tables) -> Measures:
    gradients, trained = found["gradients"], found["trained"]
    normalized = gradients[gradients["network"] == BN]
    linear = normalized[(normalized["activation"] == "linear") & (normalized["batch"] >= 8)]
    relu = normalized[normalized["activation"] == "relu"]
    controls = gradients[
        (gradients["activation"] == "relu") & (gradients["batch"] == CONTROL_BATCH)
    ]
    deepest = trained[trained["depth"] == trained["depth"].max()]
    plain = trained[trained["network"] == BN]
    return {
        "D5.linear": (linear, _distance_from_law),
        "D5.relu": (relu[relu["batch"] == RELU_BATCH], _distance_from_law),
        "D5.skips": (controls, _growth_spared),
        "D5.deep": (deepest[deepest["network"] == BN], _accuracy),
        "D5.shallow": (plain[plain["depth"] == plain["depth"].min()], _accuracy),
        "D5.deep_skips": (deepest[deepest["network"] == SKIPS], _accuracy),
    }


def _accuracy(rows: pd.DataFrame) -> float:
    return float(rows["accuracy"].iloc[0])


def _distance_from_law(rows: pd.DataFrame) -> float:
    activation = str(rows["activation"].iloc[0])
    sizes = [int(size) for size in rows["batch"].unique()]
    return max(
        abs(growth(rows[rows["batch"] == size]) / law(activation, size) - 1) for size in sizes
    )


def _growth_spared(rows: pd.DataFrame) -> float:
    totals = {
        network: growth(own) ** (own["layer"].max() - 2) for network, own in rows.groupby("network")
    }
    return totals[BN] / totals[SKIPS]


JUDGED = ComputedClaims(STUDY, ("gradients", "trained"), CRITERIA, _measures)
