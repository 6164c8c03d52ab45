"""Random numbers keyed by what they are for, so that every backend and every resume draws the same.

NumPy's Philox is a counter-based generator: the key is made of (seed, purpose), the counter of the
step. Variants of one seed therefore share initial weights, batches and distortions.
"""

import zlib

import numpy as np


def generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """The generator of `purpose` ("order", "offset_x", ...) at `step`, independent of others."""
    key = np.array([seed, zlib.crc32(purpose.encode())], dtype=np.uint64)
    counter = np.array([0, 0, 0, step], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
