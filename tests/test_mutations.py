"""Whatever happens to a folder of results: what is whole is shown, what is bad is named."""

from pathlib import Path

import pytest
from mutations import KINDS, RUNS, command_of, copy_of_published, faults

PUBLISHED = Path(__file__).resolve().parent.parent / "results" / "published"

pytestmark = pytest.mark.skipif(
    not (PUBLISHED / "runs").is_dir(), reason="the published runs are not here"
)


def faults_of(tmp_path, numbers, runs, commands_of):
    whole = copy_of_published(PUBLISHED, tmp_path / "whole", runs)
    found = {}
    for number in numbers:
        kind, wrong = faults(whole, tmp_path / f"{number}", number, commands_of(number))
        if wrong:
            found[number, kind] = wrong
    return found


def test_a_hundred_changed_folders_show_what_is_whole_and_name_what_is_not(tmp_path):
    runs = [RUNS[0], RUNS[4], RUNS[5]]
    assert faults_of(tmp_path, range(100), runs, lambda number: ()) == {}


def test_every_kind_of_change_ends_in_a_table_or_in_one_line(tmp_path):
    runs = [RUNS[4], RUNS[5]]
    assert faults_of(tmp_path, range(len(KINDS)), runs, lambda number: ["table"]) == {}


@pytest.mark.slow
def test_two_thousand_changed_folders_end_in_no_traceback_on_any_command(tmp_path):
    assert faults_of(tmp_path, range(2000), RUNS, lambda number: [command_of(number)]) == {}
