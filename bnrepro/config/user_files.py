"""The YAML files of a user's own folder (`--config-dir`), checked before any of them counts.

A file may set keys of a run and choose files of groups; it may not look anything up, name code, or
touch Hydra's own settings. A whole folder is checked at once, since one file may choose another.
"""

from functools import cache
from pathlib import Path
from typing import Any

from bnrepro.config import GROUPS, ConfigError, did_you_mean, is_part, shown
from bnrepro.config.files import AT_SCALE, check_plain, read_file
from bnrepro.config.overrides import (
    choices_of,
    config_directories,
    configs_directory,
    no_such_choice,
)

_HEADER = "# @package _global_"


def checked_directories() -> tuple[Path, ...]:
    """The folders of the YAML files: our own and, where one is given, the user's, checked.

    Raises:
        ConfigError: if the user's holds a file which is no part of a run's config, naming the file
            and what is wrong with it.
    """
    ours, *theirs = config_directories()
    for directory in theirs:
        _check_directory(directory)
    return (ours, *theirs)


@cache
def _check_directory(directory: Path) -> None:
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
    check_plain(path)
    file = read_file(path)
    first, _, rest = file.text.partition("\n")
    if first.rstrip() != _HEADER or "@package" in rest:
        raise ConfigError(f"expected '{_HEADER}' as its first line, and no other package")
    if "defaults" in file.content:
        _check_defaults(file.content["defaults"], group)
    # Refuses keys that do not exist and values of other types.
    _ = file.values


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
