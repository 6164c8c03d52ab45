"""Where a network is made: on the machine's processor, also where an accelerator trains it."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def on_the_host() -> Iterator[None]:
    """Inside, arrays that Keras makes under JAX lie on the processor.

    A network is hundreds of small operations, each a program of its own; an accelerator takes
    longer to compile and launch one than a processor to have done it.
    """
    if keras.config.backend() != "jax":
        yield
        return
    import jax

    try:
        processor = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX_PLATFORMS leaves it out
        yield
        return
    with jax.default_device(processor):
        yield
