"""The runs that a study or a grid plans, and the command that makes them."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from bnrepro.config import ConfigError, did_you_mean, first_few, to_flat, validate
from bnrepro.config.composition import Composition, compose
from bnrepro.config.overrides import Given, Override, choices_of, expand, read_all
from bnrepro.config.study_file import Study, load

__all__ = [
    "DEFAULT_SCALE",
    "PlannedRun",
    "command",
    "load",
    "plan",
    "planned_runs",
    "with_default_scale",
]

# At which scale records are shown where none is named: that of the published ones.
DEFAULT_SCALE = "cpu"
_DEFAULT_RESULTS = "results"


@dataclass(frozen=True)
class PlannedRun:
    """A run that a study or a grid asks for; it may be done already."""

    overrides: tuple[Override, ...]
    composition: Composition

    @property
    def name(self) -> str:
        """The name under which its record stands."""
        return self.composition.name

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.composition.config.seed

    @property
    def experiment(self) -> str | None:
        """The experiment that it is, where nothing else was changed."""
        return self.composition.experiment

    @property
    def directory(self) -> Path:
        """Where its record lies, or will."""
        return self.composition.directory

    @property
    def label(self) -> str:
        """The run in words, for messages."""
        return f"{self.name} seed {self.seed}"


def planned_runs(name: str, extra_overrides: Iterable[Given] = ()) -> list[PlannedRun]:
    """The runs of a study; `extra_overrides` apply to all of them and may hold grids.

    Raises:
        ConfigError: if the study, an override or one of the runs is refused.
    """
    study = load(name)
    given = study.at_scale(read_all(extra_overrides))
    for group in study.required:
        if group not in [override.key for override in given]:
            raise ConfigError(
                f"study={name} leaves {group} open: add {group}=CHOICE, one of "
                f"{', '.join(choices_of(group))}"
            )
    planned = []
    for entry in study.runs:
        seeds = Override("seed", tuple(entry.seeds))
        planned += plan([*study.overrides, *entry.overrides, seeds, *given])
    planned = _unique(planned)
    _check_names(name, study, planned)
    if not given:
        _check_criteria(name, study, planned)
    if not any(len(override.values) > 1 for override in given):
        _check_varying(name, study, planned)
    return planned


def with_default_scale(name: str, extra_overrides: Iterable[Given]) -> list[Override]:
    """The overrides, with `DEFAULT_SCALE` where the study leaves the scale to them and they to it.

    Raises:
        ConfigError: if the study or an override is refused.
    """
    given = read_all(extra_overrides)
    is_open = "scale" in load(name).required and "scale" not in [one.key for one in given]
    return [*given, Override("scale", (DEFAULT_SCALE,))] if is_open else given


def plan(overrides: Iterable[Given]) -> list[PlannedRun]:
    """The runs of a grid (`["bn=none,x1", "seed=range(0,2)"]` are four), each once.

    Raises:
        ConfigError: if an override or one of the runs is refused.
    """
    runs = expand(read_all(overrides))
    return _unique([PlannedRun(tuple(run), _composition(run)) for run in runs])


def command(
    name: str, extra_overrides: Iterable[Given] = (), results_dir: str = _DEFAULT_RESULTS
) -> str:
    """The command line that makes the missing runs of a study below `results_dir`."""
    place = [] if Path(results_dir) == Path(_DEFAULT_RESULTS) else [f"results_dir={results_dir}"]
    return shlex.join(["bnrepro", "sweep", f"study={name}", *map(str, extra_overrides), *place])


def _composition(run: list[Override]) -> Composition:
    """Compose; runs that differ in nothing but the seed are composed once."""
    composition = _compose_once(tuple(override for override in run if override.key != "seed"))
    seeds = [override.values[0] for override in run if override.key == "seed"]
    config = replace(composition.config, seed=seeds[0]) if seeds else composition.config
    validate(config)
    return replace(composition, config=config)


@cache
def _compose_once(run: tuple[Override, ...]) -> Composition:
    return compose(run)


def _unique(planned: list[PlannedRun]) -> list[PlannedRun]:
    first: dict[Path, PlannedRun] = {}
    for run in planned:
        first.setdefault(run.directory, run)
    return list(first.values())


def _check_names(name: str, study: Study, planned: list[PlannedRun]) -> None:
    known = list(to_flat(planned[0].composition.config))
    for parameter in (*(study.scientific or ()), *study.nuisance, *study.fixed):
        if not any(belongs(key, [parameter]) for key in known):
            raise ConfigError(
                f"study={name} names the parameter '{parameter}': expected a key of a run's "
                f"config{did_you_mean(parameter, known)}"
            )


def _check_criteria(name: str, study: Study, planned: list[PlannedRun]) -> None:
    """Every criterion names runs of the study, whose names further overrides would change."""
    names = sorted({called for run in planned for called in (run.name, run.experiment) if called})
    for criterion in study.criteria:
        for key, pattern in (("of", criterion.of), ("against", criterion.against)):
            if not any(fnmatchcase(called, pattern) for called in names):
                raise ConfigError(
                    f"study={name}: criteria: {key}: {pattern}: none of its runs is called so; "
                    f"expected one of {first_few(names)}{did_you_mean(pattern, names)}"
                )


def _check_varying(name: str, study: Study, planned: list[PlannedRun]) -> None:
    """What varies is what the study says varies, where it says so."""
    if study.scientific is None:
        return
    first, *others = [to_flat(run.composition.config) for run in planned]
    for key in first:
        varies = any(other[key] != first[key] for other in others)
        if varies and not belongs(key, ["seed", *study.scientific, *study.nuisance]):
            raise ConfigError(
                f"study={name} varies {key}: expected it among its scientific or nuisance "
                "parameters; name it there, or give all runs the same value"
            )


def belongs(key: str, parameters: Iterable[str]) -> bool:
    """Whether a key is one of the parameters, or one of their own: `data.name` of `data`."""
    return any(key == name or key.startswith(f"{name}.") for name in parameters)
