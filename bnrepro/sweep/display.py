"""What a person sees of a sweep: a live table in a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from bnrepro.config.study import PlannedRun
from bnrepro.screen import duration, percent, printed
from bnrepro.sweep.estimate import Speeds
from bnrepro.sweep.outcome import LOG, Outcome, progress

_SECONDS_BETWEEN_TABLES = 0.5
_SECONDS_BETWEEN_LINES = 30.0
_ORDER = (
    ("running", "running"),
    ("stopping", "saving its work"),
    ("elsewhere", "running elsewhere"),
    ("completed", "done"),
    ("diverged", "diverged"),
    ("failed", "failed"),
    ("interrupted", "interrupted"),
    ("requeued", "requeued"),
    ("pending", "pending"),
    ("waiting", "waiting"),
)
_AT_WORK = ("running", "stopping", "elsewhere")
# In a cluster's queue, for the first time or again.
QUEUED = ("pending", "requeued")
_TO_DO = ("waiting", *QUEUED)
States = Sequence[tuple[PlannedRun, Outcome]]


@dataclass(frozen=True)
class Snapshot:
    """How far each run of a sweep is, at one moment."""

    states: States
    seconds_left: float | None

    def counts(self) -> str:
        """How many runs are how far."""
        noun = "run" if len(self.states) == 1 else "runs"
        each = counts_of(outcome.status for _, outcome in self.states)
        return f"{len(self.states)} {noun}: {each}"

    def summary(self) -> str:
        """The counts and, unless all have ended, the time left."""
        if all(outcome.status not in (*_TO_DO, *_AT_WORK) for _, outcome in self.states):
            return self.counts()
        left = "unknown" if self.seconds_left is None else f"about {duration(self.seconds_left)}"
        return f"{self.counts()}; time left {left}"

    def render(self) -> RenderableType:
        """The summary above a table of the runs in progress."""
        table = Table(box=None, pad_edge=False)
        for heading in ("running", "step", "of", "steps/s", "accuracy", "left"):
            table.add_column(heading, justify="left" if heading == "running" else "right")
        for run, outcome in self.states:
            if outcome.status in _AT_WORK:
                table.add_row(*_cells(run))
        return Group(Text(self.summary()), table) if table.row_count else Text(self.summary())


def take_snapshot(states: States, speeds: Speeds, num_slots: int) -> Snapshot:
    """The state of a sweep, with the time that it still takes in so many slots."""
    left = [_seconds_left(run, outcome, speeds) for run, outcome in states]
    return Snapshot(states, seconds_together(left, num_slots))


def seconds_together(left: Sequence[float | None], num_slots: int) -> float | None:
    """How long runs take in so many slots; those of which nothing is known take as the others."""
    known = [seconds for seconds in left if seconds is not None]
    unknown = len(left) - len(known)
    todo = [seconds for seconds in known if seconds > 0]
    if unknown and not todo:
        return None
    total = sum(todo) + unknown * (sum(todo) / len(todo) if todo else 0.0)
    return max([total / num_slots, *known])


def counts_of(statuses: Iterable[str]) -> str:
    """`2 running, 5 waiting`: how many runs are how far."""
    numbers = Counter(statuses)
    return ", ".join(f"{numbers[status]} {word}" for status, word in _ORDER if numbers[status])


class Board:
    """Shows a sweep while it runs; a context manager, so that the terminal is left as it was."""

    def __init__(self, console: Console, snapshot: Callable[[], Snapshot]) -> None:
        self._console = console
        self._snapshot = snapshot
        self._live: Live | None = None
        if console.is_terminal:
            # No thread of its own: processes are started while it is shown.
            self._live = Live(console=console, auto_refresh=False, transient=True)
        self._last = time.monotonic()

    def __enter__(self) -> "Board":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, run: PlannedRun, outcome: Outcome) -> None:
        """A line for what happened to a run; it stays above the table."""
        line = f"{outcome.status:<11}  {run.label}"
        if outcome.accuracy is not None:
            line += f"  best accuracy {percent(outcome.accuracy)}"
        if outcome.status == "failed":
            line += f"  {outcome.error}"
        if self._live is None or outcome.status not in _AT_WORK:
            print_line(self._console, line)

    def refresh(self) -> None:
        """Bring the table up to date, or now and then print the summary."""
        pause = _SECONDS_BETWEEN_LINES if self._live is None else _SECONDS_BETWEEN_TABLES
        if time.monotonic() - self._last < pause:
            return
        self._last = time.monotonic()
        if self._live is None:
            print_line(self._console, self._snapshot().summary())
        else:
            self._live.update(self._snapshot().render(), refresh=True)


def failures(states: States) -> list[str]:
    """A line for each run that failed or was interrupted, with its log."""
    lines = []
    for run, outcome in states:
        if outcome.status in ("failed", "interrupted"):
            reason = f": {outcome.error}" if outcome.error else ""
            lines.append(f"{outcome.status}  {run.label}{reason}\n    log: {run.directory / LOG}")
    return lines


def print_line(console: Console, line: str) -> None:
    """Print without markup; in a terminal no word is broken, elsewhere the line stands whole."""
    console.print(printed(line, console.file), soft_wrap=True, highlight=False, markup=False)


def seconds_left(facts: dict[str, Any], whole: float | None) -> float | None:
    """Of a run in progress, by what runs like it took as a `whole`, else by its own speed."""
    steps = facts["train_steps"] - facts["step"]
    if whole is not None:
        return whole * steps / max(1, facts["train_steps"])
    return steps / facts["steps_per_second"] if facts["steps_per_second"] else None


def _cells(run: PlannedRun) -> list[str]:
    facts = progress(run.directory)
    if facts is None:
        return [run.label, "starting", "", "", "", ""]
    rate, accuracy = facts["steps_per_second"], facts["accuracy"]
    steps = facts["train_steps"] - facts["step"]
    return [
        run.label,
        f"{facts['step']:,}",
        f"{facts['train_steps']:,}",
        f"{rate:,.1f}" if rate else "",
        "–" if accuracy is None else percent(accuracy),
        duration(steps / rate) if rate else "",
    ]


def _seconds_left(run: PlannedRun, outcome: Outcome, speeds: Speeds) -> float | None:
    """Of a run that is waiting or at work; 0 of one that will not go on, None if unknown."""
    if outcome.status not in (*_TO_DO, *_AT_WORK):
        return 0.0
    whole = speeds.seconds(run.composition.config)
    facts = progress(run.directory)
    if facts is None or outcome.status in _TO_DO:
        return whole
    return seconds_left(facts, whole)
