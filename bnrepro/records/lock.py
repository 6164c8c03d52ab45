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


@contextmanager
def run_lock(directory: Path) -> Iterator[None]:
    """Hold the run that lies in `directory`, a run's directory, which need not exist yet.

    Raises:
        Busy: if another process holds it.
        OSError: if the results folder cannot be written.
    """
    path = _path(directory, "run")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(path).acquire(timeout=_PATIENCE_SECONDS)
    except Timeout as error:
        raise Busy(
            f"{directory}: another process trains this run; wait for it, or choose another "
            "results_dir"
        ) from error
    with lock:
        yield


@contextmanager
def claim(directory: Path) -> Iterator[None]:
    """Keep the run in `directory` for one sweep, from before its process starts until it ended.

    The process takes `run_lock` itself; the claim covers the moments before and after.

    Raises:
        Busy: if another sweep has claimed it, or another process trains it.
        OSError: if the results folder cannot be written.
    """
    path = _path(directory, "claim")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(path).acquire(blocking=False)
    except Timeout as error:
        raise Busy(f"{directory}: another sweep works on this run") from error
    with lock:
        if is_held(directory):
            raise Busy(f"{directory}: another process trains this run")
        yield


def is_held(directory: Path) -> bool:
    """Whether a process trains the run in `directory` now."""
    return is_locked(_path(directory, "run"))


def is_claimed(directory: Path) -> bool:
    """Whether a sweep has started the run in `directory` and waits for its end."""
    return is_locked(_path(directory, "claim"))


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of that file, which need not exist."""
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True


def locks_folder(results_dir: str | Path) -> Path:
    """Where the locks of a results folder lie: outside of the runs, which `force` moves aside."""
    return Path(results_dir) / ".locks"


def _path(directory: Path, purpose: str) -> Path:
    results, name = directory.parent.parent.parent, directory.parent.name
    return locks_folder(results) / f"{name}-{directory.name}.{purpose}.lock"
