"""Several runs on one GPU at the same moment, each in a process of its own, as a sweep has them."""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial

from bnrepro.bench.measure import Member, at_once
from bnrepro.bench.processes import Worker
from bnrepro.bench.workloads import Workload, find
from bnrepro.config.device import DEVICE_MEMORY

# A step of it is many small kernels: one run leaves most of a large card idle.
WORKLOAD = find("inception_1_32")
COUNTS = (1, 2, 4, 8)
_ROUNDS = 2


def time_shared(
    overrides: Sequence[str],
    seconds_per_round: float,
    workload: Workload = WORKLOAD,
    counts: Sequence[int] = COUNTS,
) -> dict[str, float]:
    """Steps per second of all runs together under JAX, for each number of them.

    `seconds_per_round` is what a round takes one run alone.

    Raises:
        WorkerError: if a run fails, for want of memory, say.
    """
    most = max(counts)
    words = [*overrides, f"device_memory={DEVICE_MEMORY / most:g}"]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(closing(Worker("jax", workload.name, words))) for _ in range(most)
        ]
        members = [Member(worker, "jax", "engine", normalized=True) for worker in workers]
        # The first compiles, the others find its programs.
        prepare = partial(_prepare, steps=workload.agreement_steps)
        prepare(members[0])
        at_once(members[1:], prepare)
        members[0].warm_up_for(seconds_per_round)
        for member in members[1:]:
            member.steps_per_round = members[0].steps_per_round
        return {f"shared/{count}": _speed(members[:count]) for count in counts}


def _prepare(member: Member, steps: int) -> None:
    member.build()
    member.take_first_steps(steps)


def _speed(members: Sequence[Member]) -> float:
    """The median over some rounds, after one that is not counted."""
    for member in members:
        member.seconds.clear()
    for _ in range(1 + _ROUNDS):
        at_once(members, Member.play)
    rounds = zip(*(member.seconds[1:] for member in members), strict=True)
    steps = members[0].steps_per_round
    return statistics.median(sum(steps / seconds for seconds in one) for one in rounds)
