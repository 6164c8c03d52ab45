"""`run`: the one place where data, model, optimizer and engine meet.

A run goes through segments of steps; between two of them it evaluates, watches, writes checkpoints
and listens for a request to stop. The same command after any interruption goes on from the newest
checkpoint and ends as if nothing had happened.
"""

import hashlib
import io
import math
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np

from bnrepro import checkpoint, data, engine, models, optimizers, seconds_since_import
from bnrepro.backend import available_threads
from bnrepro.composition import Composition
from bnrepro.data import Dataset
from bnrepro.engine import Engine, Segment
from bnrepro.engine.batch import read_images
from bnrepro.engine.contract import EVALUATION_BATCH
from bnrepro.environment import environment
from bnrepro.lock import run_lock
from bnrepro.observers import Observer
from bnrepro.observers.evaluation import evaluate, evaluate_population, probabilities
from bnrepro.observers.percentiles import percentile_rows, watched_images
from bnrepro.observers.progress import ProgressObserver
from bnrepro.record import (
    CURVE_COLUMNS,
    PERCENTILE_COLUMNS,
    RunRecord,
    write_atomically,
    write_record,
    write_rows,
)
from bnrepro.run_directory import directory_of, find_finished, open_directory, recorded_config

CLOCKS = ("train", "evaluate", "compile", "checkpoint", "population")


@dataclass
class Progress:
    """How far a run has come: what its checkpoint keeps beside the variables."""

    step: int = 0
    loss_sum: float = 0.0  # over the training batches since the last evaluation
    num_correct: int = 0
    num_batches: int = 0
    curve: list[list[float]] = field(default_factory=list)
    percentiles: list[list[Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CLOCKS, 0.0))
    diverged_at_step: int | None = None
    earlier_seconds: float = 0.0  # of the processes that were interrupted

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        """Add the time inside to `seconds[name]`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started


def run(composition: Composition) -> RunRecord:
    """Train the run to its end, or go on with it, and leave its record.

    A finished run is not trained again: its record is returned. `backend.select` must have been
    called with the same config before this module was imported.

    Raises:
        ConfigError: on bad input or bad data; nothing has been created then.
        OSError: if the results folder cannot be written.
    """
    threads = composition.config.threads or available_threads()
    composition = replace(composition, config=replace(composition.config, threads=threads))
    trainer = _build_engine(composition)
    with run_lock(directory_of(composition)):
        finished = find_finished(composition)
        if finished is not None:
            return finished
        directory = open_directory(composition)
        return _Run(composition, directory, trainer).execute()


def _build_engine(composition: Composition) -> Engine:
    config = composition.config.accelerated()
    dataset = data.load(config.data)
    keras.utils.clear_session(free_memory=False)
    if config.precision == "float64":
        keras.config.set_floatx("float64")
    keras.config.set_dtype_policy(config.precision)
    shape = tuple(dataset.train.images.shape[1:])
    network = models.build(config, shape, dataset.num_classes)
    return engine.build(network, optimizers.build(config), dataset, config)


class _Run:
    """One training in its directory."""

    def __init__(self, composition: Composition, directory: Path, trainer: Engine) -> None:
        self._composition = composition
        self._config = composition.config
        self._directory = directory
        self._engine = trainer
        self._progress = Progress()
        self._signal: signal.Signals | None = None
        self._observers: list[Observer] = []
        count = self._config.percentiles.num_examples
        self._watched = watched_images(trainer, count) if self._config.percentiles.every else None

    def execute(self) -> RunRecord:
        """Train to the end, a divergence or a signal; the record is on disk afterwards."""
        with self._listening():
            try:
                self._resume()
                self._compile()
                self._train()
                if self._signal is not None:
                    self._save_checkpoint()
                    return self._leave("interrupted", error=self._signal.name)
                return self._finish()
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                return self._leave("failed", error=f"{type(error).__name__}: {error}")

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """SIGINT and SIGTERM ask for a checkpoint at the end of the segment."""

        def request(number: int, _frame: FrameType | None) -> None:
            self._signal = signal.Signals(number)

        before = {number: signal.signal(number, request) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _resume(self) -> None:
        found = checkpoint.load(self._checkpoints, lambda line: print(line, file=sys.stderr))
        states: list[dict[str, Any]] = []
        if found is not None:
            step, arrays, meta = found
            self._engine.assign(arrays)
            self._progress = Progress(**meta["progress"])
            states = meta["observers"]
            print(f"resumed at step {step:,}", file=sys.stderr)
        start, seconds = self._progress.step, self._progress.seconds["train"]
        progress = ProgressObserver(self._directory, self._config.train_steps, start, seconds)
        self._observers = [progress]
        if self._config.tensorboard:
            from bnrepro.observers.tensorboard import TensorBoardObserver

            board = TensorBoardObserver(self._directory / "tensorboard", self._composition)
            self._observers.append(board)
        for position, observer in enumerate(self._observers):
            observer.restore(states[position] if position < len(states) else {})

    def _compile(self) -> None:
        """Compile every program before its clock runs."""
        with self._progress.clock("compile"):
            self._engine.compile()
            evaluation = self._engine.dataset.evaluation
            self._engine.forward(read_images(evaluation, np.zeros(EVALUATION_BATCH, int)))
            if self._watched is not None:
                self._engine.pre_activations(self._watched)
            for observer in self._observers:
                observer.prepare(self._engine)

    @property
    def _checkpoints(self) -> Path:
        return self._directory / "checkpoint"

    def _train(self) -> None:
        progress, config = self._progress, self._config
        if not progress.curve:
            self._observe()
        while progress.step < config.train_steps and progress.diverged_at_step is None:
            if self._signal is not None:
                return
            stop = self._next_stop(progress.step)
            with progress.clock("train"):
                segment = self._engine.train(progress.step, stop)
                self._count(segment, stop)
                for observer in self._observers:
                    observer.on_segment(progress.step, progress.seconds["train"])
            if progress.diverged_at_step is None:
                self._observe()
                if progress.step % config.checkpoint_every == 0:
                    self._save_checkpoint()

    def _next_stop(self, step: int) -> int:
        """The end of the segment that begins at `step`.

        Segments end at fixed steps, so that a resumed run has the same ones.
        """
        grids = [self._engine.segment_steps, self._config.checkpoint_every]
        if self._config.percentiles.every:
            grids.append(self._config.percentiles.every)
        ends = [(step // every + 1) * every for every in grids]
        return min(*ends, self._config.next_evaluation(step))

    def _count(self, segment: Segment, stop: int) -> None:
        progress = self._progress
        progress.loss_sum += float(segment.loss.astype(np.float64).sum())
        progress.num_correct += int(segment.num_correct.sum())
        progress.num_batches += len(segment.loss)
        progress.diverged_at_step = segment.diverged_at_step
        progress.step = stop if segment.diverged_at_step is None else segment.diverged_at_step

    def _observe(self) -> None:
        """What is due at this step: a row of the curve, percentiles."""
        progress, config = self._progress, self._config
        step = progress.step
        with progress.clock("evaluate"):
            if step == 0 or step == config.next_evaluation(step - 1):
                self._evaluate()
            if self._watched is not None and step % config.percentiles.every == 0:
                progress.percentiles += percentile_rows(self._engine, self._watched, step)

    def _evaluate(self) -> None:
        progress = self._progress
        step, batches = progress.step, progress.num_batches
        examples = batches * self._engine.order.batch_size
        loss, accuracy = evaluate(self._engine, self._engine.config)
        row = [
            step,
            progress.loss_sum / batches if batches else math.nan,
            progress.num_correct / examples if batches else math.nan,
            loss,
            accuracy,
            float(optimizers.learning_rates(self._engine.config, step, step + 1)[0]),
            progress.seconds["train"],
        ]
        progress.curve.append(row)
        progress.loss_sum, progress.num_correct, progress.num_batches = 0.0, 0, 0
        for observer in self._observers:
            observer.on_evaluation(self._engine, dict(zip(CURVE_COLUMNS, row, strict=True)))

    def _save_checkpoint(self) -> None:
        progress = self._progress
        with progress.clock("checkpoint"):
            states = [observer.state() for observer in self._observers]
            elapsed = progress.earlier_seconds + seconds_since_import()
            kept = replace(progress, earlier_seconds=elapsed)
            meta = {"progress": asdict(kept), "observers": states}
            checkpoint.save(self._checkpoints, progress.step, self._engine.variables(), meta)

    def _finish(self) -> RunRecord:
        """After the last step: Algorithm 2's accuracy, predictions, the model, the record."""
        progress, config = self._progress, self._engine.config
        diverged = progress.diverged_at_step is not None
        population = None
        digest = _digest(self._engine.variables())
        if config.normalization == "batch" and not diverged:
            with progress.clock("population"):
                population = evaluate_population(self._engine, config)[1]
        if config.save_predictions and not diverged:
            self._write_predictions()
        if not diverged:
            self._write_model()
        status = "diverged" if diverged else "completed"
        record = self._leave(status, population=population, digest=digest)
        checkpoint.clear(self._checkpoints)
        return record

    def _write_predictions(self) -> None:
        values = probabilities(self._engine.logits(self._engine.dataset.evaluation))
        buffer = io.BytesIO()
        labels = self._engine.dataset.evaluation.labels
        np.savez_compressed(buffer, probabilities=values.astype(np.float16), labels=labels)
        write_atomically(self._directory / "predictions.npz", buffer.getvalue())

    def _write_model(self) -> None:
        # Keras insists on the suffix; the name below is never seen by a reader.
        temporary = self._directory / ".model.keras"
        self._engine.model().save(temporary)
        temporary.replace(self._directory / "model.keras")

    def _leave(
        self,
        status: str,
        *,
        population: float | None = None,
        digest: str | None = None,
        error: str | None = None,
    ) -> RunRecord:
        """Write curve and percentiles, tell the observers, and write the record last."""
        record = self._record(status, population, digest, error)
        summary = {
            "step": record.train_steps,
            "best_accuracy": record.best_accuracy,
            "final_accuracy": record.final_accuracy,
            "final_accuracy_population": record.final_accuracy_population,
        }
        for observer in self._observers:
            observer.on_end(status, summary)
        write_rows(self._directory / "curve.csv", CURVE_COLUMNS, self._progress.curve)
        if self._watched is not None:
            rows = self._progress.percentiles
            write_rows(self._directory / "percentiles.csv", PERCENTILE_COLUMNS, rows)
        write_record(self._directory, record)
        return record

    def _record(
        self, status: str, population: float | None, digest: str | None, error: str | None
    ) -> RunRecord:
        composition, progress, trainer = self._composition, self._progress, self._engine
        best = max(progress.curve, key=lambda row: row[4], default=None)
        return RunRecord(
            name=composition.name,
            experiment=composition.experiment,
            scale=composition.scale,
            seed=self._config.seed,
            status=status,
            train_steps=progress.step,
            diverged_at_step=progress.diverged_at_step,
            config=recorded_config(self._config),
            environment=environment(
                self._config.backend, self._config.threads, trainer.kind, trainer.device()
            ),
            data=_data_facts(trainer.dataset),
            num_parameters=sum(
                math.prod(v.shape) for v in trainer.network.model.trainable_variables
            ),
            best_accuracy=best[4] if best else None,
            best_accuracy_step=int(best[0]) if best else None,
            final_accuracy=progress.curve[-1][4] if progress.curve else None,
            final_accuracy_population=population,
            seconds={
                **progress.seconds,
                "total": progress.earlier_seconds + seconds_since_import(),
            },
            weights_digest=digest,
            error=error,
        )


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _data_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "num_train": len(dataset.train.labels),
        "num_evaluation": len(dataset.evaluation.labels),
        "num_classes": dataset.num_classes,
        "sha256": dataset.sha256,
    }


def _digest(variables: dict[str, np.ndarray]) -> str:
    """SHA-256 over all variables, in the order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(variables):
        digest.update(path.encode())
        digest.update(np.ascontiguousarray(variables[path]).tobytes())
    return digest.hexdigest()
