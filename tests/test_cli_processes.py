"""The command as a process: how quick it is, what it loads, how it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

HEAVY = ["tensorflow", "keras", "jax", "pandas", "scipy", "matplotlib"]
LOADED = """
import sys
from bnrepro.cli import main
code = main(sys.argv[1:])
sys.stdout.flush()
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def start(*words, cwd, **options):
    command = [sys.executable, "-m", "bnrepro", *words]
    return subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "--help"],
        ["sweep", "--help"],
        ["completion", "--query", "bnrepro run model="],
        ["completion", "bash"],
        ["run", "--cfg", "job", "experiment=bn_x5"],
        ["sweep", "bn=bogus"],
        ["sweep", "--status"],
        ["figure", "5"],
        ["run", "--info"],
        ["run", "lerning_rate=3"],
    ],
)
def test_nothing_heavy_is_loaded(words, tmp_path):
    code = LOADED.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["help", "table"],
        ["figure", "5"],
        ["completion", "--query", "bnrepro run model=in"],
    ],
)
def test_help_and_completion_do_without_hydra(words, tmp_path):
    code = LOADED.format(heavy=["hydra", "omegaconf", "yaml", "numpy", "rich"])
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("words", [["--help"], ["completion", "--query", "bnrepro run model="]])
def test_help_and_completion_answer_at_once(words, tmp_path):
    """Against a few modules that come with Python: a slow machine is no failure."""
    modules = [sys.executable, "-c", "import argparse, asyncio, email, http.client"]
    answer = processor_seconds([sys.executable, "-m", "bnrepro", *words], tmp_path)
    assert answer < 3 * processor_seconds(modules, tmp_path)


def processor_seconds(command, cwd):
    """The least of three."""
    seconds = []
    for _ in range(3):
        before = os.times()
        subprocess.run(command, cwd=cwd, stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        seconds.append(
            after.children_user - before.children_user
            + after.children_system - before.children_system
        )  # fmt: skip
    return min(seconds)


def test_a_reader_that_closes_its_end_sees_no_traceback(tmp_path):
    with start("run", "--help", cwd=tmp_path) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


def test_an_interruption_before_the_run_starts_leaves_no_traceback(tmp_path):
    process = start("run", "model=cnn", cwd=tmp_path)
    assert process.stdout.readline().startswith("cnn-digits-x1")
    process.send_signal(signal.SIGINT)
    error = process.communicate()[1]
    assert process.returncode == 130
    assert "Traceback" not in error
    assert list(tmp_path.glob("results/runs/*/*/record.json")) == []


@pytest.mark.slow
def test_a_run_from_its_command_to_its_record(tmp_path):
    began = time.monotonic()
    process = start("run", "model=mlp", "train_steps=50", "threads=1", cwd=tmp_path)
    output, error = process.communicate()
    assert process.returncode == 0, error
    directory = tmp_path / output.splitlines()[-1]
    assert (directory / "record.json").exists() and (directory / "curve.csv").exists()
    assert time.monotonic() - began < 480


def test_missing_data_is_one_line_and_leaves_nothing(tmp_path):
    process = start("run", "data=mnist", "data.root=here", cwd=tmp_path)
    error = process.communicate()[1]
    assert process.returncode == 2
    assert error.count("\n") == 1 and "bnrepro data download mnist" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_results_folder_that_cannot_be_written_is_one_line_before_anything_loads(
    command, tmp_path
):
    if os.geteuid() == 0:
        results = "/proc/bnrepro"
    else:
        tmp_path.chmod(0o500)
        results = "results"
    code = LOADED.format(heavy=HEAVY)
    words = [command, "train_steps=5", f"results_dir={results}"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    line, loaded = done.stderr.splitlines()
    assert line.startswith(f"bnrepro: results_dir={results}: nothing can be written there (")
    assert loaded == "[]"
    assert list(tmp_path.iterdir()) == []
