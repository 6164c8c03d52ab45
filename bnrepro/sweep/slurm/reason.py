"""Why a task ended: from the controller while it knows, else from what Slurm and the run left."""

import re
import signal
from dataclasses import replace
from pathlib import Path

from bnrepro.screen.signals import exit_code
from bnrepro.sweep.outcome import Ending
from bnrepro.sweep.slurm.queue import Task
from bnrepro.sweep.slurm.submission import Submitted

_REMEDY = "launcher/slurm.yaml"
_OF_STATE = {
    "OUT_OF_MEMORY": f"out of memory; raise memory in {_REMEDY}",
    "TIMEOUT": f"time limit; raise time in {_REMEDY}",
    "DEADLINE": "deadline of the job",
    "PREEMPTED": "preempted by another job",
    "NODE_FAIL": "node lost",
    "BOOT_FAIL": "node did not start",
    "CANCELLED": "cancelled",
}
# What Slurm writes into a task's own output, and the state that it means.
_OF_NOTE = (
    ("oom-kill", "OUT_OF_MEMORY"),
    ("oom_kill", "OUT_OF_MEMORY"),
    ("DUE TO TIME LIMIT", "TIMEOUT"),
    ("DUE TO PREEMPTION", "PREEMPTED"),
    ("DUE TO NODE FAILURE", "NODE_FAIL"),
    (" CANCELLED AT ", "CANCELLED"),
)


def ending_of(row: Submitted, task: Task | None, log: Path) -> Ending:
    """How a task ended, with the reason in words; `task` is None where it was forgotten."""
    code = row.code
    if code is None:
        code = 1 if task is None else task.code
    ending = Ending(_as_signal(code), log, asked=False)
    state = task.state if task is not None and task.state in _OF_STATE else _state_in_note(row)
    if state is not None:
        on = f" on {task.node}" if state == "NODE_FAIL" and task is not None else ""
        return replace(ending, reason=_OF_STATE[state] + on)
    lost = task is None and row.code is None
    return replace(ending, reason="gone from the queue without a word") if lost else ending


def _as_signal(code: int) -> int:
    """A shell's 137 as the signal 9; what a run answers ends it with the same numbers."""
    number = code - 128
    answered = code < 128 or any(code == exit_code(each.name) for each in signal.Signals)
    return code if answered else -number


def _state_in_note(row: Submitted) -> str | None:
    """What the end of the task's own output says of its last start."""
    try:
        text = row.note.read_text(errors="replace")
    except OSError:
        return None
    last = re.split(r"^start \d+ on ", text, flags=re.MULTILINE)[-1]
    return next((state for words, state in _OF_NOTE if words in last), None)
