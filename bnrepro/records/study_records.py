"""The records that there are of a study's runs, where they lie, and which are missing."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bnrepro.config import ConfigError, first_few, study
from bnrepro.config.composition import run_directory
from bnrepro.config.overrides import Given
from bnrepro.records.loading import find_runs, read_run
from bnrepro.records.record import FINISHED, PUBLISHED, RESULTS, RecordError


@dataclass(frozen=True)
class StudyRecords:
    """The rows of a frame of `loading.load_runs` that belong to a study, whatever their status.

    `missing` says which runs have not finished and which command makes them, in one line that is
    empty where all have; `command` makes them in the usual folder.
    """

    runs: pd.DataFrame
    missing: str
    command: str


def find(
    name: str, runs: pd.DataFrame, results_dir: str, overrides: Iterable[Given] = ()
) -> StudyRecords:
    """The records of the study `name` among `runs`, which were read from `results_dir`.

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
    missing = _missing_line(name, absent, len(planned), _begun(own), command)
    return StudyRecords(own, missing, study.command(name, chosen))


def folder_to_read(studies: Sequence[tuple[str, Sequence[Given]]]) -> str:
    """The folder whose records of studies (name, overrides) are read where none is named.

    `RESULTS` if it holds a finished run of one of them, else `PUBLISHED`; which, and why, is said
    in one line on standard error.

    Raises:
        ConfigError: if a study is refused, or there is no folder of published records.
    """
    for name, overrides in studies:
        if _has_finished(name, overrides, RESULTS):
            print(f"reading {RESULTS}, which has runs of study={name}", file=sys.stderr)
            return RESULTS
    names = first_few(dict.fromkeys(f"study={name}" for name, _ in studies))
    absent = f"no finished run of {names} is below {RESULTS}"
    if not (Path(PUBLISHED) / "runs").is_dir():
        name, overrides = studies[0]
        raise ConfigError(
            f"{absent}, and {PUBLISHED} is not here: it comes with a clone of the project; train "
            f"with: {study.command(name, overrides)}, or name a folder with results_dir=FOLDER"
        )
    print(f"reading {PUBLISHED}: {absent}", file=sys.stderr)
    return PUBLISHED


def _has_finished(name: str, overrides: Sequence[Given], results_dir: str) -> bool:
    # Most folders answer without the seconds that it takes to plan a study.
    there = {(path.parent.name, path.name) for path in find_runs(results_dir)}
    return bool(there) and any(
        _is_finished(run_directory(results_dir, run.name, run.seed))
        for run in study.planned_runs(name, overrides)
        if (run.name, f"seed_{run.seed}") in there
    )


def _is_finished(directory: Path) -> bool:
    try:
        return read_run(directory).record.status in FINISHED
    except RecordError:  # whoever reads the folder names it
        return False


def _keys(runs: pd.DataFrame) -> list[tuple[str, int]]:
    """Name and seed of each run; a frame of no runs has no columns."""
    return list(zip(runs["name"], runs["seed"], strict=True)) if len(runs) else []


def _begun(own: pd.DataFrame) -> str:
    """Which of the runs that are missing stand at which step."""
    begun = own[own["status"].isin(["running", "interrupted"])].to_dict("records")
    each = [
        f"{run['name']} seed {run['seed']} {run['status']} at step {run['train_steps']:,}"
        for run in begun
    ]
    return f"begun: {first_few(each)}; " if each else ""


def _missing_line(
    name: str, absent: list[study.PlannedRun], planned: int, begun: str, command: str
) -> str:
    if not absent:
        return ""
    seeds: dict[str, list[str]] = {}
    for run in absent:
        seeds.setdefault(run.name, []).append(str(run.seed))
    each = first_few((f"{run} seed {first_few(of)}" for run, of in seeds.items()), "; ")
    return (
        f"study={name}: {len(absent)} of {planned} runs are missing ({each}); "
        f"{begun}make them with: {command}"
    )
