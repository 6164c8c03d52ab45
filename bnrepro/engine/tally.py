"""Numbers over many values, summed where the values lie: only the sums are fetched."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from keras import ops

from bnrepro.engine.loss import losses_of

# So few losses are added in their own precision; sums of so many are added in double precision, on
# the host: an accelerator has no quick one.
_TOGETHER = 32


def tally(labels: Any, logits: Any, counted: Any) -> tuple[Any, Any, Any]:
    """(sums of cross-entropies, each of a few examples; hits; how many have numbers for scores).

    Of the counted examples. `logits` (examples, classes), `labels` (examples,), `counted`
    (examples,) bool. Where a score is not a number there is no hit.
    """
    losses = ops.where(counted, losses_of(labels, logits), ops.zeros_like(logits[:, 0]))
    losses = ops.pad(losses, [[0, -losses.shape[0] % _TOGETHER]])
    finite = ops.logical_and(ops.all(ops.isfinite(logits), axis=-1), counted)
    right = ops.equal(ops.argmax(logits, axis=-1), ops.cast(labels, "int32"))
    sums = ops.sum(ops.reshape(losses, (-1, _TOGETHER)), axis=1)
    return sums, _count(ops.logical_and(finite, right)), _count(finite)


def mean_score(
    tallies: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], count: int
) -> tuple[float, float]:
    """(mean cross-entropy, accuracy) of `count` examples from the tallies of their parts.

    Where no score is a number, nothing was measured: nan, nan.
    """
    loss, hits, told = 0.0, 0, 0
    for sums, right, finite in tallies:
        loss += float(sums.sum(dtype=np.float64))
        hits, told = hits + int(right), told + int(finite)
    return (loss / count, hits / count) if told else (math.nan, math.nan)


def _count(holds: Any) -> Any:
    # JAX sums int32 to int64 in double precision.
    return ops.cast(ops.sum(ops.cast(holds, "int32")), "int32")


def norms(arrays: list[Any]) -> Any:
    """The Euclidean norm of each array, (arrays,)."""
    return ops.stack([ops.sqrt(ops.sum(ops.square(array))) for array in arrays])
