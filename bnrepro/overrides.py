"""The words `key=value` of a command line: read, checked and spelled out, without Hydra.

Hydra's own grammar takes more than a run can mean (`model={}`, `nan`, `+x=3`, `~model`,
`${oc.env:HOME}`) and answers in several lines. What comes from outside therefore goes through this
page first: a closed set of keys, a value of the key's own type, one line where it is refused.
Hydra then gets the same words in one spelling.
"""

import itertools
import math
import os
import re
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bnrepro.config import CHOICES, GROUPS, ConfigError, RunConfig, did_you_mean, one_of

MOST_RUNS = 10_000
CONFIG_DIRECTORY_VARIABLE = "BNREPRO_CONFIG_DIR"
_LONGEST_WORD = 4_096
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_FUNCTION = re.compile(r"(range|choice)\((.*)\)")


@dataclass(frozen=True)
class Override:
    """A key and its value; several values are a grid."""

    key: str
    values: tuple[Any, ...]

    def word(self) -> str:
        """The override as Hydra's grammar and a child process read it."""
        return f"{self.key}={','.join(_spell(value) for value in self.values)}"

    def choices(self) -> list["Override"]:
        """An override for each of the values."""
        return [Override(self.key, (value,)) for value in self.values]


def configs_directory() -> Path:
    """The folder of the YAML files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
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
    if not given or not Path(given).is_dir():
        raise ConfigError(
            f"config directory '{shown(given)}': expected a folder; give one with --config-dir, "
            f"or unset {CONFIG_DIRECTORY_VARIABLE}"
        )
    return [configs_directory(), Path(given).resolve()]


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


def read_all(words: Iterable[str]) -> list[Override]:
    """Read words; of a key that is given twice the last one counts.

    Raises:
        ConfigError: if one of them is not a key and a value of its type.
    """
    by_key = {override.key: override for override in map(read, words)}
    order = [*GROUPS, *keys()]
    return sorted(by_key.values(), key=lambda override: order.index(override.key))


def read(word: str) -> Override:
    """Read `key=value`, `key=a,b` or `key=range(0,6)`.

    Raises:
        ConfigError: if the word is not a key and a value of its type.
    """
    _check_characters(word)
    key, equals, text = word.partition("=")
    key, text = key.strip(), text.strip()
    _check_plain_key(key)
    if not equals or not key:
        raise ConfigError(f"{shown(word) or repr(word)}: expected key=value{_suggested_word(key)}")
    _check_key(key)
    if not text:
        raise ConfigError(f"{key}=: expected a value after the equals sign")
    values = tuple(_value(key, part) for part in _parts(key, text))
    if len(values) > MOST_RUNS:
        raise ConfigError(f"{key}: expected at most {MOST_RUNS:,} values, got more")
    return Override(key, values)


def expand(overrides: Iterable[Override]) -> list[list[Override]]:
    """The product of a grid, each run's overrides with one value each.

    Raises:
        ConfigError: if these are too many runs.
    """
    grid = [override.choices() for override in overrides]
    number = math.prod(map(len, grid))
    if number > MOST_RUNS:
        raise ConfigError(f"{number:,} runs: expected at most {MOST_RUNS:,}; make the grid smaller")
    return [list(run) for run in itertools.product(*grid)]


def check_single(overrides: Iterable[Override]) -> None:
    """Refuse a grid where one run is meant.

    Raises:
        ConfigError: naming the grid and the command that takes it.
    """
    for override in overrides:
        if len(override.values) > 1:
            raise ConfigError(
                f"{shown(override.word())}: expected one value for one run; use `bnrepro sweep` "
                "for a grid"
            )


def check_value(key: str, value: Any) -> None:
    """Refuse a value, as it stands in a YAML file, that is not of its key's type.

    Raises:
        ConfigError: with what was expected.
    """
    plain = value is None or isinstance(value, str | int | float | bool)
    words = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if words if typing.get_origin(keys()[key]) is list else plain:
        _value(key, _spell(value))
        return
    received = "a mapping" if isinstance(value, dict) else "a list"
    raise ConfigError(
        f"{key}: expected {_expected(key)}, got {shown(value) if plain else received}"
    )


def no_such_key(key: str) -> ConfigError:
    """The error for a key that does not exist, with the nearest that does."""
    near = _nearest_key(key)
    remedy = f"; did you mean '{near}'?" if near else "; see `bnrepro run --help` for all"
    return ConfigError(f"{shown(key)}: no such key{remedy}")


def no_such_choice(group: str, received: str) -> ConfigError:
    """The error for a choice that a group does not have, with those that it has."""
    known = choices_of(group)
    return ConfigError(
        f"{group}={shown(received)}: expected one of {', '.join(known)}"
        f"{did_you_mean(received, known)}"
    )


def shown(received: Any, longest: int = 80) -> str:
    """What was received, short enough for a message."""
    text = str(received)
    return text if len(text) <= longest else f"{text[:longest]}..."


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
    near = _nearest_key(word) if word else None
    return f"; did you mean '{near}=...'?" if near else ""


def _nearest_key(key: str) -> str | None:
    """The key that was probably meant: nearest in spelling, an inner one, or by its initials."""
    known = [*GROUPS, *keys()]
    for candidate in known:
        inner = candidate.rpartition(".")[2]
        if key in (inner, "".join(part[:1] for part in inner.split("_"))):
            return candidate
    near = did_you_mean(key, known)
    return near.split("'")[1] if near else None


def _parts(key: str, text: str) -> list[str]:
    """The values of a grid, or the one value."""
    function = _FUNCTION.fullmatch(text)
    if function is None:
        return _split(key, text)
    name, inside = function.groups()
    if name == "choice":
        return _split(key, inside)
    return _range(key, inside)


def _split(key: str, text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes."""
    parts, start, quote, depth = [], 0, "", 0
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"" and not text[start:position].strip(" ["):
            quote = character
        elif character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    parts.append(text[start:].strip())
    if quote or not all(parts):
        problem = "a closing quote" if quote else "a value on each side of a comma"
        raise ConfigError(f"{key}={shown(text)}: expected {problem}")
    return parts


def _range(key: str, inside: str) -> list[str]:
    """`range(start, stop)` or `range(start, stop, step)`; `stop` itself is left out."""
    kind = keys().get(key)
    bounds = [part.strip() for part in inside.split(",")]
    if kind not in (int, float) or len(bounds) not in (2, 3):
        raise ConfigError(
            f"{key}=range({shown(inside)}): expected range(start,stop) or range(start,stop,step) "
            "of a key that takes a number"
        )
    start, stop, *rest = [_value(key, bound) for bound in bounds]
    step = rest[0] if rest else 1
    number = math.ceil((stop - start) / step) if step else 0
    if not 1 <= number <= MOST_RUNS:
        raise ConfigError(
            f"{key}=range({shown(inside)}): expected 1 to {MOST_RUNS:,} values, got "
            f"{'none' if number < 1 else 'more'}"
        )
    return [repr(start + position * step) for position in range(number)]


def _value(key: str, text: str) -> Any:
    """`text` as a value of the key's type."""
    if key in GROUPS:
        choice = _unquoted(text)
        if choice == "null":
            raise ConfigError(f"{key}=null: expected a choice; leave {key} out for the default")
        if choice not in choices_of(key):
            raise no_such_choice(key, choice)
        return choice
    kind = keys()[key]
    if isinstance(kind, types.UnionType) and type(None) in typing.get_args(kind):
        if text == "null":
            return None
        kind = str
    if text == "null":
        raise ConfigError(f"{key}=null: expected {_expected(key)}; leave it out for the default")
    readers = {int: _whole_number, float: _number, bool: _boolean, str: _text}
    reader = readers.get(kind, _names if typing.get_origin(kind) is list else _size)
    return reader(key, text)


def _expected(key: str) -> str:
    kind = keys()[key]
    words = {int: "a whole number", float: "a number", bool: "true or false"}
    if typing.get_origin(kind) is list:
        return "a list in brackets, such as [dropout,l2]"
    if kind == int | str:
        return "a whole number of at least 1, or 'all'"
    if key in CHOICES:
        return f"one of {', '.join(CHOICES[key])}"
    return words.get(kind, "text")


def _refused(key: str, text: str) -> ConfigError:
    return ConfigError(f"{key}={shown(text)}: expected {_expected(key)}")


def _whole_number(key: str, text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9][0-9_]{0,17}", text) and not text.endswith("_"):
        return int(text.replace("_", ""))
    raise _refused(key, text)


def _number(key: str, text: str) -> float:
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError as error:
        raise _refused(key, text) from error
    if not math.isfinite(value):
        raise ConfigError(f"{key}={shown(text)}: expected a finite number")
    return value


def _boolean(key: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise _refused(key, text)
    return text.lower() == "true"


def _size(key: str, text: str) -> int | str:
    return "all" if _unquoted(text) == "all" else _whole_number(key, text)


def _names(key: str, text: str) -> list[str]:
    if not (text.startswith("[") and text.endswith("]")):
        raise _refused(key, text)
    inside = text[1:-1].strip()
    return [_text(key, part) for part in _split(key, inside)] if inside else []


def _text(key: str, text: str) -> str:
    plain = _unquoted(text)
    if not plain.strip() or "\\" in plain or ("'" in plain and '"' in plain):
        raise ConfigError(
            f"{key}={shown(text)}: expected text that is not empty, without backslashes and with "
            "one kind of quotes at most"
        )
    if (key, plain) == ("normalization", "none"):
        raise ConfigError("normalization=none: expected a normalization; use bn=none for none")
    if key in CHOICES:
        one_of(key, plain, CHOICES[key])
    return plain


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] in "'\"" and text[-1] == text[0]
    return text[1:-1] if quoted else text


def _spell(value: Any) -> str:
    """A value as Hydra's grammar reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_spell, value))}]"
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in ("null", "true", "false", "nan", "inf"):
            return value
        quote = '"' if "'" in value else "'"
        return f"{quote}{value}{quote}"
    return repr(value)
