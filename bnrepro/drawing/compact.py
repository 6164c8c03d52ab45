"""A drawing in fewer bytes that looks the same: places to a hundredth of a point, paths by steps.

It reads what Matplotlib writes: absolute commands M, L, Q, C and z, each with its own letter.
"""

import re
from collections.abc import Iterable, Iterator

_UNIT = 100  # numbers are whole hundredths, so that steps add up to the places exactly
_GLYPH_PLACE = re.compile(r'(<use [^>]*?) transform="translate\(([-\d.]+) ([-\d.]+)\)"')


def compact(svg: str) -> str:
    """The SVG's text without comments and blanks between elements, its numbers as few digits."""
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", svg)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = _GLYPH_PLACE.sub(lambda found: f'{found[1]} x="{found[2]}" y="{found[3]}"', svg)
    svg = re.sub(r'(<use [^>]*?) y="0"', r"\1", svg)
    svg = re.sub(r'\b(x|y)="([-\d.]+)"', lambda found: f'{found[1]}="{_number(found[2])}"', svg)
    return re.sub(r'\bd="([^"]+)"', lambda found: f'd="{"".join(_by_steps(found[1]))}"', svg)


def _number(written: str) -> str:
    return _digits(round(float(written) * _UNIT))


def _digits(hundredths: int) -> str:
    """`-.5` of -50."""
    whole = f"{abs(hundredths) / _UNIT:.2f}".rstrip("0").rstrip(".").removeprefix("0")
    return f"{'-' if hundredths < 0 else ''}{whole or '0'}"


def _by_steps(data: str) -> Iterator[str]:
    """A path's commands with each place relative to the end of the command before."""
    here = start = [0, 0]
    before = ""
    for letter, words in re.findall(r"([A-Za-z])([^A-Za-z]*)", data):
        places = [round(float(word) * _UNIT) for word in words.split()]
        steps = _in_a_row(place - here[axis % 2] for axis, place in enumerate(places))
        # A letter that would be repeated is understood, as is that of lines after a move.
        is_understood = letter != "M" and letter == (before if before != "M" else "L")
        blank = "" if steps[:1] == "-" else " "
        yield f"{blank if is_understood else letter.lower()}{steps}"
        here = places[-2:] or start
        start = here if letter == "M" else start
        before = letter


def _in_a_row(numbers: Iterable[int]) -> str:
    """The numbers with blanks only where two would read as one: `1.5-2`, `1.5.5`."""
    row = before = ""
    for number in map(_digits, numbers):
        is_apart = not row or number[0] == "-" or (number[0] == "." and "." in before)
        row += number if is_apart else f" {number}"
        before = number
    return row
