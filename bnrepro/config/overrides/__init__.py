"""The words `key=value` of a command line: read, checked and spelled out, without Hydra.

Hydra's own grammar takes more than a run can mean (`model={}`, `nan`, `+x=3`, `~model`,
`${oc.env:HOME}`) and answers in several lines. What comes from outside therefore goes through
these pages first: a closed set of keys (`keys`), a value of the key's own type (`values`), one line
where a word is refused (`words`). Hydra then gets the same words in one spelling. `recorded`: the
overrides of a config that a run has left. `sources`: where a part of one's own stands.
"""

from bnrepro.config.overrides.keys import (
    CONFIG_DIRECTORY_VARIABLE,
    choices_of,
    config_directories,
    configs_directory,
    keys,
    no_such_choice,
    no_such_key,
)
from bnrepro.config.overrides.recorded import overrides_of
from bnrepro.config.overrides.sources import pinned, source_as_pinned
from bnrepro.config.overrides.values import PATHS, value_in_file
from bnrepro.config.overrides.words import Given, Override, check_single, expand, read, read_all

__all__ = [
    "CONFIG_DIRECTORY_VARIABLE",
    "PATHS",
    "Given",
    "Override",
    "check_single",
    "choices_of",
    "config_directories",
    "configs_directory",
    "expand",
    "keys",
    "no_such_choice",
    "no_such_key",
    "overrides_of",
    "pinned",
    "read",
    "read_all",
    "source_as_pinned",
    "value_in_file",
]
