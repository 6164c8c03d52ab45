"""From the words of a command line to a checked `RunConfig` and the name of its run.

Hydra composes `conf/`; `DictConfig` ends here. A run's name says which experiment and scale (or
model, data and variant) it is; whatever differs from that is added in words.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bnrepro.config import (
    GROUPS,
    ConfigError,
    RunConfig,
    difference,
    name_of,
    validate,
    with_values,
)
from bnrepro.config_files import check_directory
from bnrepro.naming import Reference, is_scaled, references
from bnrepro.overrides import (
    Override,
    check_single,
    config_directories,
    configs_directory,
    read,
    read_all,
)

__all__ = ["Composition", "compose", "configs_directory", "one_line", "show"]


@dataclass(frozen=True)
class Composition:
    """A checked config and the labels under which its record stands."""

    config: RunConfig
    name: str
    experiment: str | None
    scale: str | None
    # The flat keys in which the config differs from what `bnrepro run` alone means.
    differences: dict[str, Any] = field(default_factory=dict, compare=False)


def compose(overrides: list[str]) -> Composition:
    """Compose and check the run that `overrides` (`["model=inception", "bn=x5"]`) describe.

    Raises:
        ConfigError: if the words, the types or our own checks refuse them.
    """
    given = _checked(overrides)
    config = _compose([item for item in given if item.key in GROUPS])
    # Values on the command line win over all files, so that Hydra need not be asked again.
    values = {item.key: item.values[0] for item in given if item.key not in GROUPS}
    config = with_values(config, values).resolved()
    validate(config)
    reference, changed = min(
        ((reference, _difference(config, reference)) for reference in references(config)),
        key=lambda pair: len(pair[1]),
    )
    name = name_of(reference.name, changed)
    experiment = None if changed else reference.experiment
    return Composition(
        config, name, experiment, reference.scale, _difference(config, Reference("", ()))
    )


def show(overrides: list[str], part: str | None, info: str | None) -> int:
    """Print a part of the composed config, or with `info` what Hydra says of its composition.

    Raises:
        ConfigError: as `compose`.
    """
    compose(overrides)
    words = [override.word() for override in _checked(overrides)]
    with _hydra(_directories()) as searchpath:
        hydra = GlobalHydra.instance().hydra
        if info is None:
            hydra.show_cfg("config", [*words, *searchpath], part, package=None)
        else:
            with _root_logger():
                hydra.show_info(info, "config", [*words, *searchpath])
    return 0


@contextmanager
def _root_logger() -> Iterator[None]:
    """Put the root logger back as it was: Hydra shows its information through it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def one_line(error: Exception) -> str:
    """An exception's message without line breaks."""
    return " ".join(str(error).split())


def _checked(overrides: list[str]) -> list[Override]:
    """One override a key, in one order."""
    given = read_all(overrides)
    check_single(given)
    _check_scale({override.key: override.values[0] for override in given})
    return given


def _check_scale(chosen: dict[str, Any]) -> None:
    experiment, scale = chosen.get("experiment"), chosen.get("scale")
    if scale and experiment and not is_scaled(experiment):
        raise ConfigError(
            f"scale={scale} with experiment={experiment}: this experiment has one scale, the "
            "paper's; leave scale out"
        )


def _directories() -> tuple[Path, ...]:
    """The folders of the YAML files, the user's among them checked."""
    ours, *theirs = config_directories()
    for directory in theirs:
        check_directory(directory)
    return (ours, *theirs)


def _difference(config: RunConfig, reference: Reference) -> dict[str, Any]:
    """The keys of the run's identity in which `config` is not what the reference means."""
    return difference(config, _compose(map(read, reference.words)).resolved())


def _compose(choices: Iterable[Override]) -> RunConfig:
    """The typed config of some choices, unchecked: that of a name need not be whole."""
    choices = list(choices)
    ours, *theirs = _directories()
    own = all((ours / choice.key / f"{choice.values[0]}.yaml").exists() for choice in choices)
    words = tuple(choice.word() for choice in choices)
    return _compose_words(words, (ours,) if own else (ours, *theirs))


@cache
def _compose_words(words: tuple[str, ...], directories: tuple[Path, ...]) -> RunConfig:
    with _hydra(directories) as searchpath:
        composed = hydra_compose("config", [*words, *searchpath])
        return OmegaConf.to_object(composed)  # type: ignore[return-value]


@contextmanager
def _hydra(directories: tuple[Path, ...]) -> Iterator[list[str]]:
    """Hydra over the folders of the YAML files; gives the words that add the user's.

    Raises:
        ConfigError: in place of Hydra's and OmegaConf's errors.
    """
    _register_schema()
    GlobalHydra.instance().clear()
    further = [f"'file://{directory}'" for directory in directories[1:]]
    try:
        with initialize_config_dir(str(directories[0]), version_base="1.3"):
            yield [f"hydra.searchpath=[{','.join(further)}]"] if further else []
    except Exception as error:
        # Over files of a user's own whatever is raised comes from them.
        if further or isinstance(error, HydraException | OmegaConfBaseException):
            raise ConfigError(one_line(error)) from error
        raise


@cache
def _register_schema() -> None:
    ConfigStore.instance().store(name="schema", node=_writable(OmegaConf.structured(RunConfig)))


def _writable(node: Any) -> Any:
    """Lift the read-only flag that OmegaConf puts on frozen dataclasses, all the way down."""
    OmegaConf.set_readonly(node, None)
    for key in node:
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            _writable(child)
    return node
