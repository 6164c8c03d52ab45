"""Slurm's own commands, and what they say of an array: the one place that reads their output."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bnrepro.config import ConfigError, one_line

_PATIENCE_SECONDS = 60.0
# All others (COMPLETING, SUSPENDED, REQUEUED, ...) lead to another one.
_ENDED = (
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
)
_NOT_AT_WORK = ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT")
_FIELD = re.compile(r"(?:^| )([A-Z]\w*)=(\S*)")


@dataclass(frozen=True)
class Task:
    """A task of an array, as the controller knows it; `code` is minus the signal that ended it."""

    state: str
    restarts: int
    code: int
    node: str

    @property
    def has_ended(self) -> bool:
        """Whether it will not be started again by itself."""
        return self.state in _ENDED

    @property
    def status(self) -> str:
        """How far it is, in the words of a sweep."""
        if self.state not in _NOT_AT_WORK:
            return "running"
        return "requeued" if self.restarts else "pending"


class Unreachable(OSError):
    """The controller does not answer, now."""


def require() -> None:
    """Refuse now what could not be submitted.

    Raises:
        ConfigError: if there is no Slurm here.
    """
    if shutil.which("sbatch") is None:
        raise ConfigError(
            "--launcher slurm: no sbatch here; start the sweep where Slurm's commands are, or "
            "leave --launcher out to train on this machine"
        )


def submit(script: Path) -> str:
    """Submit an array, whose tasks wait for `release`; gives its id.

    Raises:
        ConfigError: if Slurm refuses the script.
        Unreachable: if its controller does not answer.
    """
    done = _call("sbatch", "--parsable", "--hold", str(script))
    if done.returncode != 0:
        raise ConfigError(f"sbatch refuses the array: {_said(done)}")
    # On a federation of clusters `id;cluster`.
    return done.stdout.strip().partition(";")[0]


def release(job: str) -> None:
    """Let the tasks of an array start.

    Raises:
        Unreachable: if the controller does not answer, or refuses.
    """
    done = _call("scontrol", "release", job)
    if done.returncode != 0:
        raise Unreachable(f"scontrol release {job}: {_said(done)}")


def tasks(job: str, name: str) -> dict[int, Task]:
    """The tasks of an array by their number; of those that ended some minutes ago none is known.

    Raises:
        Unreachable: if there is no Slurm here, or its controller does not answer.
    """
    done = _call("scontrol", "--oneliner", "show", "job", job)
    # An unknown job is an error, too.
    return read_tasks(done.stdout, name)


def read_tasks(text: str, name: str) -> dict[int, Task]:
    """The tasks in what `scontrol --oneliner show job` prints, a line each or one for several.

    A job of another name has been given the same number since.
    """
    found: dict[int, Task] = {}
    for line in text.splitlines():
        fields = dict(_FIELD.findall(line))
        if fields.get("JobName") == name and "ArrayTaskId" in fields:
            code, _, number = fields["ExitCode"].partition(":")
            killed = -int(number) if int(number) else int(code)
            node = fields.get("NodeList", "")
            task = Task(fields["JobState"], int(fields["Restarts"]), killed, node)
            found |= dict.fromkeys(_numbers(fields["ArrayTaskId"]), task)
    return found


def find(name: str) -> str | None:
    """The id of the array of that name that is in the queue.

    Raises:
        Unreachable: if there is no Slurm here, or its controller does not answer.
    """
    done = _call("squeue", "--noheader", "--name", name, "--format", "%F")
    return next(iter(done.stdout.split()), None)


def cancel_pending(job: str) -> None:
    """Take the tasks out of the queue that have not started."""
    _call("scancel", "--state=PENDING", job)


def _numbers(text: str) -> list[int]:
    """`0,2-4%2`, as Slurm writes the numbers of tasks."""
    numbers: list[int] = []
    for part in text.partition("%")[0].split(","):
        bounds, _, step = part.partition(":")
        first, _, last = bounds.partition("-")
        numbers += range(int(first), int(last or first) + 1, int(step or 1))
    return numbers


def _call(*words: str) -> "subprocess.CompletedProcess[str]":
    # 0: numbers of tasks are written out, however many.
    environment = {**os.environ, "SLURM_BITSTR_LEN": "0"}
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
            env=environment,
        )
    except FileNotFoundError as error:
        raise Unreachable(f"{words[0]} is not here: nothing is known of the cluster") from error
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"{words[0]}: Slurm's controller does not answer") from error
    if done.returncode != 0 and ("contact" in done.stderr or "connect" in done.stderr):
        raise Unreachable(f"{words[0]}: {_said(done)}")
    return done


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    text = one_line(ValueError(done.stderr)) or f"exit code {done.returncode}"
    return text.removeprefix(f"{done.args[0]}: error: ")
