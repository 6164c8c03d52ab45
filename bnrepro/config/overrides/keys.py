"""Which keys there are, and which choices a group has: in our own folder and the user's."""

import itertools
import os
import typing
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bnrepro.config import GROUPS, ConfigError, RunConfig, did_you_mean, first_few, shown
from bnrepro.config.folders import expanded
from bnrepro.config.messages import OR_OWN
from bnrepro.config.own import BASES

CONFIG_DIRECTORY_VARIABLE = "BNREPRO_CONFIG_DIR"


@cache
def configs_directory() -> Path:
    """The folder of the YAML files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def config_directories() -> list[Path]:
    """Where groups are looked up: our own folder and, where one is given, the user's.

    Raises:
        ConfigError: if the user's is no folder.
    """
    given = os.environ.get(CONFIG_DIRECTORY_VARIABLE)
    if given is None:
        return [configs_directory()]
    folder = Path(expanded("config directory ", given))
    if not given or not folder.is_dir():
        raise ConfigError(
            f"config directory '{shown(given, 300)}': expected a folder; give one with "
            f"--config-dir, or unset {CONFIG_DIRECTORY_VARIABLE}"
        )
    return [configs_directory(), folder.resolve()]


def choices_of(group: str) -> list[str]:
    """The choices of a group, in alphabetical order."""
    files = itertools.chain.from_iterable(
        (directory / group).glob("*.yaml") for directory in config_directories()
    )
    return sorted({path.stem for path in files})


@cache
def keys() -> dict[str, Any]:
    """Every key that takes a value (`learning_rate`, `model.width`) with its type."""
    found: dict[str, Any] = {}
    for key, kind in typing.get_type_hints(RunConfig).items():
        if is_dataclass(kind):
            inner = typing.get_type_hints(kind)
            found.update({f"{key}.{name}": value for name, value in inner.items()})
        else:
            found[key] = kind
    return found


def nearest_key(key: str) -> str | None:
    """The key that was probably meant: nearest in spelling, an inner one, or by its initials."""
    known = [*GROUPS, *keys()]
    for candidate in known:
        inner = candidate.rpartition(".")[2]
        if key in (inner, "".join(part[:1] for part in inner.split("_"))):
            return candidate
    near = did_you_mean(key, known)
    return near.split("'")[1] if near else None


def no_such_key(key: str) -> ConfigError:
    """The error for a key that does not exist, with the nearest that does."""
    near = nearest_key(key)
    remedy = f"; did you mean '{near}'?" if near else "; see `bnrepro run --help` for all"
    return ConfigError(f"{shown(key)}: no such key{remedy}")


def no_such_choice(group: str, received: str) -> ConfigError:
    """The error for a choice that a group does not have, with those that it has."""
    known = choices_of(group)
    # These are many, and a person's own come to them.
    expected = first_few(known) if group in ("experiment", "study") else ", ".join(known)
    others = OR_OWN if group in BASES else ""
    near = did_you_mean(received, known)
    return ConfigError(f"{group}={shown(received)}: expected one of {expected}{others}{near}")
