"""Locks: one holder at a time, and none after the holder's death."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bnrepro.config import ConfigError
from bnrepro.records.lock import Busy, claim, is_held, run_lock

HOLD = """
import sys, time
from pathlib import Path
from bnrepro.records.lock import {lock}
with {lock}(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "results" / "runs" / "mlp-digits-x1" / "seed_0"


def hold_elsewhere(directory: Path, lock: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(lock=lock), str(directory)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def stop(process: subprocess.Popen[str]) -> None:
    with process:
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("lock", ["run_lock", "claim"])
def test_a_run_held_by_another_process_is_busy_until_that_process_dies(
    directory: Path, lock: str
) -> None:
    holder = hold_elsewhere(directory, lock)
    take = {"run_lock": run_lock, "claim": claim}[lock]
    with pytest.raises(Busy, match="seed_0"), take(directory):
        pass
    stop(holder)
    with take(directory):
        pass


def test_a_run_that_trains_by_hand_cannot_be_claimed(directory: Path) -> None:
    holder = hold_elsewhere(directory, "run_lock")
    assert is_held(directory)
    with pytest.raises(Busy, match="trains"), claim(directory):
        pass
    stop(holder)
    assert not is_held(directory)
    with claim(directory):
        pass


def test_a_claim_leaves_the_run_to_the_process_it_starts(directory: Path) -> None:
    with claim(directory), run_lock(directory):
        assert is_held(directory)


def test_asking_creates_nothing(directory: Path) -> None:
    assert not is_held(directory)
    assert not directory.parent.parent.parent.exists()


def test_another_seed_of_the_same_name_is_free(directory: Path) -> None:
    with run_lock(directory):
        assert not is_held(directory.with_name("seed_1"))


def test_busy_is_bad_input() -> None:
    assert issubclass(Busy, ConfigError)
