"""bnrepro's engine in the loop of a real run: segments, observers, evaluations, checkpoints."""

import tempfile
from pathlib import Path

from bnrepro import engine
from bnrepro.bench.contenders.task import Contender, Task, whole_segments
from bnrepro.engine import optimizers
from bnrepro.training.run import Run


class EngineRun(Contender):
    """What `bnrepro run` does with this network, TensorBoard and progress included."""

    def __init__(self, task: Task) -> None:
        config = task.config
        self._engine = engine.build(task.network(), optimizers.build(config), task.dataset, config)
        self._folder = tempfile.TemporaryDirectory()
        self._run = Run(task.composition, Path(self._folder.name), self._engine)
        self._has_begun = False

    def losses(self, steps: int) -> list[float]:
        return self._engine.train(0, steps).loss.tolist()

    def train(self, steps: int) -> float:
        """The growth of the run's `seconds.train`."""
        run, progress = self._run, self._run.progress
        if not self._has_begun:
            run.begin()
            self._has_begun = True
        before, goal = progress.seconds["train"], progress.step + steps
        while progress.step < goal:
            stop = min(run.next_stop(), goal)
            with progress.clock("train"):
                segment = run.engine.train(progress.step, stop)
            run.advance(segment, stop)
        return progress.seconds["train"] - before

    def whole(self, steps: int) -> int:
        return whole_segments(steps, self._engine.segment_steps)
