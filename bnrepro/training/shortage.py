"""Memory that does not suffice, on the machine or on its accelerator: one line with the remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from bnrepro.config import ConfigError, Recipe

# What frameworks, CUDA and C++ say of it, each in an exception class of its own.
_SIGNS = ("RESOURCE_EXHAUSTED", "OOM when allocating", "ut of memory", "OUT_OF_MEMORY", "bad_alloc")


class OutOfMemory(MemoryError):
    """Memory does not suffice for a run: what can be done about it, in one line."""


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, ConfigError):
        return False
    # TensorFlow's class is not named: JAX trains without TensorFlow.
    names = {kind.__name__ for kind in type(error).__mro__}
    is_named = not names.isdisjoint(("MemoryError", "ResourceExhaustedError"))
    return is_named or any(sign in str(error) for sign in _SIGNS)


def in_words(error: BaseException, config: Recipe, on_accelerator: bool) -> str | None:
    """The line about a shortage; None for any other error."""
    if isinstance(error, OutOfMemory):
        return str(error)
    if not is_shortage(error):
        return None
    smaller = f"a smaller batch_size (now {config.batch_size}) or model.width (now "
    smaller += f"{config.model.width:g})"
    if on_accelerator and not isinstance(error, MemoryError | OSError):
        share = ", or a larger device_memory" if config.backend == "jax" else ""
        return f"out of memory on the device: {smaller}, fewer runs on it (--per-gpu){share}"
    return f"out of memory on the machine: {smaller}, or fewer runs at once (--workers)"


@contextmanager
def told(config: Recipe) -> Iterator[None]:
    """Inside, a shortage is raised as `OutOfMemory`."""
    try:
        yield
    except Exception as error:
        from bnrepro.engine import find_accelerator

        line = in_words(error, config, find_accelerator() is not None)
        if line is None:
            raise
        raise OutOfMemory(line) from None
