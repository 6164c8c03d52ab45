"""How far batch normalization in mini-batches is from standardization by the population.

Of m examples with mean a and deviation s (of the batch, in units of the population's), the root of
the mean squared difference is that of `a^2 + (1 - s)^2`. For normal features its square is expected
to be `2 - 2 c`, `c = E[s] = sqrt(2/m) Gamma(m/2) / Gamma((m-1)/2)` (Cochran's law of s^2): about
3/(2m), so that the difference falls as one over the root of m.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.lab.error_surface.features import batch_normalized

SIZES = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
# Each a mini-batch of its own, with its own mean and deviation.
_FEATURES = 4_096


class Row(NamedTuple):
    """Mini-batches of one size; `difference` is from the population's standardization."""

    seed: int
    batch_size: int
    difference: float
    law: float


COLUMNS = Row._fields


def rows(seeds: Sequence[int]) -> Iterator[Row]:
    """A row per seed and size of mini-batches."""
    for seed in seeds:
        random = generator(seed, "error surface/mini-batches")
        means = random.uniform(-10, 10, _FEATURES)
        deviations = 10 ** random.uniform(0, 2, _FEATURES)
        for size in SIZES:
            standard = random.standard_normal((size, _FEATURES))
            off = batch_normalized(standard * deviations + means) - standard
            yield Row(seed, size, math.sqrt(np.mean(off**2)), law(size))


def law(batch_size: int) -> float:
    """The expected difference for normal features, root of the mean square."""
    half = batch_size / 2
    deviation = math.exp(math.lgamma(half) - math.lgamma(half - 0.5)) / math.sqrt(half)
    return math.sqrt(2 - 2 * deviation)
