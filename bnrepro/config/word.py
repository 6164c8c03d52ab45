"""The word by which a run's name says a key: `rate0.001`, `adam`, `no_gamma`.

Words and places are a contract: directories on disk are found by them. A key that is added gets a
word of its own and the next place; none is changed or used again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bnrepro.config.names import ACCELERATIONS
from bnrepro.config.own import SHORT_DIGEST, WHOLE_DIGEST, parse

# What every file system takes; `-` stands between the parts of a name.
_PART = re.compile(r"[A-Za-z0-9._]+")
_DIGEST = re.compile(rf"[0-9a-f]{{{WHOLE_DIGEST}}}")

# A value as a word; None where letters, digits, `.` and `_` do not say it.
Spelling = Callable[[Any], str | None]


@dataclass(frozen=True)
class Word:
    """How a value is spelled, and where the word stands among those of other keys."""

    place: int
    spell: Spelling


def is_part(text: str) -> bool:
    """Whether a name can hold the text as one of its parts."""
    return _PART.fullmatch(text) is not None


def number(place: int, word: str, *instead: tuple[Any, str]) -> Word:
    """A number after the key's word: all its digits, never an exponent, `rate0.00001`.

    `instead` are values that are no number or read better in words, with these.
    """
    in_words = dict(instead)

    def spell(value: Any) -> str | None:
        if value in in_words:
            return in_words[value]
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            return None
        return f"{word}{Decimal(repr(abs(value))).normalize():f}"

    return Word(place, spell)


def itself(place: int, *instead: tuple[Any, str]) -> Word:
    """A value that says by itself what it is of; `instead` are those that do not, in words."""
    in_words = dict(instead)
    return Word(place, lambda value: in_words.get(value, _plain(value)))


def named(place: int, word: str) -> Word:
    """A value after the key's word, where it does not say by itself what it is of."""
    return Word(place, lambda value: f"{word}_{_plain(value)}" if _plain(value) else None)


def hashed(place: int, word: str, *instead: tuple[Any, str]) -> Word:
    """The beginning of a whole digest after the key's word; `instead` are others, in words."""
    in_words = dict(instead)

    def spell(value: Any) -> str | None:
        if value in in_words:
            return in_words[value]
        is_whole = isinstance(value, str) and _DIGEST.fullmatch(value) is not None
        return f"{word}_{value[:SHORT_DIGEST]}" if is_whole else None

    return Word(place, spell)


def switch(place: int, word: str) -> Word:
    """The word where the key is true, `no_` before it where it is false."""
    return Word(place, lambda value: {True: word, False: f"no_{word}"}.get(value))


def listed(place: int, word: str) -> Word:
    """The parts of a list after the key's word, `none` for an empty one."""
    return Word(place, lambda value: "_".join([word, *map(str, value)]) if value else f"no_{word}")


def accelerations(place: int) -> Word:
    """The changes of section 4.2.1 that apply, or those that do not where these are fewer."""
    return Word(place, _accelerations)


def _plain(value: Any) -> str | None:
    part = parse(value)
    if part is not None:
        return part.word
    return value if isinstance(value, str) and is_part(value) else None


def _accelerations(value: Any) -> str | None:
    if not set(value) <= set(ACCELERATIONS):
        return None
    left_out = sorted(set(ACCELERATIONS).difference(value))
    if not value or not left_out:
        return "accelerate_none" if not value else "accelerate_all"
    fewer = sorted(value) if len(value) <= len(left_out) else ["without", *left_out]
    return "_".join(["accelerate", *fewer])
