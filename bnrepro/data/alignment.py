"""Arrays that a framework on the same processor reads where they lie, instead of copying them."""

import math

import numpy as np

# What TensorFlow and XLA ask of memory that is not their own.
_BYTES = 64


def empty_images(shape: tuple[int, ...]) -> np.ndarray:
    """A uint8 array without values yet, `is_aligned`."""
    room = np.empty(math.prod(shape) + _BYTES, np.uint8)
    start = -room.ctypes.data % _BYTES
    return room[start : start + math.prod(shape)].reshape(shape)


def is_aligned(array: np.ndarray) -> bool:
    """Whether frameworks can share an array's memory."""
    flags = array.flags
    return array.ctypes.data % _BYTES == 0 and flags.c_contiguous and flags.writeable
