"""Tests that wait have the patience of a slow and busy machine; only promises have a bound."""

import ast
from pathlib import Path

import pytest
from runs import START_SECONDS

HERE = Path(__file__).parent
# Of a test that waits once for a start; one that hangs is ended after a few of these.
WHOLE_TEST = 2 * START_SECONDS


def waits(path):
    """(line, seconds) of each number that a file of tests gives as a `timeout`."""
    for node in ast.walk(ast.parse(path.read_text())):
        given = isinstance(node, ast.keyword) and node.arg == "timeout"
        if given and isinstance(node.value, ast.Constant):
            yield node.value.lineno, node.value.value


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.name)
def test_no_test_times_out_because_the_machine_is_busy(path):
    short = [(line, seconds) for line, seconds in waits(path) if seconds < START_SECONDS]
    assert short == []


def test_the_limit_of_every_test_leaves_room_for_two_starts(pytestconfig):
    assert float(pytestconfig.getini("timeout")) >= WHOLE_TEST
