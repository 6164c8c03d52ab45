"""Sweeps of real runs, on digits: `bnrepro sweep` as people start it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bnrepro.records.record import RunRecord, read_record
from bnrepro.sweep.launcher import command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

NAME = "mlp-digits-x1-"
# Long enough to be caught in the middle, with a checkpoint every second or so.
LONG = ["train_steps=20000", "checkpoint_every=500", "evaluate_every=500"]


class Sweeps:
    """Starts sweeps over one results folder."""

    def __init__(self, results: Path) -> None:
        self.results = results

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*command([])[:-1], "sweep", "model=mlp", *words, f"results_dir={self.results}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment},
        )

    def finish(self, *words: str, **environment: str) -> tuple[int, str]:
        sweep = self.start(*words, **environment)
        output, _ = sweep.communicate(timeout=2400)
        return sweep.returncode, output

    def directory(self, seed: int) -> Path:
        return next(self.results.glob(f"runs/*/seed_{seed}"))

    def record(self, seed: int) -> RunRecord:
        return read_record(self.directory(seed))

    def trained(self, seed: int) -> Callable[[], bool]:
        """Whether the run has left a checkpoint."""
        return lambda: any(self.results.glob(f"runs/*/seed_{seed}/checkpoint/*"))


@pytest.fixture
def sweeps(tmp_path: Path) -> Sweeps:
    return Sweeps(tmp_path / "results")


def wait_for(happened: Callable[[], bool], seconds: float = 480.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


def runs_of(results: Path, seed: int | None = None) -> list[int]:
    """The processes whose command line, as `ps` shows it, is a run into that folder."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True
    )
    wanted = ["bnrepro run ", f"results_dir={results}", "" if seed is None else f" seed={seed} "]
    lines = listed.stdout.splitlines()
    return [int(line.split()[0]) for line in lines if all(word in line for word in wanted)]


def test_a_grid_trains_and_ends_with_its_table(sweeps: Sweeps) -> None:
    code, output = sweeps.finish("bn=none,x1", "train_steps=200", "--workers", "2")
    assert code == 0, output
    assert "2 runs: 2 done" in output
    assert "best accuracy" in output
    assert runs_of(sweeps.results) == []


def test_a_run_that_is_killed_fails_and_a_retry_ends_as_if_nothing_had_happened(
    sweeps: Sweeps, tmp_path: Path
) -> None:
    words = ["seed=0,1", *LONG, "threads=1", "--workers", "2"]
    whole = Sweeps(tmp_path / "whole")
    assert whole.finish(*words)[0] == 0
    sweep = sweeps.start(*words)
    wait_for(sweeps.trained(0))
    (victim,) = runs_of(sweeps.results, seed=0)
    os.kill(victim, signal.SIGKILL)
    output, _ = sweep.communicate(timeout=2400)
    assert sweep.returncode == 1
    assert f"log: {sweeps.directory(0) / 'log.txt'}" in output
    assert (sweeps.record(0).status, sweeps.record(1).status) == ("failed", "completed")
    assert "SIGKILL" in str(sweeps.record(0).error)
    assert sweeps.record(0).train_steps > 0
    code, output = sweeps.finish(*words, "--retry-failed")
    assert code == 0, output
    for seed in (0, 1):
        assert sweeps.record(seed).weights_digest == whole.record(seed).weights_digest
    assert "resumed at step" in (sweeps.directory(0) / "log.txt").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_sweep_goes_on(sweeps: Sweeps, number: int, code: int) -> None:
    words = ["seed=0,1", *LONG, "--workers", "2"]
    sweep = sweeps.start(*words)
    wait_for(sweeps.trained(0))
    sweep.send_signal(number)
    output, _ = sweep.communicate(timeout=480)
    assert sweep.returncode == code, output
    assert runs_of(sweeps.results) == []
    assert sweeps.record(0).status == "interrupted"
    code, output = sweeps.finish(*words)
    assert code == 0, output
    assert {sweeps.record(seed).status for seed in (0, 1)} == {"completed"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's parent-death signal")
def test_killing_the_sweep_stops_its_runs_with_their_work_saved(sweeps: Sweeps) -> None:
    sweep = sweeps.start("seed=0", *LONG)
    wait_for(sweeps.trained(0))
    sweep.kill()
    sweep.communicate()
    wait_for(lambda: runs_of(sweeps.results) == [])
    assert sweeps.record(0).status == "interrupted"


def test_a_run_that_the_sweep_starts_twice_at_once_trains_once(sweeps: Sweeps) -> None:
    words = ["seed=0,1,2", "train_steps=2000", "--workers", "1"]
    both = [sweeps.start(*words) for _ in range(2)]
    outputs = [sweep.communicate(timeout=2400)[0] for sweep in both]
    assert [sweep.returncode for sweep in both] == [0, 0], outputs
    for seed in range(3):
        log = (sweeps.directory(seed) / "log.txt").read_text()
        assert sum(line.startswith("$ ") for line in log.splitlines()) == 1


def test_a_group_leaves_the_records_that_its_members_would_leave_alone(
    sweeps: Sweeps, tmp_path: Path
) -> None:
    """In every number that they may differ in; also where one diverges, or was begun alone."""
    pytest.importorskip("jax")
    same = ["model=mlp", "backend=jax", "threads=1", "optimizer=momentum", "accelerate=[l2]"]
    same += ["train_steps=60", "evaluate_every=20", f"results_dir={sweeps.results}"]
    numbers = {
        "seed": [0, 1, 0, 1],
        "learning_rate": [0.1, 0.05, 0.2, 1e38],
        "learning_rate_multiplier": [1.0, 2.0, 3.0, 1.0],
        "initializer.scale": [0.1, 0.2, 0.3, 0.1],
        "l2": [0.001, 0.002, 0.003, 0.01],
        "optimizer.momentum": [0.9, 0.8, 0.7, 0.6],
    }
    together = [f"{key}={','.join(map(str, values))}" for key, values in numbers.items()]
    started = subprocess.run(command(["--group", *same, *together]), check=False)
    assert started.returncode == 0
    found = {path: read_record(path) for path in sorted(sweeps.results.glob("runs/*/seed_*"))}
    assert sorted(record.status for record in found.values()) == ["completed"] * 3 + ["diverged"]
    alone = tmp_path / "alone"
    for place in range(4):
        own = [f"{key}={values[place]}" for key, values in numbers.items()]
        subprocess.run(command([*same, *own, f"results_dir={alone}"]), check=True)
    for path, record in found.items():
        one = read_record(alone / path.relative_to(sweeps.results))
        # Which of its many bit patterns a weight that is no number has is the program's affair.
        if record.status == "completed":
            assert record.weights_digest == one.weights_digest
        assert record.config == one.config
        assert record.diverged_at_step == one.diverged_at_step
        assert record.final_accuracy == one.final_accuracy


def test_a_group_waits_for_a_member_that_is_behind(sweeps: Sweeps, tmp_path: Path) -> None:
    """One of two members was begun alone and interrupted; both end as the runs alone."""
    pytest.importorskip("jax")
    same = ["model=mlp", "backend=jax", "threads=1", "train_steps=4000", "checkpoint_every=500"]
    place = f"results_dir={sweeps.results}"
    begun = subprocess.Popen(command([*same, "seed=0", place]))
    wait_for(lambda: any(sweeps.results.glob("runs/*/seed_0/checkpoint/*.ckpt")))
    begun.send_signal(signal.SIGTERM)
    assert begun.wait(timeout=480) == 143
    subprocess.run(command(["--group", *same, "seed=0,1", place]), check=True)
    alone = tmp_path / "alone"
    for seed in (0, 1):
        subprocess.run(command([*same, f"seed={seed}", f"results_dir={alone}"]), check=True)
        (path,) = sweeps.results.glob(f"runs/*/seed_{seed}")
        one = read_record(alone / path.relative_to(sweeps.results))
        assert read_record(path).weights_digest == one.weights_digest


def test_damaged_data_fails_each_run_with_the_line_that_says_so(
    sweeps: Sweeps, tmp_path: Path
) -> None:
    (tmp_path / "mnist").mkdir()
    for kind in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / "mnist" / f"{kind}-ubyte.gz").write_bytes(b"damaged")
    code, output = sweeps.finish("data=mnist", f"data.root={tmp_path}", "seed=0")
    assert code == 1, output
    assert "exited with code 2: bnrepro: " in output
    assert "ubyte.gz" in output
    assert sweeps.record(0).status == "failed"
    assert str(tmp_path) not in (sweeps.directory(0) / "record.json").read_text()


def test_a_probe_trains_a_few_steps_and_says_how_long_the_whole_takes(sweeps: Sweeps) -> None:
    code, output = sweeps.finish("seed=0,1", "--probe")
    assert code == 0, output
    assert "2 runs: 2 waiting; time left about" in output
    assert "disk about" in output
    assert not sweeps.results.exists()


def test_the_five_rows_train_at_the_smallest_scale(tmp_path: Path) -> None:
    sweep = subprocess.run(
        [*command([])[:-1], "sweep", "study=rows", "scale=smoke", f"results_dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert sweep.returncode == 0, sweep.stderr
    for row in ("inception", "bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid"):
        assert f"\n{row} " in sweep.stdout
