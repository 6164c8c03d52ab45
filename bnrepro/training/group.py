"""`run_group`: runs that differ only in numbers trained as one program, each with its own record.

A group goes on from its members' checkpoints. Where they do not stand at the same step (killed
between two of their checkpoints, or begun alone), those that are behind are trained up to the
others first: segments end at the same steps for all.
"""

from contextlib import ExitStack
from dataclasses import replace
from typing import cast

from bnrepro.config.backend import available_threads
from bnrepro.config.composition import Composition
from bnrepro.engine.group import Group
from bnrepro.engine.jax import JaxEngine
from bnrepro.records.lock import run_lock
from bnrepro.records.record import RunRecord
from bnrepro.records.run_directory import find_finished, open_directory
from bnrepro.training import build_engine, rescuing
from bnrepro.training.interruption import Interrupted, Interruption, listening
from bnrepro.training.run import Run


def run_group(members: list[Composition], *, ends_process: bool = False) -> list[RunRecord]:
    """Train the members (`config.group`); a record each, in order.

    Members that are finished are not trained again. `ends_process` is that of `training.run`.

    Raises:
        ConfigError: on bad input or bad data, or where the members cannot share a program.
        OSError: if the results folder cannot be written.
    """
    members = list(map(_with_threads, members))
    with ExitStack() as stack:
        records = {one.directory: find_finished(one) for one in members}
        open_ones = [one for one in members if records[one.directory] is None]
        if open_ones:
            group = Group(
                cast(JaxEngine, build_engine(open_ones[0])),
                [one.config.accelerated() for one in open_ones],
            )
            for one in open_ones:
                stack.enter_context(run_lock(one.directory))
            runs = [
                Run(one, open_directory(one), engine, rescuable=ends_process)
                for one, engine in zip(open_ones, group.engines, strict=True)
            ]
            trained = zip(open_ones, _train(runs, group), strict=True)
            records |= {one.directory: record for one, record in trained}
    return [record for record in records.values() if record is not None]


def _with_threads(member: Composition) -> Composition:
    threads = member.config.threads or available_threads()
    return replace(member, config=replace(member.config, threads=threads))


def _train(runs: list[Run], group: Group) -> list[RunRecord]:
    with listening(rescuing(runs)) as interruption:
        try:
            for run in runs:
                run.begin()
            with runs[0].progress.clock("compile"):
                group.compile()
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


def _advance(runs: list[Run], group: Group, interruption: Interruption) -> None:
    while interruption.name is None:
        going = [run.progress.step for run in runs if not run.is_done]
        if not going:
            return
        start = min(going)
        places = [
            place
            for place, run in enumerate(runs)
            if run.progress.step == start and not run.is_done
        ]
        active = [runs[place] for place in places]
        for run in active:
            run.mark()
        _train_segment(active, group, start, places)
        # All stand at one step before the first is evaluated, which a signal may end.
        for run in active:
            run.observe()


def _train_segment(active: list[Run], group: Group, start: int, places: list[int]) -> None:
    """One segment of those that stand at `start`; each run's clock shows what the group took."""
    stop = active[0].next_stop()
    with ExitStack() as clocks:
        for run in active:
            clocks.enter_context(run.progress.clock("train"))
        segments = group.train(start, stop, places)
    for run, segment in zip(active, segments, strict=True):
        run.count(segment, stop)
