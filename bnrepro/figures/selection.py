"""The records that an exhibit is made of, and which are missing."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bnrepro import statistics, study
from bnrepro.config import ConfigError
from bnrepro.figures.style import LINES
from bnrepro.record import load_curves, load_runs

_DEFAULT_RESULTS = "results"


@dataclass(frozen=True)
class Selection:
    """The finished runs of a study and their curves, those of diverged runs carried on.

    `runs` is a frame of `statistics.judged`. `missing` says which runs are not there and which
    command makes them, in one line that is empty where all are.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    missing: str
    command: str

    @property
    def num_classes(self) -> int:
        """Of the data set that the runs have in common."""
        return int(self.runs["data.num_classes"].iloc[0])

    @property
    def labels(self) -> list[str]:
        """The experiments of which there are runs, in the order in which they are drawn."""
        order = list(LINES)
        there = set(self.runs["label"])
        return [*filter(there.__contains__, order), *sorted(there.difference(order))]

    def num_seeds(self, label: str) -> int:
        """Of how many seeds of the experiment there are runs."""
        return int((self.runs["label"] == label).sum())


def select(name: str, results_dir: str, overrides: tuple[str, ...] = ()) -> Selection:
    """The runs of the study `name` that are below `results_dir`.

    Raises:
        ConfigError: if the study or an override is refused, or none of its runs is there.
        RecordError: if a record cannot be read.
    """
    planned = study.planned_runs(name, overrides)
    place = [] if Path(results_dir) == Path(_DEFAULT_RESULTS) else [f"results_dir={results_dir}"]
    command = study.command(name, [*overrides, *place])
    runs = load_runs(results_dir)
    if not runs.empty:
        wanted = {(run.name, run.seed) for run in planned}
        found = zip(runs["name"], runs["seed"], strict=True)
        runs = statistics.judged(runs[[key in wanted for key in found]]).reset_index(drop=True)
    if runs.empty:
        raise ConfigError(
            f"study={name}: none of its {len(planned)} runs is below {results_dir}; "
            f"make them with: {command}"
        )
    there = set(zip(runs["name"], runs["seed"], strict=True))
    absent = [run for run in planned if (run.name, run.seed) not in there]
    curves = load_curves(results_dir).merge(runs[["name", "seed"]])
    return Selection(
        runs=runs,
        curves=statistics.extend_diverged(curves, runs),
        missing=_missing_line(name, absent, len(planned), command),
        command=study.command(name, overrides),
    )


def select_optional(
    name: str, results_dir: str, overrides: tuple[str, ...] = ()
) -> tuple[Selection | None, str]:
    """The runs of a study that its reader can do without, and the line about what is missing.

    None where none of its runs is there; the line is empty where all are.

    Raises:
        RecordError: if a record cannot be read.
    """
    try:
        chosen = select(name, results_dir, overrides)
    except ConfigError as error:
        return None, str(error)
    return chosen, chosen.missing


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
