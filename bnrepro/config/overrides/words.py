"""Words of a command line as overrides, and a grid of them as runs."""

import itertools
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bnrepro.config import GROUPS, ConfigError, shown
from bnrepro.config.overrides.keys import choices_of, keys, nearest_key, no_such_key
from bnrepro.config.overrides.values import PATHS, read_value, spell, split_at_commas
from bnrepro.config.own import shortened

_MOST_RUNS = 10_000
_LONGEST_WORD = 4_096
_FUNCTION = re.compile(r"(range|choice|logspace)\((.*)\)")
# As many digits of a number on a logarithmic grid: it stands in a run's name.
_DIGITS = 4


@dataclass(frozen=True)
class Override:
    """A key and its value; several values are a grid."""

    key: str
    values: tuple[Any, ...]
    # The word that was read, where it was one.
    typed: str | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        # A value may be a list.
        return hash((self.key, repr(self.values)))

    def __str__(self) -> str:
        """The word that Hydra's grammar and a child process read."""
        return f"{self.key}={','.join(spell(value) for value in self.values)}"

    @property
    def brief(self) -> str:
        """The word for a person to read, who may type it too: of a digest its beginning."""
        return f"{self.key}={','.join(shortened(spell(value)) for value in self.values)}"

    def choices(self) -> list["Override"]:
        """An override for each of the values."""
        return [Override(self.key, (value,)) for value in self.values]


# An override, read already or as a word.
Given = str | Override


def read_all(words: Iterable[Given]) -> list[Override]:
    """Read the words that are not read yet; of a key that is given twice the last one counts.

    Raises:
        ConfigError: if one of them is not a key and a value of its type.
    """
    by_key = {override.key: override for override in map(_read_once, words)}
    order = [*GROUPS, *keys()]
    return sorted(by_key.values(), key=lambda override: order.index(override.key))


def _read_once(word: Given) -> Override:
    return read(word) if isinstance(word, str) else word


def read(word: str) -> Override:
    """Read `key=value`, `key=a,b` or `key=range(0,6)`.

    Raises:
        ConfigError: if the word is not a key and a value of its type.
    """
    _check_characters(word)
    key, equals, text = word.partition("=")
    key, given = key.strip(), text
    text = given.strip()
    _check_plain_key(key)
    if not equals or not key:
        raise ConfigError(f"{shown(word) or repr(word)}: expected key=value{_suggested_word(key)}")
    _check_key(key)
    if not text:
        raise ConfigError(f"{key}=: expected a value after the equals sign")
    if key in PATHS and text != given:
        raise ConfigError(
            f"{key}={ascii(shown(given))}: expected a path without blanks around it; quote one "
            f"whose name has them once more: {key}=\"'a '\""
        )
    values = tuple(read_value(key, part) for part in _parts(key, text))
    if len(values) > _MOST_RUNS:
        raise ConfigError(f"{key}: expected at most {_MOST_RUNS:,} values, got more")
    return Override(key, values, word)


def expand(overrides: Iterable[Override]) -> list[list[Override]]:
    """The product of a grid, each run's overrides with one value each.

    Raises:
        ConfigError: if these are too many runs.
    """
    grid = [override.choices() for override in overrides]
    number = math.prod(map(len, grid))
    if number > _MOST_RUNS:
        raise ConfigError(
            f"{number:,} runs: expected at most {_MOST_RUNS:,}; make the grid smaller"
        )
    return [list(run) for run in itertools.product(*grid)]


def check_single(overrides: Iterable[Override]) -> None:
    """Refuse a grid where one run is meant.

    Raises:
        ConfigError: naming the grid and the command that takes it.
    """
    for override in overrides:
        if len(override.values) > 1:
            raise ConfigError(
                f"{shown(override)}: expected one value for one run; use `bnrepro sweep` for a grid"
            )


def _check_characters(word: str) -> None:
    if len(word) > _LONGEST_WORD:
        raise ConfigError(
            f"{shown(word, 40)}: expected a word of at most {_LONGEST_WORD:,} characters, "
            f"got {len(word):,}"
        )
    if not word.isprintable():
        raise ConfigError(
            f"{ascii(shown(word))}: expected printable text; leave control characters and "
            "undecodable bytes out"
        )
    if "${" in word:
        raise ConfigError(
            f"{shown(word)}: expected a value; ${{...}} is not looked up, write what it stands for"
        )


def _check_plain_key(key: str) -> None:
    """Refuse what Hydra's grammar puts around a key."""
    bare = key.lstrip("+~")
    if bare != key:
        if bare:
            _check_key(bare)
        raise ConfigError(
            f"{shown(key)}: keys can be set, not added or taken away; write "
            f"{shown(bare) or 'key'}=value"
        )
    if key == "hydra" or key.startswith(("hydra.", "hydra/")):
        raise ConfigError(f"{shown(key)}: Hydra's own settings are fixed; leave it out")
    if "@" in key:
        raise ConfigError(f"{shown(key)}: packages are fixed; write {shown(key.partition('@')[0])}")


def _check_key(key: str) -> None:
    if "/" in key:
        group, _, choice = key.partition("/")
        raise ConfigError(
            f"{shown(key)}: expected group=choice for a file or key.inner=value for a value; "
            f"did you mean '{shown(group)}={shown(choice)}' or '{shown(key.replace('/', '.'))}'?"
        )
    if key not in GROUPS and key not in keys():
        raise no_such_key(key)
    group, _, inner = key.partition(".")
    if inner == "name":
        raise ConfigError(f"{key}: a name comes with its file; write {group}=choice")


def _suggested_word(word: str) -> str:
    """For a bare word: the group that has a choice of this name, else the nearest key."""
    for group in GROUPS:
        if word in choices_of(group):
            return f"; did you mean '{group}={word}'?"
    near = nearest_key(word) if word else None
    return f"; did you mean '{near}=...'?" if near else ""


def _parts(key: str, text: str) -> list[str]:
    """The values of a grid, or the one value."""
    function = _FUNCTION.fullmatch(text)
    if function is None:
        return split_at_commas(key, text)
    name, inside = function.groups()
    if name == "choice":
        return split_at_commas(key, inside)
    return _logspace(key, inside) if name == "logspace" else _range(key, inside)


def _logspace(key: str, inside: str) -> list[str]:
    """`logspace(first, last, number)`: numbers of equal ratios, both ends among them.

    They are rounded to `_DIGITS` digits, and whole where the key takes whole numbers.
    """
    kind = keys().get(key)
    bounds = [part.strip() for part in inside.split(",")]
    expected = (
        f"{key}=logspace({shown(inside)}): expected logspace(first,last,number) of a key that "
        "takes a number, with ends above 0 and at least 2 numbers, such as "
        "learning_rate=logspace(1e-3,1,7)"
    )
    if kind not in (int, float) or len(bounds) != 3 or not bounds[2].isdecimal():
        raise ConfigError(expected)
    first, last = (read_value(key, bound) for bound in bounds[:2])
    number = int(bounds[2])
    if not (first > 0 and last > 0 and 2 <= number <= _MOST_RUNS):
        raise ConfigError(expected)
    ratios = (first * (last / first) ** (place / (number - 1)) for place in range(number))
    rounded = [float(f"{value:.{_DIGITS}g}") for value in ratios]
    values = [first, *rounded[1:-1], last]
    values = [round(value) for value in values] if kind is int else values
    if len(set(values)) < number:
        raise ConfigError(
            f"{key}=logspace({shown(inside)}): expected ends farther apart, or fewer numbers: some "
            f"of {number} would be the same"
        )
    return list(map(repr, values))


def _range(key: str, inside: str) -> list[str]:
    """`range(start, stop)` or `range(start, stop, step)`; `stop` itself is left out."""
    kind = keys().get(key)
    bounds = [part.strip() for part in inside.split(",")]
    if kind not in (int, float) or len(bounds) not in (2, 3):
        raise ConfigError(
            f"{key}=range({shown(inside)}): expected range(start,stop) or range(start,stop,step) "
            "of a key that takes a number"
        )
    start, stop, *rest = [read_value(key, bound) for bound in bounds]
    step = rest[0] if rest else 1
    number = math.ceil((stop - start) / step) if step else 0
    if not 1 <= number <= _MOST_RUNS:
        raise ConfigError(
            f"{key}=range({shown(inside)}): expected 1 to {_MOST_RUNS:,} values, got "
            f"{'none' if number < 1 else 'more'}"
        )
    return [repr(start + position * step) for position in range(number)]
