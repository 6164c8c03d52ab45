"""Lines as wide as the terminal, never broken inside a word, and numbers as people read them."""

import os
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import IO

# Where no terminal says how wide it is: a file, a pipe.
_WIDTH = 100
_NARROWEST = 40
# Stands between a number and its unit while a text is wrapped.
_TIE = "\N{NO-BREAK SPACE}"


def width(stream: IO[str] | None = None) -> int:
    """The columns of the terminal that `stream` (standard output) is; 100 where it is none."""
    return _terminal_width(stream or sys.stdout) or _WIDTH


def wrapped(text: str, columns: int, indent: int = 0) -> str:
    """The text in lines of at most so many columns, all but the first one indented.

    A number stays beside its unit; a word that is longer than a line stands whole on its own.
    """
    lines = textwrap.wrap(
        re.sub(r"(?<=\d) (?=\S)", _TIE, text),
        columns,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(_TIE, " ")


def printed(line: str, stream: IO[str]) -> str:
    """A line as `stream` gets it: wrapped in a terminal, else whole, for programs that read it."""
    columns = _terminal_width(stream)
    return line if columns is None else wrapped(line, columns, indent=2)


def beside(left: str, right: str, column: int, columns: int) -> str:
    """`left`, and from `column` on `right` in as many lines as it takes.

    A `left` that reaches beyond the column has `right` below it.
    """
    lines = wrapped(f"{' ' * column}{right}", columns, column).splitlines() if right else []
    if not lines or len(left) + 2 > column:
        return "\n".join([left.rstrip(), *lines])
    return "\n".join([left.ljust(column) + lines[0][column:], *lines[1:]])


def _terminal_width(stream: IO[str]) -> int | None:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return None
    # A terminal that does not know its size says 0.
    return max(columns, _NARROWEST) if columns else None


def fitted(parts: Iterable[str], columns: int) -> str:
    """As many of the parts, the first ones, as one line of so many columns has room for."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if len(longer) > columns:
            break
        line = longer
    return line


def percent(fraction: float) -> str:
    """`72.20 %`."""
    return f"{100 * fraction:.2f} %"


def count(number: int, noun: str) -> str:
    """`1 step`, `2,000 steps`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """Seconds in words: `45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"
