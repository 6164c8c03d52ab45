"""The table of mutants fits the code: what is to be changed stands there once."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import mutants  # noqa: E402

MUTANTS = mutants.load()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file}: {mutant.says}")
def test_a_mutant_has_its_place_and_its_tests(mutant):
    assert mutants.is_placed(mutant)
    assert mutant.new != mutant.old
    assert mutant.tests
    assert all((ROOT / test).is_file() for test in mutant.tests)


def test_no_mutant_is_there_twice():
    assert len({(mutant.file, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS) >= 40


def test_the_first_failure_is_read_off_pytests_summary():
    summary = "==\nFAILED tests/test_a.py::test_b[jax-1] - assert 1 == 2\n1 failed in 3.0s\n"
    assert mutants.first_failure(summary) == "test_a.py::test_b[jax-1]"
    assert mutants.first_failure("ERROR tests/test_a.py - NameError: x\n") == "test_a.py"


def test_a_mutant_is_noticed_or_survives_and_leaves_the_tree_as_it_was(tmp_path):
    """With a real pytest over a tree of one module and one test."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    module, test = tmp_path / "double.py", tmp_path / "test_double.py"
    text = "def double(x):\n    return 2 * x  # twice\n"
    module.write_text(text)
    test.write_text("from double import double\n\n\ndef test_it():\n    assert double(3) == 6\n")
    for old, new, noticed_by in (
        ("2 * x", "3 * x", "test_double.py::test_it"),
        ("# twice", "# thrice", None),
    ):
        mutant = mutants.Mutant(module.name, (test.name,), "", "something else", old, new)
        assert mutants.run_mutant(tmp_path, mutant, False).noticed_by == noticed_by
        assert module.read_text() == text
