"""Standard streams, closed, full, broken or narrow, change no exit code and lose no record."""

import json
import os
import subprocess
import sys

import pytest
from runs import only_directory

from bnrepro.cli.commands import COMMANDS
from bnrepro.screen.streams import unfailing

NARROW = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
# How a shell starts the command, and what its environment has beside ours.
SURROUNDINGS = {
    "stdin closed": ("<&-", {}),
    "stdout closed": (">&-", {}),
    "stderr closed": ("2>&-", {}),
    "all closed": ("<&- >&- 2>&-", {}),
    "both full": (">/dev/full 2>/dev/full", {}),
    "broken": ("> >(exec true)", {}),
    "narrow": ("", NARROW),
}
SHORT = ("model=mlp", "data=digits", "data.train_examples=120", "backend=jax", "train_steps=2",
         "evaluate_every=2", "checkpoint_every=2", "tensorboard=false")  # fmt: skip
# The same words end in the same code whatever the streams are.
CODES = {"run experiment=Größe": 2, "sweep --dry-run bn=none,x5": 0, "table": 2}
MORE_CODES = {
    "run --cfg job bn=x5": 0,
    "run lerning_rate=1": 2,
    "sweep --status": 0,
    "figure 5": 2,
    "data list": 0,
    "report --commands": 0,
    "completion bash": 0,
    **{f"{name} --help": 0 for name in COMMANDS},
    **{f"{name} bogus=1": 2 for name in COMMANDS},
}


def shell(words, cwd, redirection, environment):
    line = f'"$0" -m bnrepro "$@" {redirection}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("words", CODES)
def test_no_stream_changes_an_exit_code(words, surroundings, tmp_path):
    ends_with(CODES[words], words, surroundings, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("words", MORE_CODES)
def test_no_stream_changes_any_exit_code(words, surroundings, tmp_path):
    ends_with(MORE_CODES[words], words, surroundings, tmp_path)


def ends_with(code, words, surroundings, cwd):
    done = shell(words.split(), cwd, *SURROUNDINGS[surroundings])
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "surroundings",
    [
        "all closed",
        pytest.param("both full", marks=pytest.mark.slow),
        pytest.param("narrow", marks=pytest.mark.slow),
    ],
)
def test_no_stream_loses_a_record(surroundings, tmp_path):
    done = shell(["run", *SHORT], tmp_path, *SURROUNDINGS[surroundings])
    assert done.returncode == 0, done.stderr
    record = json.loads((only_directory(tmp_path / "results") / "record.json").read_text())
    assert record["status"] == "completed"


def test_a_full_disk_under_standard_output_is_said(tmp_path):
    done = shell(["run", "--cfg", "job"], tmp_path, ">/dev/full", {})
    assert done.stderr.decode().splitlines() == [
        "bnrepro: standard output: No space left on device; the rest is not printed"
    ]


def test_letters_that_a_charset_has_not_are_question_marks(tmp_path):
    with (tmp_path / "out").open("wb") as out:
        stream = unfailing(out.fileno(), "ascii")
        stream.write("72 % · Größe \udcff\n")
        stream.flush()
    assert (tmp_path / "out").read_bytes() == b"72 % ? Gr??e ?\n"
