"""Locks between machines that share a folder: who is alive, who is taken for dead, and when."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from runs import START_SECONDS

from bnrepro.records import lease
from bnrepro.records.lock import Busy, claim, is_claimed, is_held, kept, run_lock
from bnrepro.sweep.announcement import announced_below

# File locks that no other machine sees, as on some shared file systems; then hold the run.
HOLD = """
import fcntl, sys, time
from pathlib import Path
fcntl.flock = lambda descriptor, operation: None
from filelock import FileLock
from bnrepro.records import lease, lock
lease.LEASE_SECONDS, lock.HEARTBEAT_SECONDS, lease.HEARTBEAT_SECONDS = 8.0, 0.5, 0.5
directory = Path(sys.argv[1])
with FileLock(lock._path(directory, "run")).acquire(blocking=False):
    print("the file lock is free", flush=True)
try:
    with lock.run_lock(directory):
        print("held", flush=True)
        time.sleep(600)
except lock.Busy as error:
    print(error, flush=True)
"""
UNSHARE = ["unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "results" / "runs" / "mlp-digits-x1" / "seed_0"
    with claim(directory), run_lock(directory):
        pass  # the locks are there, and free
    return directory


def path_of(directory: Path, purpose: str) -> Path:
    return directory.parents[2] / ".locks" / f"mlp-digits-x1-seed_0.{purpose}.lease"


def leave_elsewhere(path: Path, age: float) -> None:
    """What a process on another machine has left, its last sign of life so many seconds ago."""
    path.write_text(json.dumps({"owner": "3f", "host": "node7", "boot": "another"}))
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))


def test_a_lease_lies_beside_the_lock_while_it_is_held(directory: Path) -> None:
    path = path_of(directory, "run")
    with run_lock(directory):
        written = json.loads(path.read_text())
        assert (written["host"], written["boot"]) == lease.this_machine()
        assert set(written) == {"owner", "host", "boot"}
    assert not path.exists()


@pytest.mark.parametrize(("age", "held"), [(5.0, True), (115.0, True), (125.0, False)])
def test_another_machine_holds_while_its_last_sign_of_life_is_recent(
    directory: Path, age: float, held: bool
) -> None:
    for purpose in ("run", "claim"):
        leave_elsewhere(path_of(directory, purpose), age)
    assert (is_held(directory), is_claimed(directory)) == (held, held)
    if held:
        with pytest.raises(Busy, match="on node7"), claim(directory):
            pass
    else:
        with claim(directory), run_lock(directory):
            assert is_held(directory)


def test_times_are_compared_by_the_clock_of_the_file_system(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_elsewhere(path_of(directory, "run"), 5.0)
    ahead = time.time() + 3600.0
    monkeypatch.setattr(lease.time, "time", lambda: ahead)
    assert is_held(directory)


def test_a_living_holder_is_refused_after_one_sign_of_life(directory: Path) -> None:
    path, over = path_of(directory, "run"), Event()
    leave_elsewhere(path, 1.0)

    def live() -> None:
        while not over.wait(2.0):
            os.utime(path)

    other = Thread(target=live)
    other.start()
    try:
        with pytest.raises(Busy, match="trains this run on node7"), run_lock(directory):
            pass
    finally:
        over.set()
        other.join()
    assert json.loads(path.read_text())["host"] == "node7"


def test_a_silent_holder_is_waited_for_and_taken_over(directory: Path) -> None:
    leave_elsewhere(path_of(directory, "run"), lease.LEASE_SECONDS - 4.0)
    began = time.monotonic()
    with run_lock(directory):
        assert time.monotonic() - began > 3.0
        assert json.loads(path_of(directory, "run").read_text())["host"] != "node7"


def test_a_lease_of_a_dead_process_of_this_machine_is_in_nobodys_way(directory: Path) -> None:
    host, boot = lease.this_machine()
    text = json.dumps({"owner": "dead", "host": host, "boot": boot})
    path_of(directory, "run").write_text(text)
    assert not is_held(directory)
    began = time.monotonic()
    with run_lock(directory):
        assert time.monotonic() - began < lease.LEASE_SECONDS / 4


@pytest.mark.parametrize("text", ["", "[]", '{"owner": 3'])
def test_a_lease_that_is_being_written_is_somebodys(directory: Path, text: str) -> None:
    path_of(directory, "run").write_text(text)
    assert is_held(directory)


def test_of_two_that_take_over_the_last_one_has_it(directory: Path) -> None:
    path = path_of(directory, "run")
    leave_elsewhere(path, lease.LEASE_SECONDS + 1.0)
    mine = lease.Lease(path)
    later = Thread(target=lambda: (time.sleep(0.5), leave_elsewhere(path, 0.0)))
    later.start()
    with pytest.raises(lease.Leased, match="node7"):
        mine.take(patient=False)
    later.join()


def test_what_is_kept_without_a_thread_is_renewed_by_hand(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bnrepro.records.lock import renew

    path = path_of(directory, "claim")
    with claim(directory):
        os.utime(path, (1.0, 1.0))
        renew()
        assert path.stat().st_mtime == 1.0  # it is not yet time
        monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.0)
        renew()
        assert path.stat().st_mtime > 1.0


def test_a_lease_that_somebody_tidied_up_is_written_again(directory: Path) -> None:
    path = path_of(directory, "run")
    mine = lease.Lease(path)
    mine.take(patient=False)
    path.unlink()
    assert mine.renew()
    leave_elsewhere(path, 0.0)
    assert not mine.renew()
    mine.release()
    assert json.loads(path.read_text())["host"] == "node7"


def test_a_sweep_of_another_machine_is_seen(directory: Path) -> None:
    row = {"name": "mlp-digits-x1", "seed": 0, "config": {}}
    folder = directory.parents[2] / ".locks"
    (folder / "sweep-1.json").write_text(json.dumps([row]))
    with kept(folder / "sweep-1.lock", "taken"):
        pass
    assert announced_below(str(folder.parent)) == []
    leave_elsewhere(folder / "sweep-1.lease", 5.0)
    assert [one.directory for one in announced_below(str(folder.parent))] == [directory]


def start(directory: Path, *prefix: str) -> subprocess.Popen[str]:
    words = [*prefix, sys.executable, "-c", HOLD, str(directory)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.communicate()


def test_a_process_whose_run_was_taken_over_ends_at_once(directory: Path) -> None:
    holder = start(directory)
    assert [says(holder), says(holder)] == ["the file lock is free", "held"]
    leave_elsewhere(path_of(directory, "run"), 0.0)
    _, said = holder.communicate(timeout=START_SECONDS)
    assert holder.returncode == 1
    assert "another machine has taken this run over" in said


def in_a_namespace(host: str) -> Callable[[Path], "subprocess.Popen[str]"]:
    name = [*UNSHARE, "sh", "-c", f'hostname {host} && exec "$@"', "sh"]
    return lambda directory: start(directory, *name)


def can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    trial = [*UNSHARE, "sh", "-c", "hostname node1"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not can_unshare(), reason="this user may not make PID and UTS namespaces")
def test_a_run_of_another_host_is_held_until_that_host_is_silent(directory: Path) -> None:
    first = in_a_namespace("node1")(directory)
    assert [says(first), says(first)] == ["the file lock is free", "held"]
    # The second sees nobody's file lock, and in its own namespace no process of the first.
    second = in_a_namespace("node2")(directory)
    assert says(second) == "the file lock is free"
    assert "another process trains this run on node1" in says(second)
    end(second)
    first.kill()  # without a farewell: the lease stays
    first.wait()
    assert json.loads(path_of(directory, "run").read_text())["host"] == "node1"
    third = in_a_namespace("node2")(directory)
    assert [says(third), says(third)] == ["the file lock is free", "held"]
    assert json.loads(path_of(directory, "run").read_text())["host"] == "node2"
    end(first, third)
