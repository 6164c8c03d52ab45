"""Signals that ask a process to stop, answered whatever its main thread does.

Python runs a handler between two instructions of the main thread, so not while a library compiles
or computes for minutes there. The number of each signal therefore goes through a pipe
(`signal.set_wakeup_fd`) to a thread, which hears it at once.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType

# Of a person, a scheduler, a terminal that closes, and batch systems before their time is over.
_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
# A terminal that is stopped takes no last words.
_SECONDS_FOR_LAST_WORDS = 1.0

_Handler = Callable[[int, FrameType | None], None]


def heeded() -> list[signal.Signals]:
    """The signals that ask this process to stop; SIGHUP is none where it is ignored (`nohup`)."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [number for number in _ASKING if not (ignored and number is signal.SIGHUP)]


def exit_code(name: str | None) -> int | None:
    """The exit code of a process that the signal of that name has ended; None for other words."""
    return next((128 + number for number in _ASKING if number.name == name), None)


@contextmanager
def answered(answer: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Inside, `answer` is called with each heeded signal, on a thread of its own.

    Contexts nest: the innermost answers. Only the main thread can open one.
    """
    numbers = heeded()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def listen() -> None:
        while heard := os.read(reading, 64):
            for number in heard:
                if number in numbers:
                    answer(signal.Signals(number))
        os.close(reading)

    Thread(target=listen, name="signals", daemon=True).start()
    with _handled(numbers, _leave_to_the_thread):
        descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            os.close(writing)


class Stopped(BaseException):
    """A signal that asks to stop; `code` is the exit code of the process that it ends."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@contextmanager
def raised() -> Iterator[None]:
    """Inside, signals that ask to stop are raised in the main thread, as Ctrl-C is: processes that
    were started end, and folders for the time being are removed.

    For commands that wait for others: a library that computes hears nothing until it is done. Only
    the main thread can open it.

    Raises:
        Stopped: at every one but SIGINT, which stays a KeyboardInterrupt; at the end for one that
            was raised where Python lets nothing out, in what it calls while a process is started.
    """
    numbers = [number for number in heeded() if number is not signal.SIGINT]
    heard: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        raise Stopped(number)

    with _handled(numbers, stop):
        yield
    if heard:
        raise Stopped(heard[0])


@contextmanager
def noted(signals: list[signal.Signals]) -> Iterator[None]:
    """Inside, every signal that asks to stop is added to the list, and does nothing else.

    For commands that look there by themselves. Only the main thread can open it.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        signals.append(signal.Signals(number))

    with _handled(heeded(), note):
        yield


@contextmanager
def _handled(numbers: Sequence[signal.Signals], handler: _Handler) -> Iterator[None]:
    """Inside, the handler is called with those signals; after it, they do what they did before."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def end_process(number: signal.Signals, last_words: str = "") -> None:
    """End this process here and now, whatever its other threads do."""

    def say() -> None:
        # Here, so that help and completion need no library of the terminal's.
        from bnrepro.screen.foot import foot

        foot().erase()
        if last_words:
            print(last_words, file=sys.stderr, flush=True)

    with suppress(RuntimeError):  # no thread can be started while Python ends
        words = Thread(target=say, daemon=True)
        words.start()
        words.join(_SECONDS_FOR_LAST_WORDS)
    os._exit(128 + number)


def end_without_teardown(name: str) -> None:
    """Once Python ends, be gone at once, with the exit code of the signal of that name.

    What frameworks do at their end takes seconds, and no thread can cut it short.
    """

    def leave() -> None:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(128 + signal.Signals[name])

    # The last that is registered is called first.
    atexit.register(leave)


def _leave_to_the_thread(number: int, _frame: FrameType | None) -> None:
    """Python writes the numbers of signals that have a handler into the pipe."""
