"""Standard streams that never stop a process: closed, full, broken, or of a narrow charset.

What a command has done is in its files and in its exit code; that nobody could read what it printed
changes neither.
"""

import io
import os
import sys
from errno import EPIPE
from typing import Any, TextIO


class _Unfailing(io.FileIO):
    """A descriptor for writing; once it takes no more, what is written is dropped."""

    def write(self, data: Any, /) -> int | None:  # type: ignore[override]
        """Write the bytes, or drop them."""
        try:
            return super().write(data)
        except OSError as error:
            _drop_from_now_on(self.fileno())
            # A reader that has closed its end has what it wanted.
            if self.fileno() == 1 and error.errno != EPIPE:
                reason = f"bnrepro: standard output: {error.strerror}; the rest is not printed\n"
                print(reason, end="", file=sys.stderr, flush=True)
            return len(memoryview(data).cast("B"))


def unfailing(descriptor: int, encoding: str = "utf-8") -> TextIO:
    """A text stream on the descriptor, which stays open; `?` where its charset has no letter."""
    raw = _Unfailing(descriptor, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="replace",
        line_buffering=descriptor == 2 or raw.isatty(),
        write_through=descriptor == 2,
    )


def mend_standard_streams() -> None:
    """Open those that are closed on nothing, and let writing to them never fail.

    Streams that somebody has put in their place stay as they are.
    """
    for descriptor in (0, 1, 2):
        _open_if_closed(descriptor)
    if sys.stdout is sys.__stdout__:
        sys.stdout = vars(sys)["__stdout__"] = _mended(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = vars(sys)["__stderr__"] = _mended(2, sys.stderr)


def _mended(descriptor: int, stream: TextIO | None) -> TextIO:
    if stream is None:
        return unfailing(descriptor)
    stream.flush()
    return unfailing(descriptor, stream.encoding)


def _open_if_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        # The lowest that is free: this one, as those below it are open.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _drop_from_now_on(descriptor: int) -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)
