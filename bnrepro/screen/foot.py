"""The line at the foot of the screen: what is being done now, and how far a training is.

In a terminal one line that changes in place. Elsewhere nothing changes in place: a pass has a plain
line only if it takes long. There is one such line a process, as there is one terminal.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from threading import Timer
from typing import TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bnrepro.screen.streams import unfailing
from bnrepro.screen.text import fitted, width

_SECONDS_BEFORE_A_LINE = 5.0
# Beside a bar, a pass that is over at once would only flicker.
_SECONDS_BESIDE_A_BAR = 1.0
_SHORTEST_BAR, _LONGEST_BAR, _GAP = 5, 30, 2
# Stays free at the end of the line, where a terminal itself writes ^C.
_CONTROL_C = len("^C") + 1


@dataclass(frozen=True)
class Bar:
    """How far a training is; `parts` says it in words, what matters most first."""

    completed: int
    total: int
    parts: tuple[str, ...]


@dataclass
class _Pass:
    """Something that takes its time: what, since when, and how much of it is done."""

    what: str
    began: float = field(default_factory=time.monotonic)
    reached: tuple[int, int] | None = None  # batches, of how many

    def words(self) -> str:
        """`evaluating, 3 of 50 batches`."""
        if self.reached is None:
            return self.what
        done, total = self.reached
        return f"{self.what}, {done:,} of {total:,} batches"


class Foot:
    """The line, written to `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self.is_terminal = stream.isatty()
        self._stream = stream
        self._console = _FootConsole(file=stream, width=width(stream) - _CONTROL_C)
        self._pass: _Pass | None = None
        self._bar: Bar | None = None
        self._live: Live | None = None

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Inside, the line says what is being done."""
        before, self._pass = self._pass, _Pass(what)
        timer = Timer(_SECONDS_BEFORE_A_LINE, self._say, [self._pass])
        timer.daemon = True
        if not self.is_terminal:
            timer.start()
        self._refresh()
        try:
            yield
        finally:
            timer.cancel()
            self._pass = before
            self._refresh()

    def reached(self, done: int, total: int) -> None:
        """So many batches of what is being done are done."""
        if self._pass is not None:
            self._pass.reached = (done, total)

    def show(self, bar: Bar | None) -> None:
        """Show how far the training is, or with None no longer."""
        self._bar = bar
        self._refresh()

    def line(self, text: str) -> None:
        """Write a plain line, which stays, where nothing changes in place."""
        if not self.is_terminal:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def fall_silent(self) -> None:
        """Show nothing from now on: another process speaks for this one."""
        self._refresh()
        self._stream, self.is_terminal = unfailing(os.open(os.devnull, os.O_WRONLY)), False

    def erase(self) -> None:
        """Wipe the line away, from a process that ends here and now."""
        if self._live is not None:
            # A terminal that has gone needs no wiping.
            with suppress(OSError):
                os.write(self._stream.fileno(), b"\r\033[2K")

    def _say(self, now: _Pass) -> None:
        self.line(f"{now.words()} ...")

    def _refresh(self) -> None:
        """Begin or end to show the line; while it is shown it brings itself up to date."""
        if not self.is_terminal:
            return
        wanted = self._pass is not None or self._bar is not None
        if wanted and self._live is None:
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                transient=True,
                redirect_stdout=False,  # what a person pipes away stays out of the terminal
            )
            self._live.start(refresh=True)
        elif not wanted and self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> RenderableType:
        now, bar = self._pass, self._bar
        self._console.width = columns = width(self._stream) - _CONTROL_C
        if bar is None:
            return Text(now.words() if now else "", no_wrap=True, overflow="ellipsis")
        parts = list(bar.parts)
        if now is not None and time.monotonic() - now.began > _SECONDS_BESIDE_A_BAR:
            parts.insert(1, now.words())
        words = fitted(parts, columns - _SHORTEST_BAR - _GAP)
        room = min(_LONGEST_BAR, columns - len(words) - _GAP)
        line = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        line.add_row(ProgressBar(bar.total, bar.completed, width=room), Text(words, no_wrap=True))
        return line


class _FootConsole(Console):
    """Never hides the cursor: a process that is killed could not bring it back."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


@cache
def foot() -> Foot:
    """The line of this process, on standard error as it is at first.

    What libraries write to standard error is held back while they load; the line is not.
    """
    # It lives as long as the process: nobody closes it.
    return Foot(unfailing(os.dup(2)))
