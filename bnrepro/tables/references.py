"""With which run each experiment is compared: the default one is otherwise equal but unnormalized.

Paper: figure 3 compares all networks with Inception, whatever their lengths, so an experiment of
ours that has a scale is compared with `inception` at that scale where there is one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bnrepro.config import (
    MEASURES,
    NOT_IDENTITY,
    ConfigError,
    absent_values,
    did_you_mean,
    first_few,
)

INCEPTION = "inception"
# What normalization brings with it, and what changes nothing that is computed.
OPTIONS = ("group_size", "batch_normalization")
_OF_NORMALIZATION = (
    "placement", "normalization", *OPTIONS, "learning_rate_multiplier", "accelerate",
)  # fmt: skip
_OF_WATCHING = ("save_predictions", "snapshots", "measures", *MEASURES)

Run = Mapping[Any, Any]


def references(results: pd.DataFrame) -> dict[str, str]:
    """The reference of each experiment (by `label`) that has one; its own for a reference.

    A run with which no other one is compared is no reference.
    """
    firsts = results.drop_duplicates("label").to_dict("records")
    each = {str(run["label"]): _reference(run, firsts) for run in firsts}
    found = {label: reference for label, reference in each.items() if reference is not None}
    used = {reference for label, reference in found.items() if reference != label}
    return {label: reference for label, reference in found.items() if reference in used}


def named_reference(results: pd.DataFrame, name: str) -> str | None:
    """The label of the experiment or run that is called so, None if there is none."""
    is_called = [results[key] == name for key in ("label", "name", "experiment")]
    matching = results["label"][is_called[0] | is_called[1] | is_called[2]].unique()
    if len(matching) > 1:
        raise ConfigError(
            f"reference {name}: expected one run, and these are called so: {first_few(matching)}"
        )
    return str(matching[0]) if len(matching) else None


def no_such_reference(results: pd.DataFrame, name: str) -> ConfigError:
    """The error for a reference that is in no table."""
    known = sorted(results["label"].unique())
    return ConfigError(
        f"reference {name}: no completed run of that name; expected one of {first_few(known)}"
        f"{did_you_mean(name, known)}"
    )


def is_plain(run: Run) -> bool:
    """Whether a run is what `bn=none` makes: neither normalization nor what comes with it."""
    return (
        run["config.placement"] == "none"
        and run["config.learning_rate_multiplier"] == 1
        and not run["config.accelerate"]
    )


def _reference(run: Run, firsts: Sequence[Run]) -> str | None:
    if isinstance(run["experiment"], str) and isinstance(run["scale"], str):
        for other in firsts:
            if other["experiment"] == INCEPTION and other["scale"] == run["scale"]:
                return str(other["label"])
    equal = _otherwise_equal(run)
    unnormalized = [
        other
        for other in firsts
        if other["config.placement"] == "none" and _otherwise_equal(other) == equal
    ]
    same_recipe = [other for other in unnormalized if _recipe(other) == _recipe(run)]
    for other in [*filter(is_plain, unnormalized), *same_recipe]:
        return str(other["label"])
    return None


def _recipe(run: Run) -> tuple[Any, Any]:
    return run["config.learning_rate_multiplier"], run["config.accelerate"]


def _otherwise_equal(run: Run) -> dict[str, Any]:
    """The keys that two runs must share, but for normalization and what it makes possible."""
    config = {
        key: run[column]
        for column in run
        if (key := column.removeprefix("config.")) != column
        and key not in NOT_IDENTITY
        and key.partition(".")[0] not in (*_OF_NORMALIZATION, *_OF_WATCHING)
    }
    absent = absent_values()
    return {
        key: absent.get(key) if isinstance(value, float) and math.isnan(value) else value
        for key, value in config.items()
    }
