"""A request to stop: noted at once, acted on between two segments of training or two batches of an
evaluation, and where these are long from outside of them."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer

from bnrepro.engine import processes
from bnrepro.screen.signals import answered, end_process

# A process is asked to be gone in ten seconds: so long for a segment or a batch to end, after which
# the work is saved from outside, and so long for the process to end by itself once it is saved.
_PATIENCE_SECONDS, _SECONDS_TO_END = 3.0, 3.0


class Interrupted(Exception):
    """A pass over many batches was left because a signal has come."""


@dataclass
class Interruption:
    """The signal that came first, if one did."""

    name: str | None = None

    def has_come(self) -> bool:
        """Whether a signal has come, to this process or to one that trains with it."""
        number = processes.largest(signal.Signals[self.name] if self.name else 0)
        if number and self.name is None:
            self.name = signal.Signals(number).name
        return number > 0

    def check(self) -> None:
        """Leave what is going on if a signal has come.

        Raises:
            Interrupted: then.
        """
        if self.has_come():
            raise Interrupted


@contextmanager
def listening(rescue: Callable[[str], str] | None = None) -> Iterator[Interruption]:
    """Note the first signal while the context is open; after it, signals do what they did before.

    With `rescue` the process ends within ten seconds of the signal, and at a second SIGINT at once.
    It is called with the signal's name, on another thread, where the training has not come to the
    end of its segment or batch by itself; it saves what that has not saved, and gives last words,
    which are empty where there was nothing to do.
    """
    interruption = Interruption()

    def save_and_end(number: signal.Signals) -> None:
        last_words = ""
        try:
            last_words = rescue(number.name) if rescue else ""
            if not last_words:
                time.sleep(_SECONDS_TO_END)
        except OSError as error:
            last_words = f"bnrepro: the work could not be saved: {error}"
        finally:
            end_process(number, last_words)

    def answer(number: signal.Signals) -> None:
        if interruption.name is None:
            interruption.name = number.name
            if rescue is not None:
                timer = Timer(_PATIENCE_SECONDS, save_and_end, [number])
                timer.daemon = True
                timer.start()
        elif rescue is not None and number is signal.SIGINT and interruption.name == "SIGINT":
            end_process(number)

    with answered(answer):
        yield interruption
