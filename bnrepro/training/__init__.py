"""`run`: the one place where data, model, optimizer and engine meet.

A run goes through segments of steps; between two of them it evaluates, watches, writes checkpoints
and listens for a request to stop. The same command after any interruption goes on from the newest
checkpoint and ends as if nothing had happened.
"""

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import keras

from bnrepro import data, models
from bnrepro import engine as engines
from bnrepro.config.backend import available_threads
from bnrepro.config.composition import Composition
from bnrepro.engine import Engine, optimizers, processes
from bnrepro.measures.measure import Measure
from bnrepro.records.lock import run_lock
from bnrepro.records.record import RunRecord
from bnrepro.records.run_directory import find_finished, open_directory
from bnrepro.screen.foot import foot
from bnrepro.training import shortage
from bnrepro.training.interruption import Interrupted, listening
from bnrepro.training.precision import set_precision
from bnrepro.training.run import Run


def run(
    composition: Composition, measures: Iterable[Measure] = (), *, ends_process: bool = False
) -> RunRecord:
    """Train the run to its end, or resume it, and leave its record.

    A finished run is not trained again: its record is returned. `backend.select` must have been
    called with the same config before this module was imported.

    `measures` are further ones, of your own, beside those that the config names. They belong to no
    run's identity: a run that finished without them is not trained again for them.

    A signal that asks to stop is heard between two segments or two batches of an evaluation. With
    `ends_process` it also ends the process from within these, the work saved, in ten seconds.

    Raises:
        ConfigError: on bad input or bad data; nothing has been created then.
        OSError: if the results folder cannot be written.
        OutOfMemory: where memory does not suffice to begin; nothing has been created then.
    """
    threads = composition.config.threads or available_threads()
    composition = replace(composition, config=replace(composition.config, threads=threads))
    engine = build_engine(composition)
    with _own_results(composition) as composition, run_lock(composition.directory):
        finished = processes.of_first(find_finished(composition))
        if finished is not None:
            return finished
        directory = open_directory(composition)
        return _train(Run(composition, directory, engine, measures, rescuable=ends_process))


@contextmanager
def _own_results(composition: Composition) -> Iterator[Composition]:
    """Of processes that train together the first keeps the run; what others write is not kept."""
    if processes.is_first():
        yield composition
        return
    with tempfile.TemporaryDirectory() as folder:
        yield replace(composition, config=replace(composition.config, results_dir=folder))


def build_engine(composition: Composition) -> Engine:
    """Data, model, optimizer and engine of a run, its weights the initial ones of its seed.

    Raises:
        ConfigError: if a file of weights cannot be read, or is of another network.
        OutOfMemory: where memory does not suffice for them.
    """
    config = composition.config.accelerated()
    with shortage.told(config), foot().doing("reading and checking the data"):
        dataset = data.load(config.data)
    with shortage.told(config), foot().doing("building the network"):
        keras.utils.clear_session(free_memory=False)
        set_precision(config.precision)
        _, *shape = dataset.train.images.shape
        network = models.build(config, tuple(shape), dataset.num_classes)
        engine = engines.build(network, optimizers.build(config), dataset, config)
    if network.loaded.told and processes.is_first():
        print(network.loaded.told, file=sys.stderr)
    return engine


def rescuing(runs: list[Run]) -> Callable[[str], str] | None:
    """What saves the runs from outside of their training (`interruption.listening`)."""
    if not all(run.is_rescuable for run in runs):
        return None

    def rescue(signal_name: str) -> str:
        steps = [step for run in runs if (step := run.rescue(signal_name)) is not None]
        return f"saved; the same command goes on from step {min(steps):,}" if steps else ""

    return rescue


def _train(run: Run) -> RunRecord:
    with listening(rescuing([run])) as interruption:
        run.listen(interruption)
        try:
            run.begin()
            while not (run.is_done or interruption.has_come()):
                run.mark()
                stop = run.next_stop()
                run.read_ahead(stop)
                with run.progress.clock("train"):
                    segment = run.engine.train(run.progress.step, stop)
                run.advance(segment, stop)
            return run.end() if run.is_done else run.interrupt(str(interruption.name))
        except Interrupted:
            return run.interrupt(str(interruption.name))
        except Exception as error:
            return run.fail(error)
