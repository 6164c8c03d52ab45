"""What one process trains: a run, or the seeds of one config side by side."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from bnrepro.config.composition import compose
from bnrepro.config.overrides import Override
from bnrepro.config.study import PlannedRun
from bnrepro.sweep.outcome import LOG


@dataclass(frozen=True)
class Job:
    """Runs that one process trains; several differ only in seeds that follow one another."""

    runs: tuple[PlannedRun, ...]

    @property
    def overrides(self) -> list[Override]:
        """What its command line sets."""
        alone = list(self.runs[0].overrides)
        together = Override("replicas", (len(self.runs),))
        return alone if len(self.runs) == 1 else [*alone, together]

    @property
    def log(self) -> Path:
        """Where its output goes: to the first of its runs."""
        return self.runs[0].directory / LOG

    def point_to_log(self) -> None:
        """Say in the logs of the other runs where their output goes."""
        for run in self.runs[1:]:
            with (run.directory / LOG).open("a") as log:
                log.write(f"trained beside seed {self.runs[0].seed}: see its {LOG}\n")


def jobs_of(planned: Iterable[PlannedRun], *, replicas: bool) -> list[Job]:
    """A job a run or, with `replicas`, a job for each row of seeds.

    Raises:
        ConfigError: if runs cannot be replicas of one program.
    """
    if not replicas:
        return [Job((run,)) for run in planned]
    jobs = []
    for _, runs in groupby(sorted(planned, key=_place), key=lambda run: run.directory.parent):
        # The difference between seed and position is the same all along a row.
        rows = groupby(enumerate(runs), key=lambda pair: pair[1].seed - pair[0])
        jobs += [Job(tuple(run for _, run in row)) for _, row in rows]
    for job in jobs:
        compose(job.overrides)
    return jobs


def _place(run: PlannedRun) -> tuple[Path, int]:
    return run.directory.parent, run.seed
