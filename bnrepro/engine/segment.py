"""A segment of a training: what the host gives it, and what it saw."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Segment:
    """What `Engine.train` saw, one value per step, on the batch before its update.

    `diverged_at_step` is the first number of updates after which a weight is not finite. A loss or
    gradient that is not finite makes a weight so in the same update, and no later update makes it
    finite again: the weights tell all three.
    """

    loss: np.ndarray  # (steps,) mean cross-entropy of the batch
    num_correct: np.ndarray  # (steps,) int32
    diverged_at_step: int | None


@dataclass(frozen=True)
class Inputs:
    """What the host gives a segment."""

    table: Any  # uint8 images on the device, (examples, height, width, channels)
    labels: Any  # int32 labels on the device, (examples,)
    indices: np.ndarray  # (steps, batch) int32, rows of the table
    rates: np.ndarray  # (steps,) learning rates
    distortions: Arrays  # (steps, batch) each

    @property
    def arguments(self) -> tuple[Any, Any, np.ndarray, np.ndarray, Arrays]:
        """What a compiled program takes, in its order."""
        return self.table, self.labels, self.indices, self.rates, self.distortions

    def padded(self, steps: int) -> "Inputs":
        """The inputs of `steps` steps, the last one repeated: one program serves any length."""

        def pad(array: np.ndarray) -> np.ndarray:
            missing = steps - len(array)
            return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])

        return replace(
            self,
            indices=pad(self.indices),
            rates=pad(self.rates),
            distortions={name: pad(value) for name, value in self.distortions.items()},
        )


def locate_divergence(finite_after: Callable[[int], bool], steps: int) -> int:
    """The smallest number of steps, at most `steps`, after which the weights are not finite.

    `finite_after(n)` repeats the first n steps of a segment from its start with the program that
    trained it, so that the answer is exact; a check in every step would cost a dense network a
    quarter of its speed. `finite_after(steps)` is known to be false.
    """
    low, high = 0, steps
    while high - low > 1:
        middle = math.ceil((low + high) / 2)
        low, high = (middle, high) if finite_after(middle) else (low, middle)
    return high
