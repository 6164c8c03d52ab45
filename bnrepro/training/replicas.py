"""`run_replicas`: the seeds of one config trained as one program, each with its own record."""

from contextlib import ExitStack
from dataclasses import replace
from typing import cast

from bnrepro.config.backend import available_threads
from bnrepro.config.composition import Composition
from bnrepro.engine import Segment
from bnrepro.engine.jax import JaxEngine
from bnrepro.engine.replicas import Replicas
from bnrepro.records.lock import run_lock
from bnrepro.records.record import RunRecord
from bnrepro.records.run_directory import find_finished, open_directory
from bnrepro.training import build_engine
from bnrepro.training.interruption import Interrupted, Interruption, listening
from bnrepro.training.run import Run


def run_replicas(composition: Composition) -> list[RunRecord]:
    """Train the seeds `seed` to `seed + replicas - 1`; a record each, in order.

    Seeds that are finished are not trained again. Replicas go through the same segments, so a
    group that was interrupted goes on only from where its slowest member stands.

    Raises:
        ConfigError: on bad input or bad data, or where replicas cannot share a program.
        OSError: if the results folder cannot be written.
    """
    members = seeds_of(composition)
    with ExitStack() as stack:
        records = {one.config.seed: find_finished(one) for one in members}
        open_ones = [one for one in members if records[one.config.seed] is None]
        if open_ones:
            group = Replicas(
                cast(JaxEngine, build_engine(open_ones[0])),
                [one.config.accelerated() for one in open_ones],
            )
            for one in open_ones:
                stack.enter_context(run_lock(one.directory))
            runs = [
                Run(one, open_directory(one), engine)
                for one, engine in zip(open_ones, group.engines, strict=True)
            ]
            trained = _train(runs, group)
            records |= {record.seed: record for record in trained}
    return [record for record in records.values() if record is not None]


def seeds_of(composition: Composition) -> list[Composition]:
    """The members of a group, each a run that could as well be trained alone."""
    config = composition.config
    threads = config.threads or available_threads()
    return [
        replace(composition, config=replace(config, threads=threads, replicas=1, seed=seed))
        for seed in range(config.seed, config.seed + config.replicas)
    ]


def _train(runs: list[Run], group: Replicas) -> list[RunRecord]:
    with listening() as interruption:
        try:
            _begin(runs, group)
            for run in runs:
                run.listen(interruption)
            _advance(runs, group, interruption)
        except Interrupted:
            pass  # what was being evaluated is evaluated again when the group goes on
        except Exception as error:
            return [run.fail(error) for run in runs]
        return [_end(run, interruption) for run in runs]


def _end(run: Run, interruption: Interruption) -> RunRecord:
    try:
        return run.end() if run.is_done else run.interrupt(str(interruption.name))
    except Interrupted:
        return run.interrupt(str(interruption.name))


def _begin(runs: list[Run], group: Replicas) -> None:
    for run in runs:
        run.begin()
    if len({run.progress.step for run in runs if not run.is_done}) > 1:
        raise RuntimeError(
            "the members of this group stand at different steps; finish them one by one with "
            "`bnrepro sweep`"
        )
    with runs[0].progress.clock("compile"):
        group.compile()


def _advance(runs: list[Run], group: Replicas, interruption: Interruption) -> None:
    while interruption.name is None:
        active = [run for run in runs if not run.is_done]
        if not active:
            return
        start, stop = active[0].progress.step, active[0].next_stop()
        segments = _timed(active, group, start, stop)
        for run, segment in zip(runs, segments, strict=True):
            if run in active:
                run.count(segment, stop)
        # All stand at one step before the first is evaluated, which a signal may end.
        for run in active:
            run.observe()


def _timed(active: list[Run], group: Replicas, start: int, stop: int) -> list[Segment]:
    """One segment of all; each run's clock shows what the whole group took."""
    with ExitStack() as clocks:
        for run in active:
            clocks.enter_context(run.progress.clock("train"))
        return group.train(start, stop)
