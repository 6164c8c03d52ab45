"""The YAML files of `conf/` and of a user's own folder: what each says of itself, chooses and sets.

The one reader of these files beside Hydra, and of the same dialect of YAML as Hydra's.
"""

import codecs
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from bnrepro.config import GROUPS, ConfigError, one_line, shown
from bnrepro.config.numerals import refuse_misread
from bnrepro.config.overrides import configs_directory, keys, no_such_key, value_in_file

# What an experiment changes at one scale: `at_scale/<scale>_<experiment>.yaml`.
AT_SCALE = "at_scale"
_LARGEST_BYTES = 100_000
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MARKS = (yaml.AnchorToken, yaml.AliasToken, yaml.TagToken)


@dataclass(frozen=True)
class ConfFile:
    """A YAML file whose content is a mapping."""

    path: Path
    text: str
    content: dict[str, Any]

    @property
    def head(self) -> list[str]:
        """The comment at its top, line by line."""
        lines = self.text.splitlines()
        ends = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
        return [line.removeprefix("#").strip() for line in lines[:ends] if "@package" not in line]

    @cached_property
    def choices(self) -> dict[str, str]:
        """What its defaults list chooses: `- override /model: inception`; the first one counts."""
        chosen: dict[str, str] = {}
        for entry in self.content.get("defaults", []):
            for key, choice in entry.items() if isinstance(entry, dict) else ():
                group = key.removeprefix("override /")
                if group in GROUPS and choice is not None:
                    chosen.setdefault(group, choice)
        return chosen

    @cached_property
    def values(self) -> dict[str, Any]:
        """The keys that it sets (`model.width`), each with a value of its type.

        Raises:
            ConfigError: if there is no such key, or the value is of another type.
        """
        return {key: value_in_file(key, value) for key, value in self._settings()}

    def _settings(self) -> Iterator[tuple[str, Any]]:
        for key, value in self.content.items():
            if key == "defaults":
                continue
            if key in keys() and "." not in key:
                yield key, value
            elif key in keys():
                outer, _, inner = key.partition(".")
                raise ConfigError(f"{key}: expected '{outer}:' with '{inner}:' below it")
            elif not isinstance(value, dict):
                raise no_such_key(key)
            elif not value:
                raise ConfigError(f"{shown(key)}: expected keys with values, got none")
            else:
                yield from _inner_settings(key, value)


def _inner_settings(outer: str, content: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    for inner, value in content.items():
        if f"{outer}.{inner}" not in keys():
            raise no_such_key(f"{outer}.{inner}")
        yield f"{outer}.{inner}", value


@cache
def read_file(path: Path) -> ConfFile:
    """Read a file, once per process.

    Raises:
        ConfigError: if it is not text, or its content is no mapping in YAML.
    """
    text = _text_of(path)
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"cannot be read as YAML ({shown(one_line(error), 200)})") from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise ConfigError("expected keys with values")
    return ConfFile(path, text, {str(key): value for key, value in content.items()})


def main_file() -> ConfFile:
    """`conf/config.yaml`: what a run is where nothing else is said."""
    file = read_file(configs_directory() / "config.yaml")
    content = {key: value for key, value in file.content.items() if key != "hydra"}
    return ConfFile(file.path, file.text, content)


def check_plain(path: Path) -> None:
    """Refuse what looks things up, names code, lets a short file stand for an endless one, or is a
    number to YAML and another one to a person.

    Raises:
        ConfigError: naming what is refused.
    """
    text = _text_of(path)
    if "${" in text:
        raise ConfigError("expected plain values: ${...} is not looked up; write the value")
    try:
        tokens = list(yaml.scan(text, Loader=_Loader))
    except yaml.YAMLError:
        return  # `read_file` says what is wrong with it
    if any(isinstance(token, _MARKS) for token in tokens):
        raise ConfigError("expected plain values: no anchors, aliases and tags; write the value")
    for token in tokens:
        if isinstance(token, yaml.ScalarToken) and token.plain and _is_number(token.value):
            refuse_misread(f"line {token.start_mark.line + 1}: ", token.value)


def _is_number(plain: str) -> bool:
    """Whether YAML takes the text for a number; what it takes for text stands for itself."""
    resolvers = _Loader.yaml_implicit_resolvers.get(plain[:1], [])
    return any(tag in _NUMBERS for tag, pattern in resolvers if pattern.match(plain))


def _text_of(path: Path) -> str:
    raw = path.read_bytes()
    if len(raw) > _LARGEST_BYTES:
        raise ConfigError(f"expected at most {_LARGEST_BYTES:,} bytes, got {len(raw):,}")
    if raw.startswith(codecs.BOM_UTF8):
        raise ConfigError("begins with a byte order mark; save it as UTF-8 without one")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"expected UTF-8 text ({error.reason})") from error


class _Loader(yaml.CSafeLoader):
    """YAML as OmegaConf reads it: `1e-3` is a number, a date is text, a key stands there once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(problem=f"found duplicate key {name}")
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    letter: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for letter, pairs in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(_[0-9]+)*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
