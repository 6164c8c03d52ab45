"""The records that there are of a study's runs, and which are missing."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from bnrepro import study
from bnrepro.config import ConfigError
from bnrepro.record import FINISHED


@dataclass(frozen=True)
class StudyRecords:
    """The rows of a frame of `record.load_runs` that belong to a study, whatever their status.

    `missing` says which runs have not finished and which command makes them, in one line that is
    empty where all have; `command` makes them in the usual folder.
    """

    runs: pd.DataFrame
    missing: str
    command: str


def find(
    name: str, runs: pd.DataFrame, results_dir: str, overrides: Iterable[str] = ()
) -> StudyRecords:
    """Of `runs`, which were read from `results_dir`, those of the study `name`.

    Raises:
        ConfigError: if the study or an override is refused, or none of its runs has finished.
    """
    chosen = list(overrides)
    planned = study.planned_runs(name, chosen)
    command = study.command(name, chosen, results_dir)
    wanted = {(run.name, run.seed) for run in planned}
    own = runs[[key in wanted for key in _keys(runs)]]
    finished = set(_keys(own[own["status"].isin(FINISHED)])) if len(own) else set()
    if not finished:
        raise ConfigError(
            f"study={name}: none of its {len(planned)} runs is below {results_dir}; "
            f"make them with: {command}"
        )
    absent = [run for run in planned if (run.name, run.seed) not in finished]
    missing = _missing_line(name, absent, len(planned), command)
    return StudyRecords(own, missing, study.command(name, chosen))


def _keys(runs: pd.DataFrame) -> list[tuple[str, int]]:
    """Name and seed of each run; a frame of no runs has no columns."""
    return list(zip(runs["name"], runs["seed"], strict=True)) if len(runs) else []


def _missing_line(name: str, absent: list[study.PlannedRun], planned: int, command: str) -> str:
    if not absent:
        return ""
    seeds: dict[str, list[str]] = {}
    for run in absent:
        seeds.setdefault(run.name, []).append(str(run.seed))
    each = "; ".join(f"{run} seed {', '.join(of)}" for run, of in seeds.items())
    return (
        f"study={name}: {len(absent)} of {planned} runs are missing ({each}); "
        f"make them with: {command}"
    )
