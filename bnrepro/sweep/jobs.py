"""What one process trains: a run, or a group of runs as one program."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bnrepro.config import RunConfig, group, to_flat
from bnrepro.config.overrides import Override
from bnrepro.config.study import PlannedRun
from bnrepro.sweep.outcome import LOG


@dataclass(frozen=True)
class Job:
    """Runs that one process trains; several differ only in numbers (`config.group`)."""

    runs: tuple[PlannedRun, ...]

    @property
    def flags(self) -> list[str]:
        """What its command line begins with."""
        return ["--group"] if len(self.runs) > 1 else []

    @property
    def overrides(self) -> list[Override]:
        """What its command line sets."""
        numbers = self._numbers()
        same = [each for each in self.runs[0].overrides if each.key not in numbers]
        return [*same, *(Override(key, values) for key, values in numbers.items())]

    def _numbers(self) -> dict[str, tuple[float, ...]]:
        """In what its runs differ: a value for each."""
        configs = [to_flat(run.composition.config) for run in self.runs]
        values = {key: tuple(config[key] for config in configs) for key in group.NUMBERS}
        return {key: each for key, each in values.items() if len(set(each)) > 1}

    @property
    def log(self) -> Path:
        """Where its output goes: to the first of its runs."""
        return self.runs[0].directory / LOG

    def point_to_log(self) -> None:
        """Say in the logs of the other runs where their output goes."""
        first = self.runs[0]
        for run in self.runs[1:]:
            with (run.directory / LOG).open("a") as log:
                log.write(f"trained together with {first.label}: see its {LOG}\n")


def jobs_of(planned: Iterable[PlannedRun], *, as_one_program: bool) -> list[Job]:
    """A job a run or, with `as_one_program`, a job for all that differ only in numbers.

    Raises:
        ConfigError: if runs cannot train as one program.
    """
    if not as_one_program:
        return [Job((run,)) for run in planned]
    groups: list[tuple[RunConfig, list[PlannedRun]]] = []
    for run in planned:
        program = group.program(run.composition.config)
        for other, runs in groups:
            if other == program:
                runs.append(run)
                break
        else:
            groups.append((program, [run]))
    for _, runs in groups:
        group.check([run.composition for run in runs])
    return [Job(tuple(runs)) for _, runs in groups]
