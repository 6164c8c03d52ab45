"""A sweep on Slurm, as far as no cluster is needed: options, script, what Slurm's commands say."""

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bnrepro import cli
from bnrepro.config import ConfigError
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE
from bnrepro.records.record import read_record
from bnrepro.sweep import plan
from bnrepro.sweep.slurm import queue, script, submission
from bnrepro.sweep.slurm.options import SlurmOptions, load_options
from bnrepro.sweep.slurm.submission import Submitted
from bnrepro.sweep.slurm.watch import _concluded

RECORDED = Path(__file__).with_name("slurm_output")
NAME = "bnrepro-recorded"
NOTHING = SlurmOptions(None, None, None, None, None, None, None)
# The longest that anything here may take on a slow, busy machine, in seconds.
PATIENCE = 60.0


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `launcher/slurm.yaml` of a person's own, to be written."""
    path = tmp_path / "mine" / "launcher" / "slurm.yaml"
    path.parent.mkdir(parents=True)
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path / "mine"))
    return path


def test_without_a_file_of_ones_own_everything_is_the_clusters_default() -> None:
    assert load_options() == NOTHING


def test_a_file_of_ones_own_sets_single_options(own: Path) -> None:
    own.write_text("time: 04:00:00\ngpus: a100:1\ncpus: 4\npartition: ~\n")
    options = load_options()
    assert options == replace(NOTHING, time="04:00:00", gpus="a100:1", cpus="4")
    assert (options.threads, NOTHING.threads) == (4, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("partitions: gpu", "partitions: no such key; did you mean 'partition'?"),
        ("nodes: 2", "nodes: no such key; expected some of partition, account"),
        ("time: tomorrow", "time: tomorrow: expected such as 04:00:00 or 1-12, or null"),
        ("cpus: 0", "cpus: 0: expected a whole number of at least 1, or null"),
        ("at_once: [1, 2]", "at_once: .* expected a whole number"),
        ("memory: 8 GB", "memory: 8 GB: expected such as 8G"),
        ("account: 'a --wrap=b'", "account: .* expected a name"),
        ("- partition", "expected keys with values"),
        ("partition: [", "cannot be read as YAML"),
    ],
)
def test_an_option_without_sense_is_refused_with_its_file(own: Path, text: str, words: str) -> None:
    own.write_text(text)
    with pytest.raises(ConfigError, match=f"slurm.yaml: {words.replace('?', '[?]')}"):
        load_options()


def test_the_script_asks_for_what_the_options_say(tmp_path: Path) -> None:
    options = SlurmOptions("gpu", "lab", "1-12", "2", "4", "8G", "3")
    text = script.array_script(script.Array(tmp_path / "20260101-000000-abc", 12), options)
    directives = [
        line.removeprefix("#SBATCH --") for line in text.splitlines() if "#SBATCH" in line
    ]
    expected = {
        "job-name=bnrepro-20260101-000000-abc",
        "array=0-11%3",
        "partition=gpu",
        "account=lab",
        "time=1-12",
        "gpus=2",
        "cpus-per-task=4",
        "mem=8G",
        "requeue",
        "signal=B:USR1@120",
    }
    assert expected <= set(directives)
    fewer = script.array_script(script.Array(tmp_path, 12), NOTHING)
    assert "--array=0-11\n" in fewer
    assert not any(word in fewer for word in ("--partition", "--time", "--gpus", "--mem", "None"))


def test_folders_with_spaces_and_percent_signs_keep_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "50 % done"
    folder.mkdir()
    monkeypatch.chdir(folder)
    text = script.array_script(script.Array(folder / ".slurm" / "x", 1), NOTHING)
    assert f'--chdir="{tmp_path}/50 %% done"' in text
    assert f'--output="{tmp_path}/50 %% done/.slurm/x"/%a.txt' in text
    assert f"folder='{folder}/.slurm/x'" in text


# Stands in for `bnrepro run`: trains until a signal comes, or ends as its word says.
RUN = """
import signal, sys, time
print(sys.argv[1:], flush=True)
if sys.argv[1].startswith("ends="):
    sys.exit(int(sys.argv[1].removeprefix("ends=")))
def save(number, frame):
    time.sleep(0.3)
    print(f"the same command goes on from step {sys.argv[1]}", flush=True)
    sys.exit(128 + number)
signal.signal(signal.SIGUSR1, save)
signal.signal(signal.SIGTERM, save)
print("trains", flush=True)
time.sleep(600)
"""


SAVED = "the same command goes on from step 7,000"


class Node:
    """A machine on which the script of an array runs, with a `scontrol` that notes its words."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root / "my log.txt"
        self.called = root / "called"
        self.array = script.Array(root / ".slurm" / "my array", 2)
        self.array.folder.mkdir(parents=True)
        scontrol = root / "bin" / "scontrol"
        scontrol.parent.mkdir()
        # With what the run had said by then: it is to be saved before its task goes.
        log, called = (shlex.quote(str(path)) for path in (self.log, self.called))
        scontrol.write_text(f'#!/bin/sh\necho "$@: $(tail -n 1 {log})" >> {called}\n')
        scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        tasks = [script.task_line(self.root / "other", ["x"]), script.task_line(self.log, words)]
        (self.array.folder / "tasks.txt").write_text("\n".join(tasks) + "\n")
        path = self.array.folder / "script.sh"
        path.write_text(script.array_script(self.array, NOTHING))
        checked = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")
        environment = {
            **os.environ,
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "SLURM_ARRAY_JOB_ID": "70",
            "SLURM_JOB_ID": "72",
            "SLURM_ARRAY_TASK_ID": "1",
        }
        return subprocess.Popen(["bash", path], env=environment, stdout=subprocess.PIPE)

    def await_training(self, times: int = 1) -> None:
        end = time.monotonic() + PATIENCE
        while not self.log.exists() or self.log.read_text().count("trains") < times:
            assert time.monotonic() < end, "did not happen in time"
            time.sleep(0.05)

    @property
    def code(self) -> str:
        return (self.array.folder / "1.code").read_text().strip()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    program = tmp_path / "run.py"
    program.write_text(RUN)
    monkeypatch.setattr(script, "command", lambda _words: [sys.executable, str(program)])
    monkeypatch.setenv("BNREPRO_DATA", "/data of mine")
    return Node(tmp_path)


@pytest.mark.parametrize("code", [0, 1, 2, 138])
def test_a_task_ends_with_the_code_of_its_run(node: Node, code: int) -> None:
    words = [f"ends={code}", "results_dir=my 'own' results", "data.root=/a b"]
    task = node.start(*words)
    said, _ = task.communicate(timeout=PATIENCE)
    assert (task.returncode, node.code) == (code, str(code))
    assert said.startswith(b"start 1 on ")
    # Its own words, of its own line; what it says goes to the log of the run.
    assert str(words) in node.log.read_text()
    assert "export BNREPRO_DATA='/data of mine'" in (node.array.folder / "script.sh").read_text()
    # 138 without a signal is no request to go on.
    assert not node.called.exists()


def test_a_run_whose_time_is_over_is_saved_and_requeued(node: Node) -> None:
    task = node.start("7,000")
    node.await_training()
    task.send_signal(signal.SIGUSR1)
    task.send_signal(signal.SIGUSR1)  # twice: the script waits for its run all the same
    task.communicate(timeout=PATIENCE)
    assert (task.returncode, node.code) == (138, "138")
    # The task, not the array, which has the number of one of its tasks.
    assert node.called.read_text() == f"requeue 70_1: {SAVED}\n"


def test_a_run_that_comes_no_further_is_not_requeued_for_ever(node: Node) -> None:
    for times, step in enumerate(["7,000", "7,000"], start=1):
        task = node.start(step)
        node.await_training(times)
        task.send_signal(signal.SIGUSR1)
        task.communicate(timeout=PATIENCE)
    assert node.called.read_text() == f"requeue 70_1: {SAVED}\n"
    assert node.log.read_text().endswith(
        "no step further within its time; raise time in launcher/slurm.yaml\n"
    )


def test_a_task_that_is_cancelled_saves_its_run_and_stays_away(node: Node) -> None:
    task = node.start("7,000")
    node.await_training()
    task.send_signal(signal.SIGTERM)
    task.communicate(timeout=PATIENCE)
    assert (task.returncode, node.code) == (143, "143")
    assert not node.called.exists()


def test_tasks_that_wait_and_run_are_read_as_slurm_prints_them() -> None:
    tasks = queue.read_tasks((RECORDED / "pending.txt").read_text(), NAME)
    assert sorted(tasks) == list(range(10))
    assert {number: tasks[number].status for number in (3, 5, 6, 7, 8, 9)} == {
        3: "running", 5: "running", 6: "running", 7: "pending", 8: "pending", 9: "pending"
    }  # fmt: skip
    # COMPLETING: it is not over.
    assert not tasks[4].has_ended


def test_tasks_that_ended_are_read_as_slurm_prints_them() -> None:
    tasks = queue.read_tasks((RECORDED / "ended.txt").read_text(), NAME)
    states = ["FAILED", "FAILED", "COMPLETED", "TIMEOUT", "CANCELLED", "TIMEOUT", "TIMEOUT"]
    states += ["PREEMPTED", "NODE_FAIL", "NODE_FAIL"]
    assert [tasks[number].state for number in range(10)] == states
    assert all(task.has_ended for task in tasks.values())
    assert [tasks[number].code for number in (0, 1, 2)] == [3, -9, 0]
    assert tasks[8].node == "node1"


def test_a_job_of_another_name_under_the_same_number_is_none_of_ours() -> None:
    assert queue.read_tasks((RECORDED / "ended.txt").read_text(), "bnrepro-other") == {}


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("3", [3]), ("2-4%2", [2, 3, 4]), ("0,2,5-6", [0, 2, 5, 6]), ("0-6:3", [0, 3, 6])],
)
def test_ranges_of_tasks_are_written_out(text: str, numbers: list[int]) -> None:
    line = f"JobId=1 ArrayTaskId={text} JobName=a JobState=PENDING Restarts=1 ExitCode=0:0"
    tasks = queue.read_tasks(line, "a")
    assert list(tasks) == numbers
    assert {task.status for task in tasks.values()} == {"requeued"}


CANCELLED = "slurmstepd-node1: error: *** JOB 23 ON node1 CANCELLED AT 2026-11-27T17:49:56"
KILLED = "killed by SIGKILL, as a process is where memory ends"


@pytest.mark.parametrize(
    ("state", "code", "note", "reason"),
    [
        # While the controller knows the task:
        ("TIMEOUT", None, "", "time limit; raise time in launcher/slurm.yaml"),
        ("OUT_OF_MEMORY", 137, "", "out of memory; raise memory in launcher/slurm.yaml"),
        ("PREEMPTED", None, "", "preempted by another job"),
        ("NODE_FAIL", None, "", "node lost on node1"),
        ("FAILED", 137, "", KILLED),
        ("FAILED", 1, "", "exited with code 1: disk full"),
        # What is left once it was forgotten; the notes are Slurm's own, but for the memory's.
        (None, None, f"{CANCELLED} DUE TO TIME LIMIT ***", "time limit; raise time"),
        (None, None, f"{CANCELLED} DUE TO PREEMPTION ***", "preempted by another job"),
        (None, None, f"{CANCELLED} DUE TO NODE FAILURE, SEE SLURMCTLD LOG ***", "node lost"),
        (None, None, f"{CANCELLED} ***", "cancelled"),
        (None, 137, "slurmstepd: error: Detected 1 oom-kill event(s) in step", "out of memory"),
        (None, 137, "", KILLED),
        (None, 3, "", "exited with code 3: disk full"),
        (None, None, "", "gone from the queue without a word"),
    ],
)
def test_a_task_that_ended_has_a_reason(
    tmp_path: Path, state: str | None, code: int | None, note: str, reason: str
) -> None:
    run = plan(["model=mlp", f"results_dir={tmp_path}"])[0]
    run.directory.mkdir(parents=True)
    (run.directory / "log.txt").write_text("disk full\n")
    earlier = f"start 1 on node1\n{CANCELLED} DUE TO JOB REQUEUE ***\nstart 2 on node1\n"
    (tmp_path / "0.txt").write_text(earlier + note)
    if code is not None:
        (tmp_path / "0.code").write_text(str(code))
    row = Submitted(tmp_path, 0, run.name, run.seed, {}, None)
    task = queue.Task(state, 1, 1, "node1") if state is not None else None
    outcome = _concluded(run, row, task)
    assert outcome.status == "failed"
    assert str(outcome.error).startswith(reason)
    assert read_record(run.directory).status == "failed"


def test_a_task_that_was_cancelled_before_it_started_has_not_failed(tmp_path: Path) -> None:
    run = plan(["model=mlp", f"results_dir={tmp_path}"])[0]
    row = Submitted(tmp_path, 0, run.name, run.seed, {}, None)
    for task in (queue.Task("CANCELLED", 0, 0, ""), None):
        assert _concluded(run, row, task).status == "interrupted"
    assert not run.directory.exists()


def test_without_slurm_a_sweep_ends_in_one_line_and_nothing_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["sweep", "model=mlp", f"results_dir={tmp_path / 'results'}", "--launcher", "slurm"]
    assert cli.main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no sbatch here" in line
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_shows_the_whole_script_and_needs_no_slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["sweep", "model=mlp", "seed=0,1", f"results_dir={tmp_path / 'results'}", "--dry-run"]
    assert cli.main([*words, "--launcher", "slurm"]) == 0
    shown = capsys.readouterr().out
    assert "#SBATCH --array=0-1\n" in shown and shown.index("#!/bin/bash") < shown.index("exit ")
    assert "results seed=1 threads=1\n" in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["--workers=2", "--gpus=0", "--per-gpu=2", "--as-one-program"])
def test_what_the_cluster_decides_is_refused(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", "model=mlp", "--launcher", "slurm", flag]) == 2
    assert "launcher/slurm.yaml" in capsys.readouterr().err


def test_tasks_of_a_run_are_those_submitted_last(tmp_path: Path) -> None:
    run = plan(["model=mlp", f"results_dir={tmp_path}"])[0]
    for stamp in ("20260101-000000-a", "20260102-000000-b"):
        folder = tmp_path / ".slurm" / stamp
        folder.mkdir(parents=True)
        row = submission._row(script.Array(folder, 1), 0, run)
        (folder / "runs.json").write_text(json.dumps([row]))
    (found,) = submission.submitted_below(str(tmp_path)).items()
    assert found[0] == run.directory
    assert found[1].array.name == "20260102-000000-b"


LINE = "JobId=7 ArrayJobId=7 ArrayTaskId={} JobName=bnrepro-a JobState={} Restarts={} ExitCode=0:0"


def answer(tmp_path: Path, text: str, code: int = 0) -> None:
    """Have Slurm's commands on the path say that."""
    for name in ("scontrol", "squeue"):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{text}' {'>&2' if code else ''}\nexit {code}\n")
        path.chmod(0o755)


def test_status_shows_what_is_in_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    words = ["model=mlp", "seed=0,1,2,3", f"results_dir={tmp_path / 'results'}"]
    folder = tmp_path / "results" / ".slurm" / "a"
    folder.mkdir(parents=True)
    array = script.Array(folder, 4)
    rows = [submission._row(array, number, run) for number, run in enumerate(plan(words))]
    (folder / "runs.json").write_text(json.dumps(rows))
    (folder / "job.txt").write_text("7\n")
    lines = [(0, "RUNNING", 0), (1, "PENDING", 1), ("2-3%1", "PENDING", 0)]
    answer(tmp_path, "\n".join(LINE.format(*each) for each in lines))
    for asked in (["sweep", "--status", words[-1]], ["sweep", *words, "--status"]):
        assert cli.main(asked) == 0
        shown = capsys.readouterr().out
        assert "4 runs: 1 running, 1 requeued, 2 pending" in shown
    # It is not submitted again, and it may not be known how things are.
    assert cli.main(["sweep", *words, "--launcher", "slurm", "--dry-run"]) == 0
    assert "0 to run" in capsys.readouterr().out
    answer(tmp_path, "slurm_load_jobs error: Unable to contact slurm controller", code=1)
    assert cli.main(["sweep", *words, "--status"]) == 0
    assert "4 runs: 4 waiting" in capsys.readouterr().out
