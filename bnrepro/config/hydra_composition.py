"""The configs of `conf/` as Hydra composes them: for a run itself, and to show how it comes about.

`DictConfig` ends here. Loading Hydra and composing once takes half a second, so what asks for many
configs (names, plans, help) merges the files itself; `merging` is held to this page by a test.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bnrepro.config import GROUPS, ConfigError, RunConfig, one_line, own, with_values
from bnrepro.config.composition import checked, compose
from bnrepro.config.fields import own_parts
from bnrepro.config.merging import merge
from bnrepro.config.overrides import Given, Override, keys, pinned
from bnrepro.config.overrides.values import whole
from bnrepro.config.user_files import checked_directories


def config_of(choices: Mapping[str, str]) -> RunConfig:
    """The typed config of some choices (`{"model": "inception"}`), unchecked.

    Raises:
        ConfigError: in place of Hydra's and OmegaConf's errors.
    """
    # Refuses, in words of our own, what Hydra would refuse in OmegaConf's.
    merge(choices)
    files, values = own.split(choices)
    words = [str(Override(group, (choice,))) for group, choice in files.items()]
    with _hydra() as searchpath:
        composed = hydra_compose("config", [*words, *searchpath])
        config: RunConfig = OmegaConf.to_object(composed)  # type: ignore[assignment]
    return _pinned(with_values(config, values))


def _pinned(config: RunConfig) -> RunConfig:
    """The config with the digests of its own parts, which may stand in files without them."""
    return with_values(config, {key: pinned(key, text) for key, text in own_parts(config).items()})


def show(overrides: Iterable[Given], part: str) -> int:
    """Print a part of the composed config: `job`, `hydra` or `all`.

    Raises:
        ConfigError: as `compose`.
    """
    given = checked(overrides)
    compose(given, config_of)
    files, values = own.split({each.key: each.values[0] for each in given if each.key in GROUPS})
    others = {each.key: each.values[0] for each in given if each.key not in GROUPS}
    words = [str(Override(key, (value,))) for key, value in {**files, **values, **others}.items()]
    with _hydra() as searchpath:
        hydra = GlobalHydra.instance().hydra
        hydra.show_cfg("config", [*words, *searchpath], part, package=None)
    return 0


@contextmanager
def _hydra() -> Iterator[list[str]]:
    """Hydra over the folders of the YAML files; gives the words that add the user's.

    Raises:
        ConfigError: in place of Hydra's and OmegaConf's errors.
    """
    _register_schema()
    GlobalHydra.instance().clear()
    ours, *theirs = checked_directories()
    further = [_quoted(f"{_UserFiles.scheme()}://{directory}") for directory in theirs]
    try:
        with initialize_config_dir(str(ours), version_base="1.3"):
            yield [f"hydra.searchpath=[{','.join(further)}]"] if further else []
    except Exception as error:
        # Over files of a user's own whatever is raised comes from them.
        if further or isinstance(error, HydraException | OmegaConfBaseException):
            raise ConfigError(one_line(error)) from error
        raise


def _quoted(text: str) -> str:
    """The text as Hydra's grammar reads it back, whatever stands in it."""
    quoted: str = QuotedString(text, Quote.single).with_quotes()
    return quoted


class _UserFiles(FileConfigSource):
    """A user's files, in which `1e4` is a whole number, as it is on the command line."""

    @staticmethod
    def scheme() -> str:
        return "bnrepro"

    def load_config(self, config_path: str) -> ConfigResult:
        result = super().load_config(config_path)
        for key in keys():
            value = OmegaConf.select(result.config, key)
            if value is not None:
                OmegaConf.update(result.config, key, whole(key, value))
        return result


@cache
def _register_schema() -> None:
    SourcesRegistry.instance().register(_UserFiles)
    ConfigStore.instance().store(name="schema", node=_writable(OmegaConf.structured(RunConfig)))


def _writable(node: Any) -> Any:
    """Lift the read-only flag that OmegaConf puts on frozen dataclasses, all the way down."""
    OmegaConf.set_readonly(node, None)
    for key in node:
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            _writable(child)
    return node
