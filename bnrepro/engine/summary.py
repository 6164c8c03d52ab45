"""What is told of inner values: percentiles of each unit, and a histogram over all of them.

On an accelerator they are reduced where they lie (`reduce`), and what is fetched are some numbers a
unit, not the values, which may be a hundred megabytes; on a CPU NumPy sorts ten times as fast.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

# As many as TensorBoard makes of values that it is given.
BINS = 30
# Of a histogram on the host. A convolution has a value a pixel.
_MOST_VALUES = 200_000


class Summary(NamedTuple):
    """Of one layer's values, (examples, ..., units).

    Where one of them is not finite nothing is counted.
    """

    percentiles: np.ndarray  # (units, percents) float64, over all axes but the last
    edges: np.ndarray  # (BINS + 1,) float64, evenly from the least value to the greatest
    counts: np.ndarray  # (BINS,) float64; each bin holds its lower edge, the last one both


def summarize(values: np.ndarray, percents: Sequence[float]) -> Summary:
    """The summary of values on the host; for the histogram an even part of very many is counted."""
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    counted = _thinned(values).astype(np.float64)
    ends = np.array([counted.min(), counted.max()])
    below = [np.sum(counted < edge) for edge in _edges(ends)[1:-1]]
    percentiles = np.percentile(flat, percents, axis=0).T
    return Summary(percentiles, *_histogram(ends, below, counted.size))


def reduce(values: Any, percents: Sequence[float]) -> tuple[Any, Any, Any]:
    """What `finish` needs of values on the device, and no more.

    The two order statistics between which a percentile lies, (units, percents, 2); the least and
    the greatest value, (2,); how many values lie below each inner edge, (BINS - 1,). The edges are
    rounded to the values' precision: a value that lies so near to one may count beside it.
    """
    flat = ops.cast(ops.reshape(values, (-1, values.shape[-1])), keras.config.floatx())
    ranks = [rank for percent in percents for rank in _ranks(percent, flat.shape[0])]
    neighbours = ops.take(ops.sort(flat, axis=0), np.array(ranks), axis=0)
    low, high = ops.min(flat), ops.max(flat)
    edges = low + (high - low) * np.arange(1, BINS) / BINS
    below = ops.sum(ops.cast(ops.reshape(flat, (-1, 1)) < edges, "int32"), axis=0)
    return (
        ops.reshape(ops.transpose(neighbours), (-1, len(percents), 2)),
        ops.stack([low, high]),
        below,
    )


def finish(reduced: Sequence[Any], count: int, percents: Sequence[float]) -> Summary:
    """The summary of what `reduce` gave of a layer with `count` values a unit."""
    neighbours, ends, below = (np.asarray(part).astype(np.float64) for part in reduced)
    low, high = neighbours[..., 0], neighbours[..., 1]
    between = np.array([_position(percent, count) % 1 for percent in percents])
    percentiles = low + (high - low) * between
    return Summary(percentiles, *_histogram(ends, below, count * len(neighbours)))


def _position(percent: float, count: int) -> float:
    """Where a percentile lies among `count` sorted values, from 0 on: NumPy's default."""
    return percent / 100 * (count - 1)


def _ranks(percent: float, count: int) -> tuple[int, int]:
    first = math.floor(_position(percent, count))
    return first, min(first + 1, count - 1)


def _histogram(
    ends: np.ndarray, below: Sequence[float] | np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray]:
    """(edges, counts) of so many values, if so many lie below the inner edges."""
    counts = np.diff(np.array([0.0, *below, total]))
    return _edges(ends), counts * bool(np.isfinite(ends).all())


def _edges(ends: np.ndarray) -> np.ndarray:
    least, greatest = map(float, ends if np.isfinite(ends).all() else (0, 0))
    return np.linspace(least, greatest, BINS + 1)


def _thinned(values: np.ndarray) -> np.ndarray:
    """Evenly spaced ones of the values, enough for a histogram."""
    stride = max(1, values.size // _MOST_VALUES)
    # With a factor in common only some of the units would ever be met.
    while math.gcd(stride, values[0].size) > 1:
        stride += 1
    return values.ravel()[::stride]
