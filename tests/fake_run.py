"""A stand-in for `bnrepro run` that takes no time: it ends in the way that its seed is told to.

    python fake_run.py RECORD BEHAVIOUR DIRECTORY OVERRIDE ...

RECORD is the record of a completed run of the right config, written where BEHAVIOUR says so.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from bnrepro.records.lock import Busy, run_lock

FOREVER = 600.0  # in seconds; longer than the tests wait


def leave(directory: Path, record: dict[str, object], **changes: object) -> None:
    """Write the record and a curve of one evaluation, at the end."""
    record = {**record, **changes}
    record["best_accuracy_step"] = record["train_steps"]
    header = "step,train_loss,train_accuracy,evaluation_loss,evaluation_accuracy,learning_rate"
    row = f"{record['train_steps']},nan,nan,2.3,0.1,0.1,0.0"
    (directory / "curve.csv").write_text(f"{header},train_seconds\n{row}\n")
    (directory / "model.keras").write_bytes(b"weights")
    temporary = directory / ".record.json"
    temporary.write_text(json.dumps(record))
    temporary.rename(directory / "record.json")


def sleep_until_asked(directory: Path, record: dict[str, object], seconds: float) -> None:
    """Train for a while; SIGTERM saves the work."""

    def save(number: int, _frame: object) -> None:
        time.sleep(0.3)
        leave(directory, record, status="interrupted", error="SIGTERM")
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, save)
    facts = {"step": 30, "train_steps": 100, "steps_per_second": 10.0, "accuracy": 0.5}
    (directory / "progress.json").write_text(json.dumps(facts))
    (directory / "pid").write_text(str(os.getpid()))
    time.sleep(seconds)
    (directory / "progress.json").unlink()


def main() -> None:
    """Do what the behaviour says."""
    record = json.loads(Path(sys.argv[1]).read_text())
    behaviour, directory = sys.argv[2], Path(sys.argv[3])
    with (directory / "starts").open("a") as starts:
        starts.write(f"{os.environ.get('CUDA_VISIBLE_DEVICES')}\n")
    if behaviour.startswith("late "):
        # When the others have begun.
        time.sleep(2.0)
        behaviour = behaviour.removeprefix("late ")
    if behaviour == "sleep":
        sleep_until_asked(directory, record, FOREVER)
    if behaviour == "brief":
        sleep_until_asked(directory, record, 1.0)
    if behaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (directory / "pid").write_text(str(os.getpid()))
        time.sleep(FOREVER)
    if behaviour.startswith("SIG"):
        (directory / "progress.json").write_text('{"step": 30}')
        os.kill(os.getpid(), getattr(signal, behaviour))
    if behaviour == "raises":
        leave(directory, record, status="failed", error="ValueError: bad luck")
        sys.exit(1)
    if behaviour == "exits":
        print("no space left in /home/somebody/data/mnist.gz", file=sys.stderr)
        sys.exit(3)
    if behaviour == "diverges":
        leave(directory, record, status="diverged", train_steps=7, diverged_at_step=7)
    elif behaviour != "forgets":
        leave(directory, record)


if __name__ == "__main__":
    try:
        with run_lock(Path(sys.argv[3])):
            main()
    except Busy as error:
        print(f"bnrepro: {error}", file=sys.stderr)
        sys.exit(2)
