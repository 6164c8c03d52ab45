"""Measures that are due at steps spaced geometrically: many early, where most changes."""

from abc import ABC

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images
from bnrepro.engine.probe import Batch
from bnrepro.measures.measure import Measure


def geometric_steps(count: int, last: int) -> list[int]:
    """Step 0, then steps from 1 to `last` of equal ratios: `count` in all, fewer where few fit."""
    spaced = np.geomspace(1, max(1, last), max(1, count - 1))
    return sorted({0, *np.rint(spaced).astype(int).tolist()})


class GeometricMeasure(Measure, ABC):
    """Is due at `geometric_steps` of the run, or, where it is given some, every so many steps."""

    def __init__(self, every: int, measurements: int) -> None:
        super().__init__(every)
        self._measurements = measurements

    def next_due(self, step: int, config: RunConfig) -> int:
        if self.every:
            return super().next_due(step, config)
        later = (due for due in self.due_steps(config) if due > step)
        return next(later, config.train_steps + 1)

    def due_steps(self, config: RunConfig) -> list[int]:
        """All steps at which it is due, in order, where it has no grid."""
        return geometric_steps(self._measurements, config.train_steps)


def next_batch(engine: Engine, step: int) -> Batch:
    """The batch of update `step + 1`, undistorted."""
    split = engine.dataset.train
    (indices,) = engine.order.indices(step, step + 1)
    return Batch(read_images(split, indices), split.labels[indices])
