"""A study: a question, and the runs that answer it, read from `conf/study/<name>.yaml`.

A study names its scientific parameters (those it asks about), its nuisance parameters (those that
vary so that the comparison is fair) and what it keeps fixed; its runs are checked against that.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bnrepro.config import ConfigError, did_you_mean, one_line, to_flat, validate
from bnrepro.config.composition import Composition, compose
from bnrepro.config.files import check_plain, read_file
from bnrepro.config.overrides import (
    Override,
    choices_of,
    config_directories,
    expand,
    no_such_choice,
    read_all,
)

# At which scale records are shown where none is named: that of the published ones.
DEFAULT_SCALE = "cpu"
_DEFAULT_RESULTS = "results"


@dataclass(frozen=True)
class PlannedRun:
    """A run that a study or a grid asks for; it may be done already."""

    overrides: tuple[str, ...]
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


@dataclass(frozen=True)
class Entry:
    """Overrides, which may hold grids, times seeds."""

    overrides: list[str]
    seeds: list[int]


@dataclass(frozen=True)
class Study:
    """A study file. Parameters are named as in a run's config; `data` means all of `data.*`."""

    question: str
    scientific: list[str]
    nuisance: list[str]
    fixed: list[str]
    runs: list[Entry]
    # Overrides of every run.
    overrides: list[str] = field(default_factory=list)
    # Groups whose choice the study leaves to the command line.
    required: list[str] = field(default_factory=list)


def load(name: str) -> Study:
    """Read and check `conf/study/<name>.yaml`.

    Raises:
        ConfigError: if there is none of that name, or it is not a study.
    """
    if name not in choices_of("study"):
        raise no_such_choice("study", name)
    paths = [directory / "study" / f"{name}.yaml" for directory in config_directories()]
    path = next(path for path in reversed(paths) if path.exists())
    try:
        check_plain(path)
        schema = OmegaConf.structured(Study)
        OmegaConf.set_readonly(schema, False)
        study = OmegaConf.to_object(OmegaConf.merge(schema, read_file(path).content))
    except (OmegaConfBaseException, OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not a study: {one_line(error)}") from error
    if not isinstance(study, Study) or not all(entry.seeds for entry in study.runs):
        raise ConfigError(f"{path}: not a study: expected seeds in every entry of runs")
    if not study.runs:
        raise ConfigError(f"{path}: not a study: expected at least one entry under runs")
    return study


def planned_runs(name: str, extra_overrides: Iterable[str] = ()) -> list[PlannedRun]:
    """The runs of a study; `extra_overrides` apply to all of them and may hold grids.

    Raises:
        ConfigError: if the study, an override or one of the runs is refused.
    """
    study, extra = load(name), list(extra_overrides)
    given = read_all(extra)
    for group in study.required:
        if group not in [override.key for override in given]:
            raise ConfigError(
                f"study={name} leaves {group} open: add {group}=CHOICE, one of "
                f"{', '.join(choices_of(group))}"
            )
    planned = []
    for entry in study.runs:
        seeds = "seed=" + ",".join(map(str, entry.seeds))
        planned += plan([*study.overrides, *entry.overrides, seeds, *extra])
    planned = _unique(planned)
    _check_names(name, study, planned)
    if not any(len(override.values) > 1 for override in given):
        _check_varying(name, study, planned)
    return planned


def with_default_scale(name: str, extra_overrides: Iterable[str]) -> list[str]:
    """The overrides, with `DEFAULT_SCALE` where the study leaves the scale to them and they to it.

    Raises:
        ConfigError: if the study or an override is refused.
    """
    extra = list(extra_overrides)
    given = [override.key for override in read_all(extra)]
    is_open = "scale" in load(name).required and "scale" not in given
    return [*extra, f"scale={DEFAULT_SCALE}"] if is_open else extra


def plan(words: Iterable[str]) -> list[PlannedRun]:
    """The runs of a grid (`["bn=none,x1", "seed=range(0,2)"]` are four), each once.

    Raises:
        ConfigError: if an override or one of the runs is refused.
    """
    runs = expand(read_all(words))
    return _unique(
        [PlannedRun(tuple(override.word() for override in run), _composition(run)) for run in runs]
    )


def command(
    name: str, extra_overrides: Iterable[str] = (), results_dir: str = _DEFAULT_RESULTS
) -> str:
    """The command line that makes the missing runs of a study below `results_dir`."""
    place = [] if Path(results_dir) == Path(_DEFAULT_RESULTS) else [f"results_dir={results_dir}"]
    return shlex.join(["bnrepro", "sweep", f"study={name}", *extra_overrides, *place])


def _composition(run: list[Override]) -> Composition:
    """Compose; runs that differ in nothing but the seed are composed once."""
    words = tuple(override.word() for override in run if override.key != "seed")
    composition = _compose_once(words)
    seeds = [override.values[0] for override in run if override.key == "seed"]
    config = replace(composition.config, seed=seeds[0]) if seeds else composition.config
    validate(config)
    return replace(composition, config=config)


@cache
def _compose_once(words: tuple[str, ...]) -> Composition:
    return compose(list(words))


def _unique(planned: list[PlannedRun]) -> list[PlannedRun]:
    first: dict[Path, PlannedRun] = {}
    for run in planned:
        first.setdefault(run.directory, run)
    return list(first.values())


def _check_names(name: str, study: Study, planned: list[PlannedRun]) -> None:
    known = list(to_flat(planned[0].composition.config))
    for parameter in (*study.scientific, *study.nuisance, *study.fixed):
        if not any(_belongs(key, [parameter]) for key in known):
            raise ConfigError(
                f"study={name} names the parameter '{parameter}': expected a key of a run's "
                f"config{did_you_mean(parameter, known)}"
            )


def _check_varying(name: str, study: Study, planned: list[PlannedRun]) -> None:
    """What varies is what the study says varies."""
    first, *others = [to_flat(run.composition.config) for run in planned]
    for key in first:
        varies = any(other[key] != first[key] for other in others)
        if varies and not _belongs(key, ["seed", *study.scientific, *study.nuisance]):
            raise ConfigError(
                f"study={name} varies {key}: expected it among its scientific or nuisance "
                "parameters; name it there, or give all runs the same value"
            )


def _belongs(key: str, parameters: list[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in parameters)
