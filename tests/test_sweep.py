"""Sweeps over stand-ins for runs: every way to end, to stop, and to share the work."""

import contextlib
import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fake_sweep import completed_record, launcher

from bnrepro.config import ConfigError
from bnrepro.config.group import members
from bnrepro.config.merging import merge
from bnrepro.records.loading import load_curves, load_runs
from bnrepro.records.lock import claim, run_lock
from bnrepro.records.record import CURVE_COLUMNS, read_record, write_record, write_rows
from bnrepro.sweep import run_sweep, show_folder, show_status
from bnrepro.sweep.launcher import Process, start
from bnrepro.sweep.outcome import Ending, _in_words

FAKE_SWEEP = Path(__file__).with_name("fake_sweep.py")
NAME = "mlp-digits-x1"
# The longest that anything here may take on a slow, busy machine, in seconds.
PATIENCE = 120.0


class Folder:
    """A results folder with fake runs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results = root / "results"
        self.behaviours = root / "behaviours.json"
        self.behave()

    def behave(self, **by_seed: str) -> None:
        """What the runs do, by seed: `behave(s0="SIGKILL")`."""
        self.behaviours.write_text(json.dumps({key[1:]: how for key, how in by_seed.items()}))

    def directory(self, seed: int, name: str = NAME) -> Path:
        return self.results / "runs" / name / f"seed_{seed}"

    def status(self, seed: int) -> str | None:
        if not (self.directory(seed) / "record.json").exists():
            return None
        return read_record(self.directory(seed)).status

    def error(self, seed: int) -> str | None:
        return read_record(self.directory(seed)).error

    def starts(self, seed: int) -> list[str]:
        path = self.directory(seed) / "starts"
        return path.read_text().splitlines() if path.exists() else []

    def words(self, *overrides: str) -> list[str]:
        return ["model=mlp", *overrides, f"results_dir={self.results}"]

    def sweep(self, *overrides: str, **options: object) -> int:
        run = launcher(self.behaviours)
        return run_sweep(self.words(*overrides), launcher=run, **options)  # type: ignore[arg-type]

    def start_sweep(self, *words: str) -> "subprocess.Popen[str]":
        flags = [word for word in words if word.startswith("--")]
        plain = [word for word in words if not word.startswith("--")]
        return subprocess.Popen(
            [sys.executable, FAKE_SWEEP, self.behaviours, *flags, *self.words(*plain)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def pid(self, seed: int) -> int:
        """The process id of a fake run, once it trains."""
        path = self.directory(seed) / "pid"
        wait_for(path.exists)
        return int(path.read_text())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return Folder(tmp_path)


def wait_for(happened: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


def await_line(sweep: "subprocess.Popen[str]", text: str) -> str:
    """Read what the sweep prints up to the line that holds `text`."""
    assert sweep.stdout is not None
    for line in sweep.stdout:
        if text in line:
            return line
    raise AssertionError(f"the sweep ended without a line that says {text}")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


KILLED = (
    "killed by SIGKILL, as a process is where memory ends: fewer runs at once (--workers), or a "
    "smaller batch_size or model.width"
)


def test_every_way_to_end_is_recorded_and_the_others_go_on(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.behave(s0="SIGKILL", s1="SIGSEGV", s2="exits", s3="raises", s4="forgets", s5="diverges")
    assert folder.sweep("seed=range(0,7)", workers=2) == 1
    assert [folder.status(seed) for seed in range(7)] == [*["failed"] * 5, "diverged", "completed"]
    assert folder.error(0) == KILLED
    assert folder.error(1) == "killed by SIGSEGV"
    assert folder.error(2) == "exited with code 3: no space left in mnist.gz"
    assert folder.error(3) == "ValueError: bad luck"
    assert folder.error(4) == "exited with code 0"
    assert read_record(folder.directory(0)).train_steps == 30
    out, err = capfd.readouterr()
    assert "7 runs: 1 done, 1 diverged, 5 failed" in err
    assert f"failed  {NAME} seed 2: exited with code 3: no space left in /home/somebody" in out
    for seed in range(5):
        assert f"log: {folder.directory(seed) / 'log.txt'}" in out
    assert NAME in out.split("failed")[0]  # the result table


def test_records_of_failed_runs_can_be_loaded_with_the_others(folder: Folder) -> None:
    folder.behave(s0="SIGKILL")
    folder.sweep("seed=0,1")
    runs, curves = load_runs(folder.results), load_curves(folder.results)
    assert list(runs["status"]) == ["failed", "completed"]
    assert list(curves["seed"]) == [1]


def test_what_is_done_is_not_run_again(folder: Folder) -> None:
    folder.behave(s1="diverges")
    assert folder.sweep("seed=0,1") == 0
    assert folder.sweep("seed=0,1,2") == 0
    assert [len(folder.starts(seed)) for seed in range(3)] == [1, 1, 1]


def test_a_committed_record_counts_as_done(folder: Folder) -> None:
    folder.directory(0).mkdir(parents=True)
    record = completed_record(folder.words("seed=0", "threads=4"))
    write_record(folder.directory(0), record)
    (folder.directory(0) / "curve.csv").write_text("")
    assert folder.sweep("seed=0") == 0
    assert folder.starts(0) == []


def test_a_directory_of_another_config_is_refused_before_anything_starts(folder: Folder) -> None:
    folder.directory(1).mkdir(parents=True)
    record = completed_record(folder.words("seed=1", "learning_rate=0.7"))
    write_record(folder.directory(1), record)
    with pytest.raises(ConfigError, match="learning_rate"):
        folder.sweep("seed=0,1")
    assert folder.starts(0) == []


def test_a_record_cut_in_half_is_refused_and_left_as_it_is(folder: Folder) -> None:
    folder.directory(0).mkdir(parents=True)
    (folder.directory(0) / "record.json").write_text('{"schema_ver')
    with pytest.raises(ConfigError, match="move the run's directory aside"):
        folder.sweep("seed=0")
    assert (folder.directory(0) / "record.json").read_text() == '{"schema_ver'


def test_failed_runs_are_left_alone_until_a_retry_and_their_log_is_kept(folder: Folder) -> None:
    folder.behave(s0="exits")
    assert folder.sweep("seed=0") == 1
    folder.behave()
    assert folder.sweep("seed=0") == 1
    assert len(folder.starts(0)) == 1
    assert folder.sweep("seed=0", retry_failed=True) == 0
    assert len(folder.starts(0)) == 2
    assert "no space left" in (folder.directory(0) / "log.txt").read_text()


def test_a_retry_that_is_killed_replaces_the_old_reason(folder: Folder) -> None:
    folder.behave(s0="raises")
    folder.sweep("seed=0")
    folder.behave(s0="SIGKILL")
    assert folder.sweep("seed=0", retry_failed=True) == 1
    assert folder.error(0) == KILLED


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (1, "bnrepro: out of memory on the device: remedy", "out of memory on the device: remedy"),
        (1, "bnrepro: no such file", "exited with code 1: bnrepro: no such file"),
        (-6, "  what():  std::bad_alloc", KILLED.replace("SIGKILL", "SIGABRT")),
        (-6, "assertion failed", "killed by SIGABRT"),
    ],
)
def test_where_memory_has_ended_the_remedy_is_said(
    tmp_path: Path, code: int, said: str, expected: str
) -> None:
    (tmp_path / "log.txt").write_text(f"$ bnrepro run\nloading\n{said}\n")
    assert _in_words(Ending(code, tmp_path / "log.txt", asked=False)) == expected


def test_an_interrupted_run_goes_on(folder: Folder) -> None:
    folder.directory(0).mkdir(parents=True)
    record = completed_record(folder.words("seed=0"))
    write_record(folder.directory(0), type(record)(**{**vars(record), "status": "interrupted"}))
    assert folder.sweep("seed=0") == 0
    assert folder.status(0) == "completed"


def test_force_moves_the_finished_run_aside(folder: Folder) -> None:
    folder.sweep("seed=0")
    assert folder.sweep("seed=0", "force=true") == 0
    assert len(folder.starts(0)) == 1
    aside = [path for path in folder.directory(0).parent.iterdir() if path != folder.directory(0)]
    assert [path.name.startswith("seed_0.") for path in aside] == [True]
    assert "force=false" in (folder.directory(0) / "log.txt").read_text()
    (folder.directory(0) / "record.json").write_text("{")
    assert folder.sweep("seed=0", "force=true") == 0


def test_fail_fast_stops_and_lets_the_runs_in_progress_save_their_work(folder: Folder) -> None:
    folder.behave(s0="sleep", s1="exits")
    assert folder.sweep("seed=range(0,5)", workers=2, fail_fast=True) == 1
    assert [folder.status(seed) for seed in range(3)] == ["interrupted", "failed", None]


def test_the_sweep_stops_after_so_many_failures(folder: Folder) -> None:
    folder.behave(s0="exits", s1="SIGKILL", s2="exits")
    assert folder.sweep("seed=range(0,5)", workers=1, max_failures=2) == 1
    assert [folder.status(seed) for seed in range(4)] == ["failed", "failed", None, None]


def test_earlier_failures_do_not_stop_a_sweep_that_fails_fast(folder: Folder) -> None:
    folder.behave(s0="exits")
    folder.sweep("seed=0")
    assert folder.sweep("seed=0,1", fail_fast=True) == 1
    assert folder.status(1) == "completed"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_sweep_saves_its_runs_and_leaves_no_child(
    folder: Folder, number: signal.Signals, code: int
) -> None:
    folder.behave(s0="sleep", s1="sleep")
    with folder.start_sweep("seed=range(0,4)") as sweep:
        children = [folder.pid(0), folder.pid(1)]
        os.killpg(sweep.pid, number)  # as a terminal does
        output, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == code
    assert not any(map(alive, children))
    assert [folder.status(seed) for seed in range(3)] == ["interrupted", "interrupted", None]
    assert re.search(f"^stopping +{NAME} seed 1$", output, re.MULTILINE)
    assert "the same command goes on from here" in output
    folder.behave()
    assert folder.sweep("seed=range(0,4)") == 0


def test_a_second_signal_ends_a_run_that_does_not_listen(folder: Folder) -> None:
    folder.behave(s0="deaf")
    with folder.start_sweep("seed=0") as sweep:
        child = folder.pid(0)
        sweep.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert sweep.poll() is None
        sweep.send_signal(signal.SIGINT)
        sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 130
    assert not alive(child)
    assert folder.status(0) is None  # interrupted, not failed: it goes on next time


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's parent-death signal")
def test_the_runs_of_a_sweep_that_is_killed_save_their_work_and_end(folder: Folder) -> None:
    folder.behave(s0="sleep")
    with folder.start_sweep("seed=0") as sweep:
        child = folder.pid(0)
        sweep.kill()
    wait_for(lambda: not alive(child))
    assert folder.status(0) == "interrupted"


def test_an_error_of_the_sweep_itself_leaves_no_child(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.behave(s0="sleep", s1="late SIGKILL")
    monkeypatch.setattr("bnrepro.sweep.outcome.write_record", _disk_full)
    with pytest.raises(OSError, match="No space"):
        folder.sweep("seed=0,1", workers=2)
    assert folder.status(0) == "interrupted"
    assert not alive(folder.pid(0))


def test_a_reader_that_has_seen_enough_leaves_no_child(folder: Folder) -> None:
    folder.behave(s0="sleep", s1="brief")
    with folder.start_sweep("seed=0,1") as sweep:
        child = folder.pid(0)
        assert sweep.stdout is not None
        sweep.stdout.close()
        sweep.wait(timeout=PATIENCE)
    assert not alive(child)
    assert folder.status(0) == "interrupted"


def _disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_two_sweeps_share_the_work_and_run_nothing_twice(folder: Folder) -> None:
    folder.behave(**{f"s{seed}": "brief" for seed in range(6)})
    sweeps = [folder.start_sweep("seed=range(0,6)") for _ in range(2)]
    outputs = [sweep.communicate(timeout=PATIENCE)[0] for sweep in sweeps]
    assert [sweep.returncode for sweep in sweeps] == [0, 0]
    assert [len(folder.starts(seed)) for seed in range(6)] == [1] * 6
    for output in outputs:
        assert "6 runs: 6 done" in output
        assert "elsewhere" in output
        assert len(re.findall("^running", output, re.MULTILINE)) < 6


def test_the_runs_of_a_killed_sweep_are_taken_over(folder: Folder) -> None:
    folder.behave(s0="sleep")
    with folder.start_sweep("seed=0") as first:
        folder.pid(0)
        with folder.start_sweep("seed=0") as second:
            await_line(second, "elsewhere")
            assert len(folder.starts(0)) == 1
            folder.behave()
            first.kill()
            output, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0
    assert len(folder.starts(0)) == 2
    assert "1 done" in output


def test_a_run_that_somebody_trains_by_hand_is_waited_for(folder: Folder) -> None:
    with run_lock(folder.directory(0)):
        sweep = folder.start_sweep("seed=0")
        await_line(sweep, "elsewhere")
        assert folder.starts(0) == []
        folder.directory(0).mkdir(parents=True)
        write_record(folder.directory(0), completed_record(folder.words("seed=0")))
    sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 0
    assert folder.starts(0) == []


def test_a_run_that_somebody_starts_by_hand_at_the_same_moment_has_not_failed(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    by_hand: list[subprocess.Popen[bytes]] = []
    hold = "from pathlib import Path; from bnrepro.records.lock import run_lock; import sys, time\n"
    hold += "with run_lock(Path(sys.argv[1])): print(flush=True); time.sleep(3)"

    def launch(overrides: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
        if not by_hand:
            arguments = [sys.executable, "-c", hold, log.parent]
            by_hand.append(subprocess.Popen(arguments, stdout=subprocess.PIPE))
            assert by_hand[0].stdout is not None
            by_hand[0].stdout.readline()
        return launcher(folder.behaviours)(overrides, log, environment)

    assert run_sweep(folder.words("seed=0"), launcher=launch) == 0
    by_hand[0].communicate()
    assert len(folder.starts(0)) == 1
    err = capfd.readouterr().err
    assert "elsewhere" in err
    assert "failed" not in err


def test_failed_runs_of_another_sweep_are_not_tried_twice(folder: Folder) -> None:
    folder.behave(s0="exits")
    folder.sweep("seed=0")
    with claim(folder.directory(0)):
        sweep = folder.start_sweep("--retry-failed", "seed=0")
        await_line(sweep, "elsewhere")
        record = completed_record(folder.words("seed=0"))
        again = {**vars(record), "status": "failed", "error": "again"}
        write_record(folder.directory(0), type(record)(**again))
    sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 1
    assert len(folder.starts(0)) == 1
    assert folder.error(0) == "again"


def test_a_claim_is_not_inherited_by_the_run_that_is_started(folder: Folder) -> None:
    with claim(folder.directory(0)):
        child = start([sys.executable, "-c", "import time; time.sleep(5)"], folder.root / "l", {})
    with claim(folder.directory(0)):
        pass
    child.kill()
    child.wait()


def test_jobs_go_to_the_slots_of_the_gpus(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bnrepro.sweep.slots.num_gpus", lambda: 8)
    folder.behave(**{f"s{seed}": "brief" for seed in range(4)})
    assert folder.sweep("seed=range(0,4)", gpus="3,5", per_gpu=2) == 0
    assert sorted(folder.starts(seed)[0] for seed in range(4)) == ["3", "3", "5", "5"]


def test_threads_are_split_evenly_unless_given(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bnrepro.sweep.slots.available_threads", lambda: 8)
    folder.sweep("seed=0,1", workers=2)
    folder.sweep("seed=2,3", "threads=1", workers=2)
    threads = [read_record(folder.directory(seed)).config["threads"] for seed in range(4)]
    assert threads == [4, 4, 1, 1]


def test_in_a_terminal_a_live_table_is_shown_and_the_terminal_left_as_it_was(
    folder: Folder,
) -> None:
    folder.behave(s0="sleep")
    outer, inner = pty.openpty()
    sweep = subprocess.Popen(
        [sys.executable, FAKE_SWEEP, folder.behaviours, *folder.words("seed=0")],
        stdout=inner,
        stderr=inner,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(inner)
    folder.pid(0)
    time.sleep(1.5)
    sweep.send_signal(signal.SIGINT)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's other end is closed
        while part := os.read(outer, 10_000):
            shown += part
    os.close(outer)
    assert sweep.wait(timeout=PATIENCE) == 130
    assert re.search(rb"mlp-digits-x1 seed 0 +30 +100 +10.0 +50.00 % +7 s", shown)
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")  # the cursor is back


class Groups:
    """Starts stand-ins for groups: each leaves the records of its members, or is killed."""

    def __init__(self, folder: Folder, *, killed: bool = False) -> None:
        self.folder = folder
        self.killed = killed
        self.lines: list[list[str]] = []

    def __call__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
        told = ("--group", "seed=", "learning_rate=", "l2=")
        self.lines.append([word for word in words if word.startswith(told)])
        overrides = [word for word in words if word != "--group"]
        for member in [] if self.killed else members(overrides, merge):
            status = "diverged" if member.config.seed == 2 else "completed"
            record = completed_record(member.given)
            end = record.train_steps
            diverged = end if status == "diverged" else None
            record = replace(
                record, status=status, diverged_at_step=diverged, best_accuracy_step=end
            )
            write_record(member.directory, record)
            row = (end, math.nan, math.nan, 2.3, 0.1, 0.1, 0.0)
            write_rows(member.directory / "curve.csv", CURVE_COLUMNS, [row])
        end = "kill -9 $$" if self.killed else "exit 0"
        return start(["bash", "-c", end], log, environment)


def test_a_group_is_of_runs_that_differ_in_numbers_alone(folder: Folder) -> None:
    words = folder.words("bn=none,x1", "seed=5,0,2", "learning_rate=0.1,0.2", "backend=jax")
    groups = Groups(folder)
    assert run_sweep(words, as_one_program=True, launcher=groups) == 0
    seeds, rates = "seed=5,5,0,0,2,2", "learning_rate=0.1,0.2,0.1,0.2,0.1,0.2"
    assert groups.lines == [["--group", seeds, rates]] * 2
    runs = load_runs(folder.results)
    assert len(runs) == 12
    assert set(runs["seed"][runs["status"] == "diverged"]) == {2}
    assert run_sweep(words, as_one_program=True, launcher=groups) == 0
    assert len(groups.lines) == 2


def test_a_number_that_is_0_makes_a_group_of_its_own(folder: Folder) -> None:
    groups = Groups(folder)
    words = folder.words("l2=0,0.1,0.2", "seed=1", "backend=jax")
    assert run_sweep(words, as_one_program=True, launcher=groups) == 0
    told = sorted(sorted(line) for line in groups.lines)
    assert told == [["--group", "l2=0.1,0.2", "seed=1"], ["l2=0.0", "seed=1"]]


def test_a_group_that_is_killed_has_failed_whole_and_names_its_log(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    words = folder.words("seed=0,1", "backend=jax")
    assert run_sweep(words, as_one_program=True, launcher=Groups(folder, killed=True)) == 1
    assert list(load_runs(folder.results)["status"]) == ["failed", "failed"]
    (log,) = folder.results.glob("runs/*/seed_1/log.txt")
    assert "see its log.txt" in log.read_text()
    assert capfd.readouterr().out.count("killed by SIGKILL") == 2


def test_groups_of_a_backend_that_has_none_are_refused_before_anything_is_created(
    folder: Folder,
) -> None:
    with pytest.raises(ConfigError, match="add backend=jax"):
        run_sweep(folder.words("seed=0,1"), as_one_program=True, launcher=Groups(folder))
    assert not folder.results.exists()


def test_status_shows_a_sweep_from_outside_and_starts_nothing(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.behave(s0="exits", s1="sleep")
    with folder.start_sweep("seed=range(0,4)") as sweep:
        folder.pid(1)
        wait_for(lambda: folder.status(3) == "completed")
        assert show_status(folder.words("seed=range(0,5)")) == 0
        sweep.terminate()
    out = capfd.readouterr().out
    assert "5 runs: 1 running, 2 done, 1 failed, 1 waiting" in out
    # Of runs like it 2,000 steps, nine evaluations and what is around them take 13 s.
    assert re.search(rf"^running +30 of 100 +50.00 % +9 s left +{NAME} seed 1$", out, re.M)
    assert f"log: {folder.directory(0) / 'log.txt'}" in out
    assert folder.starts(4) == []


def test_the_status_of_a_folder_shows_whatever_is_going_on_there(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    assert show_folder(str(folder.results)) == 0
    assert "no run at work" in capfd.readouterr().out
    folder.behave(s0="exits", s1="deaf", s2="sleep", s5="SIGKILL")
    folder.sweep("seed=6,7")
    old = folder.directory(7) / "record.json"
    os.utime(old, (0, 0))
    capfd.readouterr()
    with folder.start_sweep("seed=range(0,5)", "train_steps=3000") as sweep:
        name = f"{NAME}-steps3000"
        for seed in (1, 2):
            wait_for((folder.directory(seed, name) / "pid").exists)
        assert show_folder(str(folder.results)) == 0
        os.kill(int((folder.directory(1, name) / "pid").read_text()), signal.SIGKILL)
        sweep.terminate()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("6 runs: 2 running, 1 done, 1 failed, 2 waiting; time left about")
    patterns = [
        rf"running +30 of 100 +50.00 % +\d+ s left  {name} seed 2",
        rf"starting +3,000 +– +\d+ s left  {name} seed 1",
        rf"failed +0 of 3,000 +– +{name} seed 0",
        rf"waiting +3,000 +– +\d+ s left  {name} seed 3",
        rf"waiting +3,000 +– +\d+ s left  {name} seed 4",
        rf"done +2,000 of 2,000 +10.00 % +{NAME} seed 6",
    ]
    for line, pattern in zip(lines[1:7], patterns, strict=True):
        assert re.fullmatch(pattern, line), (line, pattern)
    assert f"log: {folder.directory(0, name) / 'log.txt'}" in lines[8]


def test_what_a_dead_sweep_announced_waits_no_longer(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.behave(s0="sleep", s1="sleep")
    with folder.start_sweep("seed=0,1,2") as sweep:  # two at a time
        children = [folder.pid(0), folder.pid(1)]
        sweep.kill()
    wait_for(lambda: not any(map(alive, children)))
    assert show_folder(str(folder.results)) == 0
    assert "2 runs: 2 interrupted\n" in capfd.readouterr().out


def test_more_runs_than_a_screen_has_lines_are_counted(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    assert show_status(folder.words("seed=range(0,50)")) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 22
    assert (lines[0], lines[-1]) == ("50 runs: 50 waiting; time left unknown", "and 30 waiting")


def test_a_dry_run_trains_nothing_and_leaves_nothing_behind(
    folder: Folder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.root)
    words = folder.words("seed=0,1")
    assert run_sweep(words, dry_run=True, workers=2, launcher=_nothing_is_started) == 0
    assert [path.name for path in folder.root.iterdir() if path.is_dir()] == []
    out = capfd.readouterr().out
    assert re.search(rf"^waiting +{NAME} seed 0 .*model=mlp", out, re.MULTILINE)
    assert "2 runs: 2 waiting; time left unknown" in out
    assert "of 2 no run like them is recorded; --probe measures" in out


def _nothing_is_started(*_: object) -> Process:
    raise AssertionError("a dry run starts no process")


def test_a_dry_run_of_a_study_asks_its_question_and_is_no_longer_than_a_screen(
    folder: Folder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.root)
    words = ["scale=cpu", f"results_dir={folder.results}"]
    started = _nothing_is_started
    assert run_sweep(words, study_name="figure_2", dry_run=True, launcher=started) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("By how much does batch normalization shorten")
    assert len(lines) <= 20
    assert any(re.fullmatch("waiting +bn_x5-cpu  seeds 0, 1, 2, 3, 4, 5", line) for line in lines)
    # Nothing is recorded in this folder, and the study's file speaks of its time.
    assert re.fullmatch("study=figure_2 says of itself: about .* on 2 cores.", lines[-1])


def test_a_dry_run_takes_times_from_published_records_of_as_many_threads(
    folder: Folder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.root)
    published = folder.root / "results/published/runs" / NAME / "seed_0"
    published.mkdir(parents=True)
    record = completed_record(["model=mlp", "seed=0", "threads=1"])
    elsewhere = {**vars(record), "environment": {"device": "Another processor", "threads": 1}}
    write_record(published, type(record)(**elsewhere))
    (published / "curve.csv").write_text("header\n0\n")
    own = ["model=mlp", "seed=0,1", f"results_dir={folder.root / 'mine'}"]
    for threads in (1, 2):
        words = [*own, f"threads={threads}"]
        assert run_sweep(words, dry_run=True, workers=1, launcher=_nothing_is_started) == 0
    known, unknown = capfd.readouterr().out.split("threads=2", 1)
    # 2 s around, 2 s of training and 9 evaluations of 1 s, twice.
    assert "time left about 26 s" in known
    assert "times of 2 after runs like them below results/published, on Another processor" in known
    assert "disk unknown" in known
    assert "time left unknown" in unknown


def test_a_probe_measures_what_no_record_tells_and_leaves_nothing_behind(
    folder: Folder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.root)
    monkeypatch.setattr("tempfile.tempdir", str(folder.root))
    assert folder.sweep("seed=0,1", probe=True, workers=2) == 0
    assert [path.name for path in folder.root.iterdir() if path.is_dir()] == []
    out = capfd.readouterr().out
    # The stand-in says 2 s of training whatever it trained: 2,000 steps are 40 times the probe's
    # 50; one evaluation of 1 s becomes nine.
    assert out.count("a few steps of") == 1
    assert "2 runs: 2 waiting; time left about 1 min 31 s" in out
    assert "2 to run, 2 at a time; disk about" in out
    assert "times of 2 after runs like them measured now" in out


def test_a_probe_that_fails_says_that_it_does_not_know(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.behave(s0="exits", s1="exits")
    assert folder.sweep("seed=0,1", probe=True) == 0
    out = capfd.readouterr().out
    assert out.count("a few steps of") == 1
    assert "time left unknown" in out
    assert "disk unknown" in out


def test_a_dry_run_estimates_from_the_records_of_similar_runs(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.sweep("seed=0")
    folder.sweep("seed=0,1,2", "train_steps=20000", workers=1, dry_run=True)
    # Recorded: 2 s of training over 2,000 steps, 1 s for one evaluation, 2 s around them; the new
    # runs have 81 evaluations each.
    assert "time left about 5 min 09 s" in capfd.readouterr().out


def test_a_dry_run_counts_what_the_sweep_would_start(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.behave(s0="exits")
    folder.sweep("seed=0,1")
    for number, (words, options) in enumerate(
        [([], {}), ([], {"retry_failed": True}), (["force=true"], {})]
    ):
        capfd.readouterr()
        assert folder.sweep("seed=0,1", *words, dry_run=True, **options) == 0
        assert f"{number} to run" in capfd.readouterr().out
    assert [folder.status(seed) for seed in (0, 1)] == ["failed", "completed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers=0"),
        ({"per_gpu": 0}, "per-gpu=0"),
        ({"gpus": "0,x"}, "gpus=0,x"),
        ({"gpus": "0,900"}, "gpus=0,900: no GPU"),
        ({"max_failures": 0}, "max-failures=0"),
    ],
)
def test_bad_options_are_refused_before_anything_is_created(
    folder: Folder, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        folder.sweep("seed=0", **options)
    assert not folder.results.exists()


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        (["device=cpu,gpu"], {}, "device=cpu,gpu: expected one device"),
        (["device=cpu"], {"gpus": "0"}, "gpus=0 with device=cpu: expected one of them"),
        (["device=gpu:1"], {"gpus": "0"}, "gpus=0 with device=gpu:1: expected one of them"),
    ],
)
def test_a_sweep_has_one_device_and_one_word_for_it(
    folder: Folder, words: list[str], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        folder.sweep(*words, **options)
    assert not folder.results.exists()


@pytest.mark.parametrize(
    "word", ["seed=", "bn=x6", "learning_rate=-1", "study=nonsense", "batch_size=1,32"]
)
def test_one_bad_run_refuses_the_whole_grid(folder: Folder, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        folder.sweep(word)
    assert "\n" not in str(caught.value)
    assert not folder.results.exists()
