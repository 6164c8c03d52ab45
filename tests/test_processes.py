"""Processes that train one network together leave what one process leaves, and end together."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pandas as pd
import pytest
from runs import START_SECONDS

from bnrepro.config.composition import compose
from bnrepro.records.record import read_record

WORDS = (
    "backend=jax", "model=mlp", "bn=x5", "data=digits", "batch_size=32", "precision=float64",
    "device=cpu", "threads=1", "train_steps=60", "evaluate_every=20", "tensorboard=false",
)  # fmt: skip
LONG = ("train_steps=100000", "evaluate_every=10")
TOGETHER = ("devices=4", "processes=2")
SECONDS_TO_TRAIN = START_SECONDS
SECONDS_TO_END = 15

pytestmark = pytest.mark.slow


def command(results_dir, *words):
    return [
        sys.executable, "-P", "-m", "bnrepro", "run", *WORDS, *words, f"results_dir={results_dir}"
    ]  # fmt: skip


def start(results_dir, rank, port, *words):
    environment = {
        **os.environ,
        "JAX_COORDINATOR_ADDRESS": f"localhost:{port}",
        "JAX_PROCESS_ID": str(rank),
    }
    return subprocess.Popen(
        command(results_dir, *words, *TOGETHER),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def pair(results_dir, *words):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    with (
        start(results_dir, 0, port, *words) as first,
        start(results_dir, 1, port, *words) as second,
    ):
        try:
            yield [first, second]
        finally:
            first.kill()
            second.kill()


def ends(processes, seconds):
    """Exit codes and what was said, of processes that must end in time."""
    said = [process.communicate(timeout=seconds) for process in processes]
    return [process.returncode for process in processes], said


def alone(results_dir, *words):
    subprocess.run(command(results_dir, *words), check=True, capture_output=True)


def directory(results_dir, *words):
    return compose([*WORDS, *words, f"results_dir={results_dir}"]).directory


def curve(results_dir, *words):
    return pd.read_csv(directory(results_dir, *words) / "curve.csv").drop(columns="train_seconds")


def wait_for_evaluations(path):
    deadline = time.monotonic() + SECONDS_TO_TRAIN
    while not (path.exists() and len(path.read_text().splitlines()) > 3):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def assert_same(one, other):
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, check_dtype=False)


@pytest.fixture(scope="module")
def by_one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by_one")
    alone(folder)
    return folder


def test_two_processes_leave_what_one_leaves(by_one, tmp_path):
    with pair(tmp_path) as processes:
        codes, ((first, _), (second, _)) = ends(processes, SECONDS_TO_TRAIN)
    assert codes == [0, 0]
    assert_same(curve(tmp_path), curve(by_one))
    record = read_record(directory(tmp_path))
    assert record.status == "completed" and record.environment["device"].startswith("4 x ")
    # One of them speaks, and one of them writes.
    assert "completed" in first and "completed" not in second
    assert len(list((tmp_path / "runs").rglob("record.json"))) == 1
    again = subprocess.run(command(tmp_path), check=True, capture_output=True, text=True)
    assert "done already" in again.stderr


def test_a_signal_to_one_ends_both_and_any_number_goes_on(tmp_path):
    with pair(tmp_path, *LONG) as processes:
        wait_for_evaluations(directory(tmp_path, *LONG) / "curve.csv")
        processes[1].send_signal(signal.SIGTERM)
        codes, _ = ends(processes, SECONDS_TO_END)
    assert codes == [128 + signal.SIGTERM] * 2
    record = read_record(directory(tmp_path, *LONG))
    assert (record.status, record.error) == ("interrupted", "SIGTERM")
    assert record.train_steps >= 20


def test_work_that_two_began_is_ended_by_one(by_one, tmp_path):
    """Stopped halfway by its own length, which a longer run goes on from, on other devices."""
    kept = ("keep_checkpoint=true",)
    with pair(tmp_path, *kept, "train_steps=40") as processes:
        codes, _ = ends(processes, SECONDS_TO_TRAIN)
    assert codes == [0, 0]
    alone(tmp_path, *kept, "devices=2")
    assert read_record(directory(tmp_path)).continued_from is not None
    assert_same(curve(tmp_path), curve(by_one))


@pytest.mark.parametrize("killed", [0, 1])
def test_when_one_is_killed_the_other_ends_and_the_work_is_saved(killed, tmp_path):
    words = (*LONG, "checkpoint_every=10")
    with pair(tmp_path, *words) as processes:
        wait_for_evaluations(directory(tmp_path, *words) / "curve.csv")
        processes[killed].kill()
        (code,), ((_, said),) = ends([processes[1 - killed]], SECONDS_TO_END)
        # The first one keeps their list: without it JAX may end the other before XLA tells it.
        assert code == 1 or (killed == 0 and code == -signal.SIGABRT)
        assert "Traceback" not in said
    saved = sorted((directory(tmp_path, *words) / "checkpoint").glob("*.ckpt"))
    assert saved and int(saved[-1].stem) >= 10


def test_processes_that_nothing_brings_together_are_refused(tmp_path):
    variables = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    done = subprocess.run(
        command(tmp_path, *TOGETHER), env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "processes=2" in done.stderr and "JAX_COORDINATOR_ADDRESS" in done.stderr
    assert not list(tmp_path.rglob("record.json"))
