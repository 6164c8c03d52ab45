"""The errors of figure 4's networks and of their mean, from the predictions that they left."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import percent
from bnrepro.records import predictions
from bnrepro.records.predictions import ErrorRow


def completed(chosen: Selection) -> pd.DataFrame:
    """The runs that did not diverge, by seed."""
    runs = chosen.runs
    return runs[runs["status"] == "completed"].sort_values("seed", kind="stable")


def error_rows(trained: pd.DataFrame) -> list[ErrorRow]:
    """Each network's errors, then their mean, then those of the ensemble.

    Raises:
        ConfigError: if fewer than two networks are there, or they were not scored on the same.
        RecordError: if predictions cannot be read.
    """
    names = {Path(run["directory"]): _variation(run) for run in trained.to_dict("records")}
    members = predictions.read(*names)
    return predictions.error_rows(members, [names[member.directory] for member in members])


def plain_rows(trained: pd.DataFrame) -> list[ErrorRow]:
    """As `error_rows`, of networks that differ in their seed alone; none where there is only one.

    Raises:
        ConfigError: if they were not scored on the same images.
        RecordError: if predictions cannot be read.
    """
    if len(trained) < 2:
        return []
    names = [f"BN-x30, seed {seed}" for seed in trained["seed"]]
    return predictions.error_rows(predictions.read(*map(Path, trained["directory"])), names)


def _variation(run: Mapping[Hashable, Any]) -> str:
    """The ways of section 4.2.3 in which a network differs from BN-x30, in words."""
    ways = []
    if run["config.initializer.convolution_gain"] != 1:
        ways.append(f"initial weights x{run['config.initializer.convolution_gain']:g}")
    if "dropout" not in run["config.accelerate"]:
        ways.append(f"dropout {percent(run['config.dropout'], 0)}")
    if run["config.batch_normalization.statistics"] != "per_feature_map":
        ways.append("BN per activation")
    return ", ".join(ways) or "BN-x30"
