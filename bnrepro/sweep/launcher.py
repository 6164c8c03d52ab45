"""How a run's process is started. A launcher is one function; `local` is the one there is."""

import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

_PR_SET_PDEATHSIG = 1
_SECONDS_BETWEEN_LOOKS = 0.1


class Process(Protocol):
    """A started run, as the sweep sees it."""

    def poll(self) -> int | None:
        """None while it runs, then its exit code, or minus the signal that killed it."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, unless it has ended."""


# The words of a run, where its output goes, and what its environment has beside ours.
Launcher = Callable[[Sequence[str], Path, Mapping[str, str]], Process]


def command(words: Sequence[str]) -> list[str]:
    """The command line of a run: `bnrepro run <words>` in `ps`."""
    # -P: a folder named bnrepro where the sweep was started must not be taken for the package.
    return [sys.executable, "-P", "-m", "bnrepro", "run", *words]


def local(words: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start a run on this machine, in a session of its own."""
    return start(command(words), log, environment)


def start(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start a process that the terminal's Ctrl-C does not reach and that ends with this one."""
    with log.open("ab") as output:
        output.write(f"$ {shlex.join(arguments)}\n".encode())
        output.flush()
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
            # Safe here: the sweep has no threads that could hold a lock during the fork.
            preexec_fn=_end_with_parent(os.getpid()) if _LIBC is not None else None,
        )


def finish(process: Process) -> int:
    """Wait for a process whose folder is thrown away, and give its exit code.

    If we are interrupted, it has ended, too, before the folder goes.
    """
    try:
        while (code := process.poll()) is None:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return code
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)  # what it would save is thrown away
            while process.poll() is None:
                time.sleep(_SECONDS_BETWEEN_LOOKS)


def _load_libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


_LIBC = _load_libc()


def _end_with_parent(parent: int) -> Callable[[], None]:
    """Have the kernel send SIGTERM to the new process when this one dies, even by kill -9.

    The run then saves its work and ends. Elsewhere than on Linux it trains on to its end.
    """

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # type: ignore[union-attr]
        if os.getppid() != parent:  # it died before the line above
            os._exit(128 + signal.SIGTERM)

    return ask
