"""Real `bnrepro run` processes for tests, and what of a run must not depend on interruptions."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bnrepro.records.record import CURVE_COLUMNS, read_rows

START_SECONDS = 480  # the longest that a process may take to its first step on a slow, busy machine


def command(results: Path, *overrides: str) -> list[str]:
    return [sys.executable, "-m", "bnrepro", "run", f"results_dir={results}", *overrides]


def start(results: Path, *overrides: str) -> subprocess.Popen[str]:
    """A run in the background; what it prints is kept apart."""
    return subprocess.Popen(
        command(results, *overrides),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )


def finish(results: Path, *overrides: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """A run to its end, which must have that exit code."""
    done = subprocess.run(command(results, *overrides), capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return done


def only_directory(results: Path) -> Path:
    (directory,) = [path for path in results.glob("runs/*/seed_*") if path.is_dir()]
    return directory


def wait_for(condition, process: subprocess.Popen[str], seconds: float = START_SECONDS) -> None:
    """Wait until `condition()` holds while the process lives."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, (process.communicate()[1] or "")[-3000:]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def first_checkpoint(results: Path):
    return lambda: any(results.glob("runs/*/seed_*/checkpoint/*.ckpt"))


def stop(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    process.communicate(timeout=START_SECONDS)
    return process.returncode


def essence(directory: Path) -> dict:
    """What an interruption must not change: all but times, versions of code, and threads."""
    record = json.loads((directory / "record.json").read_text())
    kept = ("status", "train_steps", "diverged_at_step", "best_accuracy", "best_accuracy_step",
            "final_accuracy", "final_accuracy_population", "weights_digest", "config")  # fmt: skip
    seconds = CURVE_COLUMNS.index("train_seconds")
    curve = [row[:seconds] for row in read_rows(directory / "curve.csv", CURVE_COLUMNS)]
    percentiles = directory / "percentiles.csv"
    return {
        "record": {key: record[key] for key in kept},
        "curve": repr(curve),
        "percentiles": percentiles.read_text() if percentiles.exists() else None,
        "tensorboard": event_steps(directory / "tensorboard"),
    }


def event_steps(directory: Path) -> list[tuple[str, int]]:
    """Every (tag, step) in a run's event files, in the order of writing."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    steps = []
    for path in sorted(directory.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            steps += [(value.tag, event.step) for value in event.summary.value]
    return steps
