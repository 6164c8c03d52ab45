"""Who holds a lock, told to other machines: a file beside it that the holder renews.

A file lock ends with its holder, but a file system that several machines share may keep it to the
machine that took it. A lease says who holds what, and where; its time is that of the last sign of
life, by the file system's own clock. No process ids: on another machine, or in another container,
they mean somebody else.
"""

import json
import os
import socket
import sys
import time
import uuid
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

# Without a sign of life for so long, a lease of another machine counts no more. A client of NFS may
# show a file as it was up to a minute ago (acregmax, acdirmax), and a machine may be busy.
LEASE_SECONDS = 120.0
HEARTBEAT_SECONDS = 5.0
_SECONDS_BETWEEN_LOOKS = 1.0
# So long two that take over the same lease need at most, between their look and their writing.
_SECONDS_TO_SETTLE = 1.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Leased(Exception):
    """Somebody on another machine holds the lease."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lease; `owner` is random, `boot` tells two starts of one machine apart."""

    owner: str
    host: str
    boot: str

    @property
    def is_here(self) -> bool:
        """Whether its machine is this one, whose file locks tell whether it lives."""
        return (self.host, self.boot) == this_machine()


@cache
def this_machine() -> tuple[str, str]:
    """This machine's name, and what tells its start from others; empty where nothing does."""
    return socket.gethostname(), _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


class Lease:
    """A lease of this process, once it is taken."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._holder = Holder(uuid.uuid4().hex, *this_machine())
        self._renewed_at = 0.0

    def take(self, *, patient: bool) -> None:
        """Take the lease; whoever takes it on this machine holds the file lock beside it.

        With `patient` a holder that gives no sign of life is waited for until its time is over.

        Raises:
            Leased: if somebody on another machine holds it.
            OSError: if it cannot be written.
        """
        while not self._create():
            _await_end(self._path, patient=patient)
            if self._path.exists():
                self._replace()
                if self._is_mine():
                    break
        self._renewed_at = time.time()

    @property
    def is_due(self) -> bool:
        """Whether it is time for a sign of life."""
        return time.time() - self._renewed_at >= HEARTBEAT_SECONDS

    def renew(self) -> bool:
        """Give a sign of life; False if somebody else has taken the lease."""
        now = time.time()
        try:
            if self._is_mine():
                os.utime(self._path)
            # Somebody has tidied up. After a long silence it may have been taken and left.
            elif now - self._renewed_at >= LEASE_SECONDS or not self._create():
                return False
        except OSError:
            return True  # a server that does not answer: nobody can have taken it there
        self._renewed_at = now
        return True

    def release(self) -> None:
        """Give it back."""
        if self._is_mine():
            self._path.unlink(missing_ok=True)

    def _text(self) -> str:
        return json.dumps(asdict(self._holder)) + "\n"

    def _create(self) -> bool:
        """Write it where there is none, whoever else tries the same now."""
        try:
            with self._path.open("x") as stream:
                stream.write(self._text())
        except FileExistsError:
            return False
        return True

    def _replace(self) -> None:
        """Write over one that counts no more; the last of several writes over the others."""
        is_new = _age_seconds(self._path) < LEASE_SECONDS
        temporary = self._path.with_name(f".{self._holder.owner}")
        temporary.write_text(self._text())
        temporary.replace(self._path)
        if not is_new:
            # Then those on other machines write over it, too.
            time.sleep(_SECONDS_TO_SETTLE)

    def _is_mine(self) -> bool:
        return _holder(self._path) == self._holder


def holder_elsewhere(path: Path) -> Holder | None:
    """Who holds the lease on another machine, and was heard of lately."""
    holder = _holder(path)
    if holder is None or holder.is_here or _age_seconds(path) >= LEASE_SECONDS:
        return None
    return holder


def _await_end(path: Path, *, patient: bool) -> None:
    """Come back once nobody elsewhere holds the lease.

    Raises:
        Leased: if somebody does: at once, or with `patient` at the first sign of life.
    """
    first, began, said = _written_at(path), time.monotonic(), False
    while (holder := holder_elsewhere(path)) is not None:
        if not patient or _written_at(path) != first:
            raise Leased(holder.host)
        if not said and time.monotonic() - began > 2 * HEARTBEAT_SECONDS:
            said = True
            print(
                f"{holder.host} held this run and was last heard of {_age_seconds(path):.0f} s "
                f"ago; waiting: it is taken over after {LEASE_SECONDS:.0f} s",
                file=sys.stderr,
                flush=True,
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _holder(path: Path) -> Holder | None:
    """Who wrote the lease; nobody that is known where it is still being written."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return Holder("", "another machine", "")


def _written_at(path: Path) -> float | None:
    # Opened, so that a client of NFS asks its server instead of what it remembers.
    try:
        with path.open() as stream:
            return os.fstat(stream.fileno()).st_mtime
    except FileNotFoundError:
        return None


def _age_seconds(path: Path) -> float:
    """Since the last sign of life, by the clock of the file system that both times come from."""
    written = _written_at(path)
    return float("inf") if written is None else _clock(path.parent) - written


def _clock(folder: Path) -> float:
    try:
        with TemporaryFile(dir=folder) as stream:
            return os.fstat(stream.fileno()).st_mtime
    except OSError:
        return time.time()  # a folder that can only be read
