"""What ARCHITECTURE.md says about files, and its program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from runs import finish, only_directory

from bnrepro.records.record import CURVE_COLUMNS, read_record, read_rows

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "ARCHITECTURE.md").read_text()


def test_every_file_to_touch_is_there_and_they_are_counted():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert {"normalization", "model", "optimizer", "data set", "exhibit", "backend"} <= {
        new for new, _, _ in rows
    }
    for new, files, number in rows:
        paths = [name for name in re.findall("`([^`]+)`", files) if re.search(r"[/.]|^M", name)]
        assert len(paths) == int(number), new
        assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.slow
def test_the_run_in_sixty_lines_is_the_run_of_the_command(tmp_path):
    (program,) = (
        block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "while" in block
    )
    assert len(program.splitlines()) <= 65
    (words,) = re.findall(r"compose\(\[(.*)\]\)", program)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    short = (tmp_path / done.stdout.strip()).parent
    finish(tmp_path / "command", *re.findall('"([^"]+)"', words))
    whole = only_directory(tmp_path / "command")
    expected, received = (
        [row[:-1] for row in read_rows(directory / "curve.csv", CURVE_COLUMNS)]
        for directory in (whole, short)
    )
    assert received[1:] == expected[1:]
    population = [read_record(one).final_accuracy_population for one in (whole, short)]
    assert population[0] == population[1] is not None
