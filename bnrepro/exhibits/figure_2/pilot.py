"""What the pilot of figure 2 in the paper's proportions decides, by the rules of its plan."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bnrepro.config import ConfigError
from bnrepro.exhibits.figure_2.proportional import (
    SLOPE_SHARE_OF_STEPS,
    TARGET_SHARE_OF_STEPS,
    TRAINS_SHARE,
)

# The base rate, and the one that takes its place where BN-x30 does not train at thirty times it.
BASE_RATES = (0.02, 0.015)


@dataclass(frozen=True)
class Regime:
    """The pilot with one number of training images, `train_examples`.

    Each tuple has one value per seed; accuracies are fractions, the slope is per step.
    """

    train_examples: int
    slopes: tuple[float, ...]
    target_accuracies: tuple[float, ...]
    inception_ends: tuple[float, ...]
    bn_x30_ends: tuple[float, ...]

    @property
    def slope(self) -> float:
        """How much the accuracy of Inception rises per step at its end: the mean over seeds."""
        return float(np.mean(self.slopes))

    @property
    def base_rate(self) -> float:
        """The base rate of the final runs."""
        pairs = zip(self.bn_x30_ends, self.inception_ends, strict=True)
        trains = all(own >= TRAINS_SHARE * inception for own, inception in pairs)
        return BASE_RATES[0] if trains else BASE_RATES[1]

    @property
    def target(self) -> float:
        """The primary target of the final runs, a whole percent as a fraction."""
        return round(100 * float(np.mean(self.target_accuracies))) / 100


def regimes(runs: pd.DataFrame, curves: pd.DataFrame) -> list[Regime]:
    """The pilot's regimes, the one that the rule takes first.

    `runs` and `curves` are frames of `load_runs` and `load_curves`, of the runs of `study=pilot`.

    Raises:
        ConfigError: if a seed has only one of its two networks.
    """
    numbers = [int(number) for number in runs["data.num_train"].unique()]
    found = [_regime(number, runs[runs["data.num_train"] == number], curves) for number in numbers]
    return sorted(found, key=lambda regime: regime.slope)


def _regime(train_examples: int, runs: pd.DataFrame, curves: pd.DataFrame) -> Regime:
    own = curves.merge(runs[["name", "seed", "config.placement"]])
    plain, normalized = (
        [curve for _, curve in own[own["config.placement"] == placement].groupby("seed")]
        for placement in ("none", "before")
    )
    if not plain or len(plain) != len(normalized):
        raise ConfigError(
            f"the pilot with {train_examples:,} training images has {len(plain)} runs of Inception "
            f"and {len(normalized)} of BN-x30: expected as many of each; "
            "make them with: bnrepro sweep study=pilot"
        )
    return Regime(
        train_examples,
        slopes=tuple(map(_final_slope, plain)),
        target_accuracies=tuple(map(_accuracy_at_share, plain)),
        inception_ends=tuple(map(_end, plain)),
        bn_x30_ends=tuple(map(_end, normalized)),
    )


def _final_slope(curve: pd.DataFrame) -> float:
    last = curve[curve["step"] >= (1 - SLOPE_SHARE_OF_STEPS) * curve["step"].max()]
    return float(np.polyfit(last["step"], last["evaluation_accuracy"], 1)[0])


def _accuracy_at_share(curve: pd.DataFrame) -> float:
    step = TARGET_SHARE_OF_STEPS * curve["step"].max()
    return float(np.interp(step, curve["step"], curve["evaluation_accuracy"]))


def _end(curve: pd.DataFrame) -> float:
    return float(curve["evaluation_accuracy"].iloc[-1])
