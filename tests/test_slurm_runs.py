"""Sweeps on a real Slurm that the test starts: real runs, on digits, and what befalls them."""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster, Unavailable

from bnrepro.records.record import read_record
from bnrepro.sweep import plan
from bnrepro.sweep.launcher import command
from bnrepro.sweep.slurm import load_options, queue, submission
from bnrepro.sweep.slurm.submission import submitted_below

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(sys.platform != "linux", reason="Slurm runs on Linux"),
]
# Twelve runs, three of them long enough to be caught in the middle.
LONG = "60000"
RUNS = ["model=mlp", "bn=x1", "seed=0,1,2", f"train_steps=1000,1500,2000,{LONG}"]
RUNS += ["evaluate_every=500", "checkpoint_every=500", "threads=1"]
# The longest that anything here may take on a slow, busy machine, in seconds.
PATIENCE = 1200.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Not pytest's folder: a socket's path may have a hundred letters.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as root:
        cluster = Cluster(Path(root))
        try:
            cluster.start()
        except Unavailable as error:
            cluster.stop()
            pytest.skip(f"no Slurm can be started here: {error}")
        yield cluster
        cluster.stop()


@pytest.fixture
def sweeps(cluster: Cluster, tmp_path: Path) -> Iterator["Sweeps"]:
    sweeps = Sweeps(cluster, tmp_path / "an experiment")
    yield sweeps
    sweeps.stop()


class Sweeps:
    """Sweeps over one results folder on the cluster."""

    def __init__(self, cluster: Cluster, root: Path) -> None:
        self.cluster = cluster
        self.root = root
        self.results = root / "results"
        self.options = root / "mine" / "launcher" / "slurm.yaml"
        self.options.parent.mkdir(parents=True)
        self.options.write_text("time: 30:00\nat_once: 2\ncpus: 1\n")
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> "subprocess.Popen[str]":
        own = ["--launcher", "slurm", "--config-dir", str(self.root / "mine")]
        sweep = subprocess.Popen(
            [*command([])[:-1], "sweep", *words, f"results_dir={self.results}", *own],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**self.cluster.environment, "CUDA_VISIBLE_DEVICES": ""},
            cwd=self.root,
        )
        self._started.append(sweep)
        return sweep

    def stop(self) -> None:
        """Leave no sweep behind, and nothing in the queue."""
        for sweep in self._started:
            sweep.kill()
            sweep.communicate()
        self.cluster.call("scancel", "--partition=low,high")

    def finish(self, *words: str) -> tuple[int, str]:
        sweep = self.start(*words)
        output, _ = sweep.communicate(timeout=PATIENCE)
        return sweep.returncode, output

    def directory(self, seed: int) -> Path:
        """That of a long run."""
        return self.results / "runs" / f"mlp-digits-x1-steps{LONG}-evaluate500" / f"seed_{seed}"

    def task(self, seed: int) -> str:
        """The task of a long run, as Slurm calls it."""
        row = submitted_below(str(self.results))[self.directory(seed)]
        return f"{(row.array / 'job.txt').read_text().strip()}_{row.number}"

    def trains(self, seed: int) -> Callable[[], bool]:
        """Whether a long run has left a checkpoint in this start."""
        directory = self.directory(seed)
        return lambda: (
            (directory / "progress.json").exists()
            and json.loads((directory / "progress.json").read_text())["step"] > 500
        )

    def restarts(self, seed: int) -> int:
        shown = self.cluster.call("scontrol", "--oneliner", "show", "job", self.task(seed))
        return int(shown.split("Restarts=")[1].split()[0])

    def hurry(self, seed: int) -> None:
        """Slurm lets a requeued job wait for two minutes; a controller may still be starting."""

        def has_been_told() -> bool:
            try:
                self.cluster.call("scontrol", "update", f"jobid={self.task(seed)}", "starttime=now")
            except subprocess.CalledProcessError:
                return self.trains(seed)()
            return True

        wait_for(has_been_told)


def wait_for(happened: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.1)


def run_of(results: Path, seed: int) -> int:
    """The process of a long run."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True).stdout
    wanted = (str(results), f"seed={seed} ", f"train_steps={LONG}", "bnrepro run ")
    lines = [line for line in listed.splitlines() if all(word in f"{line} " for word in wanted)]
    (line,) = lines
    return int(line.split()[0])


def kill_run(results: Path, seed: int) -> None:
    """End the process of a long run as the out-of-memory killer does."""
    os.kill(run_of(results, seed), signal.SIGKILL)


def end_time(sweeps: "Sweeps", seed: int) -> None:
    """Have the time of a long run end while it trains.

    Slurm looks every half minute: until then the run is stopped, so that it does not end before.
    """
    process = run_of(sweeps.results, seed)
    os.kill(process, signal.SIGSTOP)
    task = f"jobid={sweeps.task(seed)}"
    try:
        sweeps.cluster.call("scontrol", "update", task, "timelimit=2")
        wait_for(lambda: is_waiting(process, signal.SIGUSR1))
        sweeps.cluster.call("scontrol", "update", task, "timelimit=30")
    finally:
        os.kill(process, signal.SIGCONT)


def is_waiting(process: int, number: int) -> bool:
    """Whether a signal was sent to a stopped process."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (mask,) = [line.split()[1] for line in lines if line.startswith("ShdPnd:")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def preempt(sweeps: Sweeps) -> None:
    """Have a job that goes before take the whole node."""
    words = ["--partition=high", "--ntasks=2", "--no-requeue", "--output=/dev/null"]
    sweeps.cluster.call("sbatch", *words, "--wrap", "sleep 1")


def without_times(directory: Path) -> tuple[dict[str, object], list[dict[str, str]]]:
    """A run's record and curve, but for how long it took and the memory that it had."""
    record = json.loads((directory / "record.json").read_text())
    del record["environment"]["started"], record["peak_memory"]
    with (directory / "curve.csv").open() as stream:
        curve = list(csv.DictReader(stream))
    for row in curve:
        del row["train_seconds"]
    return {key: value for key, value in record.items() if key != "seconds"}, curve


def test_twelve_runs_come_to_their_end_whatever_happens(
    cluster: Cluster, sweeps: Sweeps, tmp_path: Path
) -> None:
    closed = sweeps.start(*RUNS)
    wait_for(lambda: any(sweeps.results.glob(".slurm/*/job.txt")))
    closed.send_signal(signal.SIGINT)
    output, _ = closed.communicate(timeout=PATIENCE)
    assert closed.returncode == 130 and "the runs go on" in output

    # It is found again, and nothing is submitted twice.
    sweep = sweeps.start(*RUNS)
    wait_for(sweeps.trains(0))
    kill_run(sweeps.results, 0)
    wait_for(sweeps.trains(1))
    preempt(sweeps)
    wait_for(lambda: sweeps.restarts(1) == 1)
    code, status = sweeps.finish(*RUNS, "--status")
    assert code == 0 and "12 runs: " in status and "requeued" in status
    cluster.stop_controller()
    time.sleep(15.0)  # longer than a sweep waits between two questions
    cluster.start_controller()
    sweeps.hurry(1)
    wait_for(sweeps.trains(2))
    end_time(sweeps, 2)
    wait_for(lambda: sweeps.restarts(2) == 1)
    assert read_record(sweeps.directory(2)).error == "SIGUSR1"
    sweeps.hurry(2)
    output, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 1, output
    assert "12 runs: 11 done, 1 failed" in output
    assert "killed by SIGKILL" in output and f"log: {sweeps.directory(0) / 'log.txt'}" in output
    assert len(list(sweeps.results.glob(".slurm/*/"))) == 1
    for seed in (1, 2):
        assert "resumed at step" in (sweeps.directory(seed) / "log.txt").read_text()

    code, output = sweeps.finish(*RUNS, "--retry-failed")
    assert code == 0, output
    assert "12 runs: 12 done" in output
    assert "resumed at step" in (sweeps.directory(0) / "log.txt").read_text()

    here = tmp_path / "here"
    local = [*command([])[:-1], "sweep", *RUNS, f"results_dir={here}", "--workers", "2"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    assert subprocess.run(local, env=environment, check=False).returncode == 0
    directories = sorted(path.parent for path in here.glob("runs/*/seed_*/record.json"))
    assert len(directories) == 12
    for directory in directories:
        there = sweeps.results / directory.relative_to(here)
        assert without_times(there) == without_times(directory)


def test_after_so_many_failures_what_has_not_started_is_cancelled(
    cluster: Cluster, sweeps: Sweeps
) -> None:
    sweeps.options.write_text("at_once: 1\n")
    words = ["model=mlp", "bn=x1", "seed=0,1,2", f"train_steps={LONG}", "evaluate_every=500"]
    sweep = sweeps.start(*words, "--max-failures", "1")
    wait_for(sweeps.trains(0))
    kill_run(sweeps.results, 0)
    wait_for(sweeps.trains(1))
    cluster.call("scancel", sweeps.task(1))
    output, _ = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 1, output
    assert "3 runs: 1 failed, 2 interrupted" in output
    assert "what has not started" in output
    assert read_record(sweeps.directory(1)).error == "SIGTERM"
    assert not (sweeps.directory(2) / "record.json").exists()


def test_an_array_whose_sweep_was_killed_as_it_submitted_it_is_taken_up(
    cluster: Cluster, sweeps: Sweeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["model=mlp", "seed=0", "train_steps=200"]
    planned = plan([*words, f"results_dir={sweeps.results}"])
    monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])

    def die(_job: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(queue, "release", die)
    with pytest.raises(KeyboardInterrupt):
        submission.submit(planned, load_options())
    assert "JobHeldUser" in cluster.call("squeue", "--format=%r")
    code, output = sweeps.finish(*words)
    assert code == 0 and "1 run: 1 done" in output
    assert len(list(sweeps.results.glob(".slurm/*/"))) == 1


def test_force_moves_the_finished_run_aside_and_trains_it_again(sweeps: Sweeps) -> None:
    words = ["model=mlp", "seed=0", "train_steps=200"]
    for force in ([], ["force=true"]):
        code, output = sweeps.finish(*words, *force)
        assert code == 0 and "1 run: 1 done" in output
    code, output = sweeps.finish(*words)
    assert code == 0 and "array" not in output  # it is done
    assert len(list(sweeps.results.glob(".slurm/*/"))) == 2
    (aside,) = sweeps.results.glob("runs/*/*.aside")
    assert (
        read_record(aside).weights_digest == read_record(aside.with_name("seed_0")).weights_digest
    )


def test_what_the_cluster_does_not_have_is_refused_and_nothing_is_left(
    cluster: Cluster, sweeps: Sweeps
) -> None:
    sweeps.options.write_text("partition: none\n")
    code, output = sweeps.finish("model=mlp", "seed=0,1")
    assert code == 2, output
    assert "sbatch refuses the array" in output and "partition" in output
    assert not (sweeps.results / "runs").exists()
