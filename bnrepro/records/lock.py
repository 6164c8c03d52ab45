"""One process at a time works on a run, on one machine or on several that share a folder.

A file lock decides on one machine: the operating system lets go of it when its holder dies, however
it dies, so that no lock of a dead process is ever in the way. The files stay behind; only the lock
on them counts. Beside it lies a lease (`lease.py`), which decides between machines.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from filelock import FileLock, Timeout

from bnrepro.config import ConfigError
from bnrepro.records.lease import HEARTBEAT_SECONDS, Lease, Leased, holder_elsewhere

# Asking whether a lock is free takes it for a moment; waiting this long outlasts such a moment.
_PATIENCE_SECONDS = 1.0
# What this process holds without a thread that renews it.
_kept: list[Lease] = []


class Busy(ConfigError):
    """Another process works on the run."""


@contextmanager
def run_lock(directory: Path) -> Iterator[None]:
    """Hold the run that lies in `directory`, a run's directory, which need not exist yet.

    A thread renews its lease. Should another machine have taken the run over, because this one was
    not heard of for long, then this process ends at once, before it writes into what is no longer
    its own.

    Raises:
        Busy: if another process holds it. One on another machine that gives no sign of life is
            waited for until its lease is over.
        OSError: if the results folder cannot be written.
    """
    path = _path(directory, "run")
    refusal = "another process trains this run"
    with _held(path, f"{directory}: {refusal}", _PATIENCE_SECONDS) as lease, _renewed(lease):
        yield


@contextmanager
def claim(directory: Path) -> Iterator[None]:
    """Keep the run in `directory` for one sweep, from before its process starts until it ended.

    The process takes `run_lock` itself; the claim covers the moments before and after. Whoever
    holds claims calls `renew` every second or so: a thread would be in the way of starting runs.

    Raises:
        Busy: if another sweep has claimed it, or another process trains it.
        OSError: if the results folder cannot be written.
    """
    with kept(_path(directory, "claim"), f"{directory}: another sweep works on this run"):
        if is_held(directory):
            raise Busy(f"{directory}: another process trains this run")
        yield


@contextmanager
def kept(path: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of a file for as long as `renew` is called.

    Raises:
        Busy: with the refusal, if another process holds it.
        OSError: if it cannot be written.
    """
    with _held(path, refusal) as lease:
        _kept.append(lease)
        try:
            yield
        finally:
            _kept.remove(lease)


def renew() -> None:
    """Give a sign of life for all that is kept, where it is time for one."""
    for lease in _kept:
        if lease.is_due:
            lease.renew()


def is_held(directory: Path) -> bool:
    """Whether a process trains the run in `directory` now."""
    return is_locked(_path(directory, "run"))


def is_claimed(directory: Path) -> bool:
    """Whether a sweep has started the run in `directory` and waits for its end."""
    return is_locked(_path(directory, "claim"))


def is_locked(path: Path) -> bool:
    """Whether a process, here or elsewhere, holds the lock of that file, which need not exist."""
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(blocking=False):
            return holder_elsewhere(_lease(path)) is not None
    except Timeout:
        return True


def locks_folder(results_dir: str | Path) -> Path:
    """Where the locks of a results folder lie: outside of the runs, which `force` moves aside."""
    return Path(results_dir) / ".locks"


@contextmanager
def _held(path: Path, refusal: str, patience: float = 0.0) -> Iterator[Lease]:
    """Hold file lock and lease; with patience, also wait for a lease to run out.

    Raises:
        Busy: with the refusal.
    """
    remedy = "; wait for it, or choose another results_dir"
    path.parent.mkdir(parents=True, exist_ok=True)
    lease = Lease(_lease(path))
    try:
        lock = FileLock(path).acquire(timeout=patience)
    except Timeout as error:
        raise Busy(f"{refusal}{remedy}") from error
    with lock:
        try:
            lease.take(patient=patience > 0)
        except Leased as error:
            raise Busy(f"{refusal} on {error}{remedy}") from error
        try:
            yield lease
        finally:
            with suppress(OSError):
                lease.release()


@contextmanager
def _renewed(lease: Lease) -> Iterator[None]:
    """Inside, a thread renews the lease."""
    over = Event()

    def beat() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            if not lease.renew():
                words = "bnrepro: another machine has taken this run over; nothing more is written"
                print(words, file=sys.stderr, flush=True)
                os._exit(1)

    thread = Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _lease(path: Path) -> Path:
    return path.with_suffix(".lease")


def _path(directory: Path, purpose: str) -> Path:
    results, name = directory.parent.parent.parent, directory.parent.name
    return locks_folder(results) / f"{name}-{directory.name}.{purpose}.lock"
