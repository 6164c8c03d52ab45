"""The YAML files of a user's own folder (`--config-dir`), checked before Hydra reads any of them.

A file may set keys of a run and choose files of groups; it may not look anything up, name code, or
touch Hydra's own settings. A whole folder is checked at once, since one file may choose another.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from bnrepro.config import GROUPS, ConfigError, did_you_mean, is_part, shown
from bnrepro.overrides import (
    check_value,
    choices_of,
    configs_directory,
    keys,
    no_such_choice,
    no_such_key,
)

# What an experiment changes at one scale: `at_scale/<scale>_<experiment>.yaml`.
AT_SCALE = "at_scale"
_LARGEST_BYTES = 100_000
_HEADER = "# @package _global_"


@cache
def check_directory(directory: Path) -> None:
    """Refuse a folder that holds a file which is no part of a run's config.

    Raises:
        ConfigError: naming the file and what is wrong with it.
    """
    # Files here could stand in for the schema, or for Hydra's own settings.
    stray = [*directory.glob("*.yaml"), *directory.glob("hydra")]
    if stray:
        raise ConfigError(
            f"{stray[0]}: expected files in folders named as groups, such as "
            f"{directory / 'experiment'}; move it"
        )
    for group in (*GROUPS, AT_SCALE):
        for path in sorted((directory / group).glob("*.yaml")):
            try:
                _check_file(path, group)
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}") from error


def _check_file(path: Path, group: str) -> None:
    ours = configs_directory()
    if (ours / group / path.name).exists():
        raise ConfigError(f"bnrepro has {group}={path.stem} itself; give the file another name")
    if group == AT_SCALE and (ours / "experiment" / f"{path.stem.partition('_')[2]}.yaml").exists():
        raise ConfigError("what bnrepro's own experiments mean is fixed; write one of your own")
    if not is_part(path.stem):
        raise ConfigError(
            "expected letters, digits, `_` and `.` in a file's name: `-` stands between the parts "
            "of a run's name; rename the file"
        )
    for key, value in _flat(_read(path)):
        if key == "defaults":
            _check_defaults(value, group)
        elif key not in keys():
            raise no_such_key(key)
        else:
            check_value(key, value)


def _read(path: Path) -> dict[str, Any]:
    """The file's content, as plain values."""
    raw = path.read_bytes()
    if len(raw) > _LARGEST_BYTES:
        raise ConfigError(f"expected at most {_LARGEST_BYTES:,} bytes, got {len(raw):,}")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"expected UTF-8 text ({error.reason})") from error
    _check_text(text)
    try:
        content = OmegaConf.to_container(OmegaConf.create(text))
    except Exception as error:
        # PyYAML and OmegaConf raise much beside their own errors on what is not YAML.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"cannot be read as YAML ({shown(reason, 200)})") from error
    if not isinstance(content, dict):
        raise ConfigError("expected keys with values")
    return {str(key): value for key, value in content.items()}


def _check_text(text: str) -> None:
    first, _, rest = text.partition("\n")
    if first.rstrip() != _HEADER or "@package" in rest:
        raise ConfigError(f"expected '{_HEADER}' as its first line, and no other package")
    if "${" in text:
        raise ConfigError("${...} is not looked up; write the value")
    # Anchors let a short file stand for an endless one.
    values = " ".join(line.partition("#")[0] for line in text.splitlines())
    if any(word.startswith(("&", "*")) for word in values.split()):
        raise ConfigError("expected no anchors and aliases; write the value again")


def _flat(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and key not in ("defaults", *keys()):
            if not value:
                raise ConfigError(f"{shown(key)}: expected keys with values, got none")
            for inner, item in value.items():
                yield f"{key}.{inner}", item
        else:
            yield key, value


def _check_defaults(entries: Any, group: str) -> None:
    # A file may choose for the groups that are composed before its own.
    earlier = GROUPS[: GROUPS.index(group)] if group in GROUPS else ()
    expected = "defaults: expected entries such as '- override /model: inception'"
    if not isinstance(entries, list):
        raise ConfigError(expected)
    for entry in entries:
        if not isinstance(entry, dict) or len(entry) != 1:
            raise ConfigError(expected)
        ((key, choice),) = entry.items()
        chosen = str(key).removeprefix("override /")
        if chosen == key or chosen not in GROUPS:
            raise ConfigError(f"{expected}, got '{shown(key)}'{did_you_mean(chosen, GROUPS)}")
        if chosen not in earlier:
            raise ConfigError(f"defaults: a file of {group} cannot choose {chosen}; leave it out")
        if choice not in choices_of(chosen):
            raise no_such_choice(chosen, str(choice))
