"""What a person sees while a run trains: a live bar in a terminal, plain lines elsewhere.

`progress.json` in the run's directory tells the same to another process (a sweep's table).
"""

import json
import time
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnrepro.config import RunConfig
from bnrepro.measures import Observer
from bnrepro.records.record import CurveRow, RunRecord, write_atomically
from bnrepro.screen import duration, percent
from bnrepro.screen.foot import Bar, foot

if TYPE_CHECKING:
    from bnrepro.engine import Engine, Segment

FILE = "progress.json"
# Where nothing was measured yet.
_UNKNOWN = "-"
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_FILES = 1.0


class ProgressObserver(Observer):
    """Shows step, accuracy, time left, loss and steps per second, on standard error."""

    def __init__(
        self,
        directory: Path,
        config: RunConfig,
        step: int,
        curve: Sequence[CurveRow],
        seconds: Mapping[str, float],
    ) -> None:
        """The run stands at `step`; `curve` and the clocks `seconds` are its own and go on."""
        self._path = directory / FILE
        self._train_steps = config.train_steps
        self._step = step
        self._pace = Pace(config, step, curve, seconds)
        self._loss = curve[-1].train_loss if len(curve) > 1 else None
        known = [row.evaluation_accuracy for row in curve if isfinite(row.evaluation_accuracy)]
        self._accuracy = known[-1] if known else None
        self._last_line = time.monotonic()
        # The end of the first segment is told at once: until then nobody knows that it trains.
        self._last_file = -inf
        foot().show(self._bar())

    def on_segment(self, step: int, train_seconds: float, segment: "Segment") -> None:
        self._loss = float(segment.loss.mean())
        self._step = step
        self._pace.on_segment(step)
        self._show(time.monotonic())

    def on_evaluation(self, engine: "Engine", row: dict[str, float]) -> None:
        if isfinite(row["evaluation_accuracy"]):
            self._accuracy = row["evaluation_accuracy"]
        foot().show(self._bar())

    def on_end(self, record: RunRecord) -> None:
        foot().show(None)
        self._path.unlink(missing_ok=True)

    def _show(self, now: float) -> None:
        foot().show(self._bar())
        if now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            foot().line("  ".join(self._parts()))
        if now - self._last_file >= _SECONDS_BETWEEN_FILES:
            self._last_file = now
            write_atomically(self._path, json.dumps(self._facts()) + "\n")

    def _facts(self) -> dict[str, Any]:
        # JSON has no word for what is not a number.
        loss = self._loss if self._loss == self._loss else None
        return {
            "step": self._step,
            "train_steps": self._train_steps,
            "steps_per_second": round(self._pace.steps_per_second or 0.0, 2),
            "loss": loss,
            "accuracy": self._accuracy,
        }

    def _bar(self) -> Bar:
        return Bar(self._step, self._train_steps, tuple(self._parts()))

    def _parts(self) -> list[str]:
        """What matters most first: a narrow terminal has no room for all."""
        loss, accuracy, rate = self._loss, self._accuracy, self._pace.steps_per_second
        left = self._pace.seconds_left()
        return [
            f"step {self._step:,} of {self._train_steps:,}",
            f"accuracy {_UNKNOWN if accuracy is None else percent(accuracy)}",
            f"{_UNKNOWN if left is None else duration(left)} left",
            f"loss {_UNKNOWN if loss is None else f'{loss:.4f}'}",
            f"{_UNKNOWN if rate is None else f'{rate:,.1f}'} steps/s",
        ]


class Pace:
    """How fast a run goes, from its clocks: what is done only once, as compiling, is not in it."""

    def __init__(
        self,
        config: RunConfig,
        step: int,
        curve: Sequence[CurveRow],
        seconds: Mapping[str, float],
    ) -> None:
        self.steps_per_second: float | None = None
        self._config = config
        self._curve = curve
        self._seconds = seconds
        self._last = (step, seconds["train"])
        self._num_segments = 0

    def on_segment(self, step: int) -> None:
        """Training has reached `step`."""
        before, then = self._last
        self._last = step, now = step, self._seconds["train"]
        if now <= then:
            return
        self._num_segments += 1
        recent = (step - before) / (now - then)
        # The first segment of a process may be slower than all others.
        known = self.steps_per_second if self._num_segments > 2 else None
        self.steps_per_second = recent if known is None else 0.8 * known + 0.2 * recent

    def seconds_left(self) -> float | None:
        """Of training and evaluating, None until both are known."""
        if self.steps_per_second is None or self._num_segments < 2 or not self._curve:
            return None
        step, _ = self._last
        training = (self._config.train_steps - step) / self.steps_per_second
        evaluating = self._seconds["evaluate"] / len(self._curve)
        return training + evaluations_after(self._config, step) * evaluating


def evaluations_after(config: RunConfig, step: int) -> int:
    """How many rows the curve still gets once training has reached `step`."""
    last, early = config.train_steps, config.early_steps
    if step >= last:
        return 0
    early_every, every = config.evaluate_every_early, config.evaluate_every
    num_early = max(0, min(early, last) // early_every - step // early_every)
    num_later = max(0, last // every - max(step, early) // every)
    grid = early_every if last <= early else every
    return num_early + num_later + int(last % grid != 0)
