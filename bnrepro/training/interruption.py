"""A request to stop, by SIGINT or SIGTERM: recorded at once, acted on between two segments of
training or two batches of an evaluation."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """A pass over many batches was left because a signal has come."""


@dataclass
class Interruption:
    """The signal that came, if one did."""

    name: str | None = None

    def check(self) -> None:
        """Leave what is going on if a signal has come.

        Raises:
            Interrupted: then.
        """
        if self.name is not None:
            raise Interrupted


@contextmanager
def listening() -> Iterator[Interruption]:
    """Note a signal only, while the context is open; after it, signals do what they did before."""
    interruption = Interruption()

    def note(number: int, _frame: FrameType | None) -> None:
        interruption.name = signal.Signals(number).name

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
