"""What is published comes out of the committed records again."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bnrepro.figures import DEFAULT_SCALE
from bnrepro.report import deviations

ROOT = Path(__file__).parent.parent


def bnrepro(*words):
    command = [sys.executable, "-m", "bnrepro", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def readme_tables():
    """(command, the text that follows it) of every table in the README."""
    parts = (ROOT / "README.md").read_text().split("\n`bnrepro table ")[1:]
    return [(part.split("`")[0], part.split("`\n\n", 1)[1]) for part in parts]


@pytest.mark.parametrize(("words", "text"), readme_tables(), ids=lambda value: value[:20])
def test_the_readme_shows_what_its_command_prints(words, text):
    assert text.startswith(bnrepro("table", *shlex.split(words)).strip())


def test_the_readme_shows_the_figures_of_the_bench():
    section = (ROOT / "README.md").read_text().split("\n## How fast\n")[1].split("\n## ")[0]
    (file,) = re.findall(r"\[everything it measured\]\((\S+?)\)", section)
    (table,) = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table in (ROOT / file).read_text()


def test_the_deviations_are_those_of_the_configs():
    assert (ROOT / "results" / "deviations.md").read_text() == deviations.to_markdown(DEFAULT_SCALE)


@pytest.mark.parametrize(
    ("figure", "folder"), [("1", "figure_1"), ("batch_size", "batch_size")], ids=["1", "batch_size"]
)
def test_a_figure_is_rebuilt_from_the_records_without_a_changed_byte(figure, folder, tmp_path):
    published = ROOT / "results"
    (tmp_path / "runs").symlink_to(published / "runs")
    bnrepro("figure", figure, f"results_dir={tmp_path}")
    names = {path.name for path in (published / folder).iterdir()}
    assert names == {path.name for path in (tmp_path / folder).iterdir()}
    for name in names:
        rebuilt = (tmp_path / folder / name).read_bytes()
        assert rebuilt == (published / folder / name).read_bytes(), name
