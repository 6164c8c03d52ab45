"""What a person sees while a run trains: a live bar in a terminal, plain lines elsewhere.

`progress.json` in the run's directory tells the same to another process (a sweep's table).
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bnrepro.engine import Engine, Segment
from bnrepro.measures import Observer
from bnrepro.records.record import RunRecord, write_atomically

FILE = "progress.json"
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_FILES = 1.0


class ProgressObserver(Observer):
    """Shows step, steps per second, loss, accuracy and time left, on standard error."""

    def __init__(self, directory: Path, train_steps: int, start: int, train_seconds: float) -> None:
        self._path = directory / FILE
        self._train_steps = train_steps
        self._step = start
        self._rate = 0.0
        self._loss = self._accuracy = float("nan")
        self._last_seconds = (start, train_seconds)
        self._last_line = self._last_file = time.monotonic()
        console = Console(stderr=True)
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = _bar(console)
            self._task = self._bar.add_task(
                "train", total=train_steps, completed=start, **self._fields()
            )
            self._bar.start()

    def on_segment(self, step: int, train_seconds: float, segment: Segment) -> None:
        self._loss = float(segment.loss.mean())
        before, then = self._last_seconds
        if train_seconds > then:
            recent = (step - before) / (train_seconds - then)
            self._rate = recent if self._rate == 0 else 0.8 * self._rate + 0.2 * recent
        self._last_seconds = (step, train_seconds)
        self._step = step
        self._show(time.monotonic())

    def on_evaluation(self, engine: Engine, row: dict[str, float]) -> None:
        self._accuracy = row["evaluation_accuracy"]

    def on_end(self, record: RunRecord) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._step, **self._fields())
            self._bar.stop()
        self._path.unlink(missing_ok=True)

    def _show(self, now: float) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=self._step, **self._fields())
        elif now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            print(self._line(), file=sys.stderr, flush=True)
        if now - self._last_file >= _SECONDS_BETWEEN_FILES:
            self._last_file = now
            write_atomically(self._path, json.dumps(self._facts()) + "\n")

    def _facts(self) -> dict[str, Any]:
        def number(value: float) -> float | None:
            return value if value == value else None

        return {
            "step": self._step,
            "train_steps": self._train_steps,
            "steps_per_second": round(self._rate, 2),
            "loss": number(self._loss),
            "accuracy": number(self._accuracy),
        }

    def _fields(self) -> dict[str, Any]:
        return {"rate": self._rate, "loss": self._loss, "accuracy": self._accuracy}

    def _line(self) -> str:
        left = (self._train_steps - self._step) / self._rate if self._rate else float("nan")
        return (
            f"step {self._step:,} of {self._train_steps:,}  {self._rate:,.1f} steps/s  "
            f"loss {self._loss:.4f}  accuracy {self._accuracy:.4f}  {left:,.0f} s left"
        )


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=30),
        TextColumn("step {task.completed:,.0f} of {task.total:,.0f}"),
        TextColumn("{task.fields[rate]:,.1f} steps/s"),
        TextColumn("loss {task.fields[loss]:.4f}"),
        TextColumn("accuracy {task.fields[accuracy]:.4f}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
