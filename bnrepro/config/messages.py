"""Bad input in words: what was received, what was expected, and what to do."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

# A reader who is told more names than this looks them up where they stand.
_MOST_NAMES = 5


class ConfigError(ValueError):
    """Bad input: what was received, what was expected, and the remedy, in one line."""


# What some keys and groups take beside the names that they have.
OR_OWN = ", or module:Name of your own"


def one_of(key: str, received: Any, choices: Sequence[str], others: str = "") -> None:
    """Refuse a name that is not among `choices`; `others` says what else is taken.

    Raises:
        ConfigError: with the choices, and the nearest.
    """
    if received not in choices:
        near = did_you_mean(received, choices)
        raise ConfigError(f"{key}={received}: expected one of {', '.join(choices)}{others}{near}")


def did_you_mean(received: Any, choices: Sequence[str]) -> str:
    """`; did you mean 'x'?` for the nearest choice, or nothing."""
    near = difflib.get_close_matches(str(received), list(choices), n=1, cutoff=0.6)
    near = near or [choice for choice in choices if received and choice.startswith(str(received))]
    return f"; did you mean '{near[0]}'?" if near else ""


def first_few(names: Iterable[str], separator: str = ", ") -> str:
    """Names of which there may be many, for a message: `a, b, c, d, e and 12 more`."""
    every = list(names)
    left_out = len(every) - _MOST_NAMES
    more = f" and {left_out:,} more" if left_out > 0 else ""
    return separator.join(every[:_MOST_NAMES]) + more


def one_line(error: BaseException) -> str:
    """An exception's message without line breaks, or else its name."""
    return " ".join(str(error).split()) or type(error).__name__


def kind_of(received: Any) -> str:
    """What was received from a file, for a message: its kind where it is no single value."""
    if received is None:
        return "nothing"
    kinds = ((dict, "a mapping"), (list, "a list"))
    return next((words for kind, words in kinds if isinstance(received, kind)), shown(received))


def shown(received: Any, longest: int = 80) -> str:
    """What was received, short enough for a message."""
    text = str(received)
    return text if len(text) <= longest else f"{text[:longest]}..."
