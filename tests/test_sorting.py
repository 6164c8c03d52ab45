"""What is sorted by a key keeps the order of equal keys, on every processor.

By default NumPy and pandas sort by one key with vectors as wide as the processor's: which of two
equal keys comes first is then another one on another machine, and so is a published file. Only by
several keys pandas is stable by itself.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "bnrepro").rglob("*.py"), *(ROOT / "scripts").glob("*.py")])


def unstable_sorts(text: str) -> list[int]:
    """The lines of a source that sort by one key and leave open what becomes of equal ones."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("argsort", "sort_index", "sort_values")
        and not has_several_keys(node)
        and {key.arg: ast.unparse(key.value) for key in node.keywords}.get("kind") != "'stable'"
    ]


def has_several_keys(call: ast.Call) -> bool:
    return any(isinstance(word, ast.List) and len(word.elts) > 1 for word in call.args)


@pytest.mark.parametrize(
    ("line", "is_unstable"),
    [
        ('rows.sort_values("step")', True),
        ('rows.sort_values(["step"], kind="quicksort")', True),
        ("rows.sort_index()", True),
        ("np.argsort(steps)", True),
        ('rows.sort_values("step", kind="stable")', False),
        ('rows.sort_values(["step", "seed"])', False),
    ],
)
def test_an_unstable_sort_is_found(line, is_unstable):
    assert unstable_sorts(line) == [1] * is_unstable


def test_every_sort_by_a_key_is_stable():
    found = {str(path.relative_to(ROOT)): unstable_sorts(path.read_text()) for path in SOURCES}
    assert {path: lines for path, lines in found.items() if lines} == {}
