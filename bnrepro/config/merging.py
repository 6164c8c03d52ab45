"""From choices of groups to a config, in milliseconds: the files of `conf/` merged as Hydra does.

`conf/` uses little of what Hydra's defaults lists can say: a file of a group may choose the files
of groups before its own, and `at_scale/<scale>_<experiment>.yaml` has the last word.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from bnrepro.config import GROUPS, RunConfig, from_flat, own, with_values
from bnrepro.config.files import AT_SCALE, ConfFile, main_file
from bnrepro.config.overrides import configs_directory
from bnrepro.config.user_files import checked_directories, find_file


def merge(choices: Mapping[str, str]) -> RunConfig:
    """The typed config of some choices (`{"model": "inception"}`), unchecked.

    Raises:
        ConfigError: if a file of the user's folder is refused, or a key has no value.
    """
    return _merged(choices, checked_directories())


def merge_ours(choices: Mapping[str, str]) -> RunConfig:
    """What the choices mean where there is no user's folder: whatever lies there changes no name.

    Raises:
        ConfigError: if a key has no value.
    """
    return _merged(choices, (configs_directory(),))


def _merged(choices: Mapping[str, str], directories: tuple[Path, ...]) -> RunConfig:
    files, values = own.split(choices)
    return with_values(_merge(tuple(sorted(files.items())), directories), values)


@cache
def _merge(choices: tuple[tuple[str, str], ...], directories: tuple[Path, ...]) -> RunConfig:
    values = {}
    for file in _files(dict(choices), directories):
        values.update(file.values)
    return from_flat(values)


def _files(chosen: dict[str, str], directories: tuple[Path, ...]) -> list[ConfFile]:
    """The files in the order in which they count, the last one most.

    Choices go the other way: the command line wins, then the groups from the last one on.
    """
    main = main_file()
    files = []
    for group in reversed(GROUPS):
        file = find_file(group, chosen.get(group) or main.choices.get(group), directories)
        if file is not None:
            files.append(file)
            chosen = {**file.choices, **chosen}
    at_scale = f"{chosen.get('scale')}_{chosen.get('experiment')}"
    last = find_file(AT_SCALE, at_scale, directories)
    return [main, *reversed(files), *([last] if last else [])]
