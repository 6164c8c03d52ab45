"""A real terminal for what is printed in tests."""

import fcntl
import os
import struct
import termios
from contextlib import contextmanager


@contextmanager
def terminal(columns):
    """A stream into a terminal of that width, and a function that reads what it shows so far."""
    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.set_blocking(reader, False)

    def shown():
        raw = b""
        try:
            while True:  # a terminal gives a page at a time
                raw += os.read(reader, 100_000)
        except BlockingIOError:
            return raw.decode()

    with os.fdopen(writer, "w") as stream:
        yield stream, shown
    os.close(reader)
