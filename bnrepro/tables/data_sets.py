"""Which runs stand in one table: those scored on the same images."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bnrepro.config import ConfigError
from bnrepro.records.record import FINISHED
from bnrepro.statistics import counted

_NAME, _SPLIT, _DIGEST = "data.name", "config.data.evaluation_split", "data.sha256"
_TOLD_ALREADY = (_SPLIT, "config.data.name", "config.data.root")


@dataclass(frozen=True)
class OneDataSet:
    """The runs on one data set and split.

    `results` are those that count and have a row, under a `label` that no other experiment has;
    `others` failed or were interrupted. `data` names the images, and `further` says what sets
    them apart from others of the same name and split, where there are any.
    """

    results: pd.DataFrame
    others: pd.DataFrame
    data: str
    further: str


def by_data_set(runs: pd.DataFrame) -> Iterator[OneDataSet]:
    """The runs of each data set, in the order of their names.

    Raises:
        ConfigError: if a run stands twice in the frame.
    """
    groups = [frame for _, frame in counted(runs).groupby([_NAME, _SPLIT, _DIGEST], dropna=False)]
    others = runs[~runs["status"].isin(FINISHED)]
    homes = [_home(run, groups) for run in others.to_dict("records")]
    for place, results in enumerate(groups):
        _check_once(results)
        own = others.iloc[[row for row, home in enumerate(homes) if home == place]]
        further = _further(results, _of_same_name(results, groups))
        yield OneDataSet(*_unambiguous(results, own), _data(results, further), further)


def _home(run: dict[Any, Any], groups: Sequence[pd.DataFrame]) -> int:
    """The table that names a run that failed, maybe before its data were read."""
    for place, results in enumerate(groups):
        first = results.iloc[0]
        known = isinstance(run[_DIGEST], str)
        same = all(run[key] == first[key] for key in (_NAME, _SPLIT))
        if same and (not known or run[_DIGEST] == first[_DIGEST]):
            return place
    return len(groups) - 1


def _check_once(results: pd.DataFrame) -> None:
    twice = results[results.duplicated(["name", "seed"])]
    if len(twice):
        raise ConfigError(
            f"{twice['name'].iloc[0]}: a seed stands twice in the frame; pass each run once"
        )


def _unambiguous(results: pd.DataFrame, others: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both with the run's name as label where an experiment was run at several scales."""
    names = results.groupby("label")["name"].nunique()
    several = list(names[names > 1].index)
    labelled = [
        frame.assign(label=frame["label"].where(~frame["label"].isin(several), frame["name"]))
        for frame in (results, others)
    ]
    return labelled[0], labelled[1]


def _of_same_name(results: pd.DataFrame, groups: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The other data sets of the same name and split."""
    first = results.iloc[0]
    return [
        other
        for other in groups
        if other is not results and all(other.iloc[0][key] == first[key] for key in (_NAME, _SPLIT))
    ]


def _further(results: pd.DataFrame, others: Sequence[pd.DataFrame]) -> str:
    if not others:
        return ""
    keys = [
        str(key)
        for key in results
        if str(key).startswith("config.data.") and key not in _TOLD_ALREADY
    ]
    told = {
        key: value
        for key in keys
        if (value := _common(results, key)) is not None
        and any(_common(other, key) != value for other in others)
    }
    is_unique = all(any(_common(other, key) != told[key] for key in told) for other in others)
    words = [f"{key.removeprefix('config.data.')}={value}" for key, value in told.items()]
    # Images that changed under one config: only the digest tells them apart.
    return ", ".join(words if is_unique else [f"images {str(results.iloc[0][_DIGEST])[:8]}"])


def _common(runs: pd.DataFrame, key: str) -> str | None:
    """The value that all the runs have, as it is written on a command line."""
    values = {_written(value) for value in runs[key]}
    return values.pop() if len(values) == 1 else None


def _written(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "null"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower()


def _data(results: pd.DataFrame, further: str) -> str:
    first = results.iloc[0]
    split = "" if first[_SPLIT] == "test" else f" {first[_SPLIT]}"
    return f"{first[_NAME]}{split}" + (f" {further}" if further else "")
