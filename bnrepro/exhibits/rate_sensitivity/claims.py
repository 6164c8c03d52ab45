"""F1: the windows of good rates, by criteria that were committed before the runs that they judge.

The bounds are those of the laboratory's specification. A window that the grid cuts off is wider
than it is counted: with batch normalization a criterion on its gain then asks for more than it
says, without batch normalization for less; the figure's table says which are cut.
"""

from functools import partial

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measure, Measures, Tables
from bnrepro.exhibits.rate_sensitivity.widths import widths
from bnrepro.verdicts.criteria import SeedCriterion

STUDY = "rate_sensitivity"
TABLES = ("rates", "setting")
ACTIVATIONS = {"sigmoid": "sigmoid", "relu": "ReLU"}
OPTIMIZERS = {
    "sgd": "SGD",
    "momentum": "momentum",
    "nesterov": "Nesterov",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adam": "Adam",
}
_WIDENED = ("sgd", "momentum")
# On six seeds; the others are beside them on three.
_JUDGED = (*_WIDENED, "adam")

CRITERIA = {
    **{
        f"F1.width_{optimizer}_{activation}": SeedCriterion(
            "F1",
            f"it widens the window of {OPTIMIZERS[optimizer]}'s good rates, {name}",
            "width with batch normalization minus width without, in decades",
            "above",
            0.5,
        )
        for activation, name in ACTIVATIONS.items()
        for optimizer in _WIDENED
    },
    **{
        f"F1.best_{activation}": SeedCriterion(
            "F1",
            f"at their best rates SGD, momentum and Adam lose nothing by it, {name}",
            "best accuracy with batch normalization minus best without, smallest of the three",
            "above",
            -0.002,
        )
        for activation, name in ACTIVATIONS.items()
    },
    **{
        f"F1.adam_{activation}": SeedCriterion(
            "F1",
            f"Adam's window gains less than SGD's, {name}",
            "gain of SGD's width minus gain of Adam's, in decades",
            "above",
            0,
        )
        for activation, name in ACTIVATIONS.items()
    },
}


def _measures(found: Tables) -> Measures:
    all_widths = widths(found["rates"])
    measures: dict[str, tuple[pd.DataFrame, Measure]] = {}
    for activation in ACTIVATIONS:
        rows = all_widths[
            (all_widths["activation"] == activation) & all_widths["optimizer"].isin(_JUDGED)
        ]
        for optimizer in _WIDENED:
            key = f"F1.width_{optimizer}_{activation}"
            measures[key] = (rows, partial(_gain, optimizer=optimizer))
        measures[f"F1.best_{activation}"] = (rows, _least_gain)
        measures[f"F1.adam_{activation}"] = (rows, _sgd_over_adam)
    return measures


def _gain(rows: pd.DataFrame, optimizer: str) -> float:
    return float(_gains(rows, "width")[optimizer])


def _least_gain(rows: pd.DataFrame) -> float:
    return float(_gains(rows, "best_accuracy").min())


def _gains(rows: pd.DataFrame, column: str) -> pd.Series:
    """With batch normalization minus without, by optimizer, of one seed and activation."""
    values = rows.set_index(["optimizer", "network"])[column].unstack("network")
    return values["batch normalization"] - values["plain"]


def _sgd_over_adam(rows: pd.DataFrame) -> float:
    gains = _gains(rows, "width")
    return float(gains["sgd"] - gains["adam"])


JUDGED = ComputedClaims(
    STUDY, TABLES, CRITERIA, _measures, in_points=tuple(f"F1.best_{name}" for name in ACTIVATIONS)
)
