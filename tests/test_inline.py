"""Drawings on a page: smaller than their files, and the same to the eye."""

import re

import pytest

from bnrepro.drawing.compact import compact
from bnrepro.drawing.inline import of_page
from bnrepro.drawing.shared import with_shared_shapes
from bnrepro.drawing.style import Panel, build, to_bytes

PATH = (
    "M 10 20.5 \nL 10.004 20.5 \nL 9.5 21.25 \nQ 0 0 -1.126 3 \nz\nM 1 1 \nC 1 2 3 4 5 6 \nL -7 0"
)


def places(data: str) -> list[float]:
    """Every place of a path, absolute, whether it is written so or by steps."""
    found: list[float] = []
    here = start = (0.0, 0.0)
    sizes = {"M": 2, "L": 2, "Q": 4, "C": 6}
    for letter, words in re.findall(r"([A-Za-z])([^A-Za-z]*)", data):
        if letter in "zZ":
            here = start
            continue
        numbers = [float(word) for word in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", words)]
        size = sizes[letter.upper()]
        for first in range(0, len(numbers), size):
            origin = here if letter.islower() else (0.0, 0.0)
            own = [one + origin[axis % 2] for axis, one in enumerate(numbers[first:][:size])]
            found += own
            here = (own[-2], own[-1])
            if letter in "mM" and first == 0:
                start = here
    return found


def test_a_path_by_steps_goes_to_the_same_places() -> None:
    (written,) = re.findall(r'd="([^"]+)"', compact(f'<path d="{PATH}"/>'))
    assert len(written) < len(PATH)
    assert places(written) == pytest.approx(places(PATH), abs=0.005 + 1e-9)
    assert written.count("z") == 1


def test_steps_are_rounded_without_adding_up() -> None:
    data = "M 0 0 " + " ".join(f"L {0.004 * step} {step / 3}" for step in range(1, 500))
    (written,) = re.findall(r'd="([^"]+)"', compact(f'<path d="{data}"/>'))
    assert places(written) == pytest.approx(places(data), abs=0.005 + 1e-9)


def drawing(title: str) -> str:
    """A panel with one line as an SVG file."""

    def draw(axes) -> None:
        axes.plot([0, 1, 2], [3, 5, 4], marker="o")
        axes.set_xlabel(title)

    panel = Panel("a", "", "A line.", draw)
    return to_bytes(build([panel], [["a"]]), "svg").decode()


def test_what_two_drawings_share_stands_once_on_the_page() -> None:
    first, second = (of_page(drawing("steps"), name, "A line.") for name in ("one", "two"))
    assert "width" not in first[: first.index(">")]
    separate = f"<body>\n{first}{second}</body>"
    page = with_shared_shapes(separate)
    assert len(page) < 0.7 * len(separate)
    shapes = re.findall(r'<path id="[^"]+"([^>]*)/>', page)
    assert len(shapes) == len(set(shapes)) > 5
    known = set(re.findall(r' id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)) <= {
        pair for name in known for pair in ((name, ""), ("", name))
    }
    # Each use draws the shape that it drew, in the same style.
    assert drawn(page) == drawn(separate)


def drawn(page: str) -> list[tuple[str, ...]]:
    """(shape, the attributes of its use) of every use, in order, styles spelled out."""
    rules = dict(re.findall(r"\.(s[0-9a-f]+)\{([^}]*)\}", page))
    page = re.sub(r'class="(s[0-9a-f]+)"', lambda one: f'style="{rules[one[1]]}"', page)
    shapes = dict(re.findall(r'<path id="([^"]+)"([^>]*)/>', page))
    return [(shapes[name], rest) for name, rest in re.findall(r'<use href="#([^"]+)"(.*?)/>', page)]


def test_a_page_without_drawings_stays_as_it_is() -> None:
    assert with_shared_shapes("<body>\n<p>none</p></body>") == "<body>\n<p>none</p></body>"
