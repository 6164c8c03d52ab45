"""F2: cells of depth by initial scale, by criteria that were committed before their runs.

The bounds are those of the laboratory's specification. On three seeds they give hints, no verdicts.
Those on uniform and orthogonal kernels are ours: the specification asks for the
networks without saying what is expected. That the distribution does not matter is what the laws on
expected lengths say (He et al. 2015, Glorot and Bengio 2010); that orthogonal kernels help deep
networks near the identity, Saxe et al. 2013 (arXiv 1312.6120).
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measure, Measures, Tables
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "depth_by_scale"
TABLES = ("cells", "distributions", "setting")
ACTIVATIONS = {"tanh": "tanh", "relu": "ReLU"}
# A network with this training accuracy trains.
TRAINED = 0.9
_DEEP, _SHALLOW = 16, 4

CRITERIA = {
    **{
        f"F2.cells_{activation}": SeedCriterion(
            "F2",
            f"more depths and scales train with batch normalization, {name}",
            f"cells above {100 * TRAINED:g} % training accuracy, with over without",
            "above",
            1.5,
        )
        for activation, name in ACTIVATIONS.items()
    },
    "F2.msra": SeedCriterion(
        "F2",
        f"from {_DEEP} layers on plain ReLU trains only around c = sqrt(2)",
        "largest factor between sqrt(2) and a c that trains without batch normalization",
        "below",
        2.001,
    ),
    **{
        f"F2.spread_{activation}": SeedCriterion(
            "F2",
            f"with batch normalization the scale matters less, {name}",
            f"spread of the accuracy over c at depth {_SHALLOW}, with minus without",
            "below",
            0,
        )
        for activation, name in ACTIVATIONS.items()
    },
    "F2.uniform": SeedCriterion(
        "F2",
        "uniform weights of the same variance train where normal ones do",
        f"share of cells above {100 * TRAINED:g} % with one of both alone",
        "below",
        0.1,
    ),
    "F2.orthogonal": SeedCriterion(
        "F2",
        f"orthogonal weights train a plain tanh network of {_DEEP} layers better than normal ones",
        "training accuracy at the best c, orthogonal minus normal",
        "above",
        0,
    ),
}


def by_distribution(found: Tables) -> pd.DataFrame:
    """The cells of all distributions, at the depths that all have; what diverged has accuracy 0."""
    others = found["distributions"]
    normal = found["cells"][found["cells"]["depth"].isin(others["depth"])]
    both = pd.concat([normal.assign(distribution="normal"), others], ignore_index=True)
    return both.fillna({"accuracy": 0})


def _distribution_measures(found: Tables) -> dict[str, tuple[pd.DataFrame, Measure]]:
    cells = by_distribution(found)
    deep = (cells["depth"] == _DEEP) & (cells["activation"] == "tanh")
    return {
        "F2.uniform": (cells, _share_of_one_alone),
        "F2.orthogonal": (cells[deep & (cells["network"] == "plain")], _gain_of_orthogonal),
    }


def _share_of_one_alone(rows: pd.DataFrame) -> float:
    trained = rows.assign(trained=rows["accuracy"] > TRAINED).pivot(
        index=["activation", "network", "depth", "scale"], columns="distribution", values="trained"
    )
    return float((trained["normal"] != trained["uniform"]).mean())


def _gain_of_orthogonal(rows: pd.DataFrame) -> float:
    best = rows.groupby("distribution")["accuracy"].max()
    return float(best["orthogonal"] - best["normal"])


def _measures(found: Tables) -> Measures:
    cells = found["cells"].fillna({"accuracy": 0})
    relu = cells[(cells["activation"] == "relu") & (cells["network"] == "plain")]
    measures: dict[str, tuple[pd.DataFrame, Measure]] = {
        "F2.msra": (relu[relu["depth"] >= _DEEP], _distance_from_msra)
    }
    for activation in ACTIVATIONS:
        rows = cells[cells["activation"] == activation]
        measures[f"F2.cells_{activation}"] = (rows, _ratio_of_cells)
        shallow = rows[rows["depth"] == _SHALLOW]
        measures[f"F2.spread_{activation}"] = (shallow, _difference_of_spreads)
    return measures | _distribution_measures(found)


def _ratio_of_cells(rows: pd.DataFrame) -> float:
    """Infinite where no plain network trains."""
    trained = (rows["accuracy"] > TRAINED).groupby(rows["network"]).sum()
    if not trained["plain"]:
        return float("inf") if trained["batch normalization"] else float("nan")
    return float(trained["batch normalization"] / trained["plain"])


def _distance_from_msra(rows: pd.DataFrame) -> float:
    """1 where none trains: then none is far away."""
    scales = rows[rows["accuracy"] > TRAINED]["scale"].to_numpy()
    factors = np.exp(np.abs(np.log(scales / np.sqrt(2))))
    return float(factors.max(initial=1))


def _difference_of_spreads(rows: pd.DataFrame) -> float:
    by_network = rows.groupby("network")["accuracy"]
    spread = by_network.max() - by_network.min()
    return float(spread["batch normalization"] - spread["plain"])


JUDGED = ComputedClaims(
    STUDY,
    TABLES,
    CRITERIA,
    _measures,
    in_points=("F2.orthogonal", *(f"F2.spread_{name}" for name in ACTIVATIONS)),
)
