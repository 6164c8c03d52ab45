"""One process at a time works on a run: file locks that end with the process that holds them.

The operating system lets go of a lock when its holder dies, however it dies, so that no lock of a
dead process is ever in the way. The files stay behind; only the lock on them counts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bnrepro.config import ConfigError

# Asking whether a lock is free takes it for a moment; waiting this long outlasts such a moment.
_PATIENCE_SECONDS = 1.0


class Busy(ConfigError):
    """Another process works on the run."""


def run_lock(directory: Path) -> "_Held":
    """Hold the run that lies in `directory`, a run's directory, which need not exist yet.

    Raises:
        Busy: if another process holds it.
        OSError: if the results folder cannot be written.
    """
    return _hold(_path(directory, "run"), directory)


def claim(directory: Path) -> "_Held":
    """Keep the run in `directory` for this sweep, from before its process starts until it ended.

    The process takes `run_lock` itself; the claim covers the moments before and after.

    Raises:
        Busy: if another sweep has claimed it.
        OSError: if the results folder cannot be written.
    """
    return _hold(_path(directory, "claim"), directory)


def is_held(directory: Path) -> bool:
    """Whether a process trains the run in `directory` now."""
    path = _path(directory, "run")
    if not path.exists():
        return False
    try:
        with FileLock(path, blocking=False):
            return False
    except Timeout:
        return True
