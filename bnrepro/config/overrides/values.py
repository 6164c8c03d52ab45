"""The text of a value as a value of its key's type, and back."""

import math
import re
import types
import typing
from decimal import Decimal
from typing import Any

from bnrepro.config import CHOICES, GROUPS, ConfigError, kind_of, one_of, shown
from bnrepro.config.fields import TAKES_OWN
from bnrepro.config.folders import expanded
from bnrepro.config.messages import OR_OWN
from bnrepro.config.numerals import refuse_misread
from bnrepro.config.overrides.keys import choices_of, keys, no_such_choice
from bnrepro.config.overrides.sources import pinned
from bnrepro.config.own import BASES, parse

# What people write for whole numbers from one to another.
_SPAN = re.compile(r"([+-]?[0-9]{1,9})(?:\.\.\.?|:|-)([+-]?[0-9]{1,9})")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?([eE][+-]?[0-9]{1,2})?")
PATHS = ("results_dir", "data.root", "model.weights_file")
_LARGEST_WHOLE = 10**18
_SUCH_AS = {"accelerate": "[dropout,l2]", "measures": "[percentiles,norms]"}
_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")


def read_value(key: str, text: str) -> Any:
    """`text` as a value of the key's type.

    Raises:
        ConfigError: if it is none, or no choice of the group.
    """
    if key in GROUPS:
        choice = _unquoted(text)
        if choice == "null":
            raise ConfigError(f"{key}=null: expected a choice; leave {key} out for the default")
        if key in BASES and ":" in choice:
            return pinned(key, choice)
        if choice not in choices_of(key):
            raise no_such_choice(key, choice)
        return choice
    kind = keys()[key]
    if isinstance(kind, types.UnionType) and type(None) in typing.get_args(kind):
        if text == "null":
            return None
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    if text == "null":
        raise ConfigError(f"{key}=null: expected {_expected(key)}; leave it out for the default")
    readers = {int: _whole_number, float: _number, bool: _boolean, str: _text}
    reader = readers.get(kind, _list if typing.get_origin(kind) is list else _size)
    return reader(key, text)


def spell(value: Any) -> str:
    """The inverse: a value as Hydra's grammar reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(spell, value))}]"
    if isinstance(value, str):
        if parse(value) is not None:
            return value
        if _PLAIN.fullmatch(value) and value.lower() not in ("null", "true", "false", "nan", "inf"):
            return value
        quote = '"' if "'" in value else "'"
        return f"{quote}{value}{quote}"
    return repr(value)


def split_at_commas(key: str, text: str) -> list[str]:
    """Split at the commas that stand outside brackets and quotes.

    Raises:
        ConfigError: if a quote is not closed or a value is missing.
    """
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


def value_in_file(key: str, value: Any) -> Any:
    """A value, as it stands in a YAML file, as a value of its key's type.

    Raises:
        ConfigError: if it is none.
    """
    kind = keys()[key]
    # What YAML takes for true, a key of text would spell in a way of its own.
    plain = value is None or isinstance(value, str | int | float)
    plain = plain and (kind is bool or not isinstance(value, bool))
    items = typing.get_args(kind) if typing.get_origin(kind) is list else ()
    listed = isinstance(value, list) and all(type(item) in items for item in value)
    if listed if items else plain:
        return read_value(key, spell(whole(key, value)))
    raise ConfigError(f"{key}: expected {_expected(key)}, got {kind_of(value)}")


def whole(key: str, value: Any) -> Any:
    """The value; what YAML gives as `10000.0` for `1e4` is whole where a whole number belongs."""
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole and int in _kinds(keys()[key]) else value


def _kinds(kind: Any) -> tuple[Any, ...]:
    """A type, or those of a union."""
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _expected(key: str) -> str:
    kind = keys()[key]
    words = {
        int: "a whole number",
        int | None: "a whole number, or null",
        float: "a number",
        bool: "true or false",
    }
    if typing.get_origin(kind) is list:
        return f"a list in brackets, such as {_SUCH_AS.get(key, '[0,100]')}"
    if kind == int | str:
        return "a whole number of at least 1, or 'all'"
    if key in CHOICES:
        return f"one of {', '.join(CHOICES[key])}"
    return words.get(kind, "text")


def _refused(key: str, text: str) -> ConfigError:
    return ConfigError(f"{key}={shown(text)}: expected {_expected(key)}")


def _whole_number(key: str, text: str) -> int:
    if _WHOLE.fullmatch(text):
        refuse_misread(f"{key}=", text)
        value = Decimal(text)
        if value == value.to_integral_value() and abs(value) < _LARGEST_WHOLE:
            return int(value)
    span = _SPAN.fullmatch(text)
    if span is None:
        refuse_misread(f"{key}=", text)
        raise _refused(key, text)
    first, last = map(int, span.groups())
    raise ConfigError(
        f"{key}={text}: expected {_expected(key)}; did you mean '{key}=range({first},{last + 1})'?"
    )


def _number(key: str, text: str) -> float:
    refuse_misread(f"{key}=", text)
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError as error:
        raise _refused(key, text) from error
    if not math.isfinite(value):
        raise ConfigError(f"{key}={shown(text)}: expected a finite number")
    return value + 0.0  # -0 is 0


def _boolean(key: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise _refused(key, text)
    return text.lower() == "true"


def _size(key: str, text: str) -> int | str:
    return "all" if _unquoted(text) == "all" else _whole_number(key, text)


def _list(key: str, text: str) -> list[Any]:
    if not (text.startswith("[") and text.endswith("]")):
        raise _refused(key, text)
    inside = text[1:-1].strip()
    read = _whole_number if typing.get_args(keys()[key]) == (int,) else _text
    return [read(key, part) for part in split_at_commas(key, inside)] if inside else []


def _text(key: str, text: str) -> str:
    plain = _unquoted(text)
    if not plain.strip() or "\\" in plain or ("'" in plain and '"' in plain):
        raise ConfigError(
            f"{key}={shown(text)}: expected text that is not empty, without backslashes and with "
            "one kind of quotes at most"
        )
    if (key, plain) == ("normalization", "none"):
        raise ConfigError("normalization=none: expected a normalization; use bn=none for none")
    if key in TAKES_OWN and ":" in plain:
        return pinned(key.removesuffix(".name"), plain)
    if key in CHOICES:
        one_of(key, plain, CHOICES[key], OR_OWN if key in TAKES_OWN else "")
    return expanded(f"{key}=", plain) if key in PATHS else plain


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] in "'\"" and text[-1] == text[0]
    return text[1:-1] if quoted else text
