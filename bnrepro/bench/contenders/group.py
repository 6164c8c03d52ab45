"""Runs that differ only in their seed, trained as one program."""

import time
from dataclasses import replace
from typing import cast

from bnrepro import engine
from bnrepro.bench.contenders.task import Contender, Task, whole_segments
from bnrepro.engine import optimizers
from bnrepro.engine.group import Group
from bnrepro.engine.jax import JaxEngine


class SeedsTogether(Contender):
    """What `bnrepro run --group seed=...` trains between two evaluations, without the observers.

    The first member is the run that the other contenders train.
    """

    def __init__(self, task: Task, count: int) -> None:
        config = task.config
        self.runs = count
        first = engine.build(task.network(), optimizers.build(config), task.dataset, config)
        self._engine = cast(JaxEngine, first)
        seeds = range(config.seed, config.seed + count)
        self._group = Group(self._engine, [replace(config, seed=seed) for seed in seeds])
        self._config = config
        self._step = 0

    def losses(self, steps: int) -> list[float]:
        self._step = steps
        return self._group.train(0, steps, range(self.runs))[0].loss.tolist()

    def train(self, steps: int) -> float:
        goal = self._step + steps
        started = time.perf_counter()
        while self._step < goal:
            segment = self._step + self._engine.segment_steps
            stop = min(goal, segment, self._config.next_evaluation(self._step))
            self._group.train(self._step, stop, range(self.runs))
            self._step = stop
        return time.perf_counter() - started

    def whole(self, steps: int) -> int:
        return whole_segments(steps, self._engine.segment_steps)
