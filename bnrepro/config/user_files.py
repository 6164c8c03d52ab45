"""The files that a choice stands for: ours, or those of a user's own folder (`--config-dir`).

A file of the user's may set keys of a run and choose files of groups; it may not look anything up,
name code, or touch Hydra's own settings. It is checked when it is used, so that a bad file stands
in the way of nothing else.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from bnrepro.config import GROUPS, ConfigError, did_you_mean, is_part, shown
from bnrepro.config.files import AT_SCALE, ConfFile, check_plain, read_file
from bnrepro.config.overrides import (
    choices_of,
    config_directories,
    configs_directory,
    no_such_choice,
)
from bnrepro.config.spelling import LONGEST_NAME

# The first line of every file of a group: its keys are those of the whole config.
HEADER = "# @package _global_"


def checked_directories() -> tuple[Path, ...]:
    """The folders of the YAML files: our own and, where one is given, the user's.

    Raises:
        ConfigError: if something lies in the user's that could stand in for the schema, or for
            Hydra's own settings.
    """
    ours, *theirs = config_directories()
    for directory in theirs:
        stray = [*directory.glob("*.yaml"), *directory.glob("hydra")]
        if stray:
            raise ConfigError(
                f"{stray[0]}: expected files in folders named as groups, such as "
                f"{directory / 'experiment'}; move it"
            )
    return (ours, *theirs)


def find_file(group: str, choice: str | None, directories: Iterable[Path]) -> ConfFile | None:
    """The file of a choice, in the first of the folders that has one.

    Raises:
        ConfigError: if the user's folder has a file for the choice that is refused, naming the file
            and what is wrong with it.
    """
    paths = [directory / group / f"{choice}.yaml" for directory in directories]
    there = [path for path in paths if path.exists()]
    for path in there:
        if path.parents[1] != configs_directory():
            _check_once(path, group)
    return read_file(there[0]) if there else None


@cache
def _check_once(path: Path, group: str) -> None:
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
    if len(path.stem) > LONGEST_NAME:
        raise ConfigError(
            f"expected at most {LONGEST_NAME} letters in a file's name, which is part of a run's, "
            f"got {len(path.stem)}; rename the file"
        )
    check_plain(path)
    file = read_file(path)
    first, _, rest = file.text.partition("\n")
    if first.rstrip() != HEADER or "@package" in rest:
        raise ConfigError(f"expected '{HEADER}' as its first line, and no other package")
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
