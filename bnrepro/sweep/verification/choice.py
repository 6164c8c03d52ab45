"""Which runs are trained again: of each study, or name, the one that took the least time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bnrepro import tables
from bnrepro.config import ConfigError, study
from bnrepro.config.overrides import choices_of
from bnrepro.records import study_records
from bnrepro.records.record import FINISHED, RunRecord, read_record


@dataclass(frozen=True)
class Candidate:
    """A finished run with the records of all finished seeds of its name; `study` may be empty."""

    study: str
    record: RunRecord
    seeds: tuple[RunRecord, ...]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.record.seconds.get("total", 0.0)


def of_names(runs: pd.DataFrame, names: Sequence[str]) -> list[Candidate]:
    """One of each name that a pattern matches.

    Raises:
        ConfigError: if a pattern matches no run, or none that has finished.
    """
    chosen = tables.select(runs, names)
    finished = chosen[chosen["status"].isin(FINISHED)]
    if finished.empty:
        raise ConfigError(f"{', '.join(names)}: none of these runs has finished")
    return [_shortest("", runs, of) for _, of in finished.groupby("name")]


def of_study(runs: pd.DataFrame, name: str, results_dir: str) -> Candidate:
    """The shortest run of a study.

    Raises:
        ConfigError: if the study is refused, or none of its runs has finished.
    """
    overrides = study.with_default_scale(name, [])
    found = study_records.find(name, runs, results_dir, overrides).runs
    return _shortest(name, runs, found[found["status"].isin(FINISHED)])


def of_all_studies(runs: pd.DataFrame, results_dir: str) -> list[Candidate]:
    """One of every study of which there are finished runs."""
    found = []
    for name in choices_of("study"):
        try:
            found.append(of_study(runs, name, results_dir))
        except ConfigError:
            continue
    return found


def _shortest(name: str, runs: pd.DataFrame, chosen: pd.DataFrame) -> Candidate:
    first = chosen.sort_values(["seconds.total", "name", "seed"]).iloc[0]
    same = runs[(runs["name"] == first["name"]) & runs["status"].isin(FINISHED)]
    seeds = tuple(read_record(Path(directory)) for directory in same["directory"])
    return Candidate(name, next(one for one in seeds if one.seed == first["seed"]), seeds)
