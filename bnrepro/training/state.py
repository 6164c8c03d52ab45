"""All that a run needs to go on: taken between two segments, written at once or later.

A copy of it on the host can be written while a library computes on the main thread.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bnrepro import seconds_since_import
from bnrepro.engine import Engine
from bnrepro.measures import Observer
from bnrepro.measures.measure import Measure
from bnrepro.records import checkpoint
from bnrepro.training.progress import Progress

# Before the names of what measures remember, among the arrays of a checkpoint.
_OF_MEASURE = "measure/"


@dataclass(frozen=True)
class State:
    """A run as it stands at `progress.step`."""

    progress: Progress
    arrays: dict[str, np.ndarray]
    observers: list[dict[str, Any]]
    data_sha256: str

    @classmethod
    def of(
        cls,
        engine: Engine,
        progress: Progress,
        measures: Iterable[Measure],
        observers: Iterable[Observer],
    ) -> "State":
        """The state as it is now; what goes on may change it."""
        remembered = {
            f"{_OF_MEASURE}{measure.name}/{key}": value
            for measure in measures
            for key, value in measure.state().items()
        }
        return cls(
            progress,
            {**engine.variables(), **remembered},
            [observer.state() for observer in observers],
            engine.dataset.sha256,
        )

    def copied(self) -> "State":
        """The same, which stays as it is whatever goes on."""
        # An array of JAX's may be a view of a buffer that the next step is given to write into.
        arrays = {name: np.array(value) for name, value in self.arrays.items()}
        return replace(self, progress=self.progress.copied(), arrays=arrays)

    def write(self, directory: Path) -> None:
        """Write it as a checkpoint."""
        progress = self.progress
        elapsed = progress.earlier_seconds + seconds_since_import()
        meta = {
            "progress": asdict(
                replace(progress, earlier_seconds=elapsed, earlier_peak=progress.peak_memory())
            ),
            "observers": self.observers,
            "data_sha256": self.data_sha256,
        }
        checkpoint.save(directory, progress.step, self.arrays, meta)


def restore_measures(arrays: dict[str, np.ndarray], measures: Iterable[Measure]) -> None:
    """Take what measures remember out of a checkpoint's `arrays`, and give it back to them."""
    for measure in measures:
        prefix = f"{_OF_MEASURE}{measure.name}/"
        names = [name for name in arrays if name.startswith(prefix)]
        measure.restore({name.removeprefix(prefix): arrays.pop(name) for name in names})
