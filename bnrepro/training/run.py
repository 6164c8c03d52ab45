"""One run in its directory: begun or resumed, advanced by segments, ended with a record."""

import math
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from bnrepro import measures
from bnrepro.config import ConfigError
from bnrepro.config.composition import Composition
from bnrepro.config.schedules import learning_rates
from bnrepro.engine import Engine, Segment, processes
from bnrepro.measures import Observer
from bnrepro.measures.evaluation import evaluate, evaluate_population
from bnrepro.measures.measure import Measure
from bnrepro.measures.progress import FILE as PROGRESS_FILE
from bnrepro.measures.progress import ProgressObserver
from bnrepro.records import checkpoint, checksums
from bnrepro.records.environment import environment
from bnrepro.records.record import CurveRow, RunRecord, append_rows, write_atomically, write_record
from bnrepro.records.stretches import continued, resumed_line, write_patch
from bnrepro.screen.foot import foot
from bnrepro.screen.signals import end_without_teardown
from bnrepro.training import continuation, shortage
from bnrepro.training.continuation import Beginning
from bnrepro.training.interruption import Interruption
from bnrepro.training.outputs import (
    digest,
    make_record,
    write_model,
    write_predictions,
    write_snapshot,
    write_tables,
)
from bnrepro.training.programs import compiled_once
from bnrepro.training.progress import Progress
from bnrepro.training.state import State, restore_measures

# A disk may need a twentieth of a second to be sure of one.
_SECONDS_BETWEEN_RECORDS = 1.0
# Between two copies of the state on the host, which take at most this share of the time.
_SECONDS_BETWEEN_MARKS, _SHARE_OF_MARKS = 1.0, 0.02
_SECONDS_FOR_A_WRITE = 3.0


class Run:
    """What happens between two segments of one training, and before the first and after the last.

    The caller trains `engine` from `progress.step` to `next_stop()` under the clock
    "train", and hands the segment to `advance`, until `is_done`.
    """

    def __init__(
        self,
        composition: Composition,
        directory: Path,
        engine: Engine,
        further: Iterable[Measure] = (),
        *,
        rescuable: bool = False,
    ) -> None:
        """Look for a checkpoint to resume from; `further` are measures that no config names.

        Only one that is `rescuable`, whose process ends at a signal, keeps what `rescue` needs.

        Raises:
            ConfigError: if the data is not what the checkpoint was trained on.
        """
        self.engine = engine
        self._composition = composition
        self._config = config = composition.config
        self._environment = environment(
            config.backend, config.threads, engine.kind, engine.device(), composition.given
        )
        self.progress = Progress(stretches=continued([], self._environment, 0))
        self._directory = directory
        self._checkpoints = directory / "checkpoint"
        self._found = checkpoint.load(self._checkpoints, _report)
        self._beginning: Beginning | None = None
        further = list(further)
        if self._found is None and not further:
            self._beginning = continuation.find(composition, _report)
            self._found = self._beginning.checkpoint if self._beginning else None
        self._found = processes.of_first(self._found)
        self._refuse_other_data()
        self._observers: list[Observer] = []
        self._shown_at = -math.inf
        self._measures = [*measures.build(self._config), *further]
        self.is_rescuable = rescuable
        self._mark: tuple[State, RunRecord] | None = None
        self._next_mark = -math.inf
        # Whoever holds it writes state and record; the second is the thread of `rescue`.
        self._writing = RLock()
        self._has_ended = False

    @property
    def is_done(self) -> bool:
        """Whether the last step was made, or the weights are not finite."""
        progress = self.progress
        return progress.step >= self._config.train_steps or progress.diverged_at_step is not None

    def listen(self, interruption: Interruption) -> None:
        """From now on a signal ends an evaluation, too, between two of its batches.

        What is then raised is `Interrupted`; nothing of the evaluation is kept, and the run that
        goes on makes it again.
        """

        def on_batch(done: int, total: int) -> None:
            foot().reached(done, total)
            interruption.check()

        self.engine.on_batch = on_batch

    def begin(self) -> None:
        """Resume from the newest checkpoint if there is one; compile; observe what is due."""
        self._resume()
        write_patch(self._directory, self.progress.stretches)
        self.mark()
        write_tables(self._directory, self._measures, self.progress)
        self._show_record()
        with self._timed("compile", "compiling"):
            self._compile()
        self._observe()

    def next_stop(self) -> int:
        """The end of the segment that begins at the present step.

        Segments end at fixed steps, so that a resumed run has the same ones.
        """
        return self.end_of_segment(self.progress.step)

    def read_ahead(self, stop: int) -> None:
        """Begin to read what is needed after the segment that ends at `stop`."""
        if stop < self._config.train_steps:
            self.engine.read_ahead(stop, self.end_of_segment(stop))

    def end_of_segment(self, step: int) -> int:
        """The end of the segment that begins at `step`."""
        config = self._config
        grids = self.engine.segment_steps, config.checkpoint_every
        ends = [(step // every + 1) * every for every in grids]
        due = [measure.next_due(step, config) for measure in self._measures]
        kept = [at for at in config.snapshots if at > step]
        return min(*ends, *due, *kept, config.next_evaluation(step))

    def advance(self, segment: Segment, stop: int) -> None:
        """Count a segment's losses and hits, and do whatever is scheduled at `stop`."""
        self.count(segment, stop)
        self.observe()

    def count(self, segment: Segment, stop: int) -> None:
        """Count a segment's losses and hits: the run stands at `stop`."""
        progress = self.progress
        with progress.clock("train"):
            self._count(segment, stop)
            for observer in self._observers:
                observer.on_segment(progress.step, progress.seconds["train"], segment)

    def observe(self) -> None:
        """Do whatever is scheduled where the run stands."""
        progress = self.progress
        if progress.diverged_at_step is None:
            self._observe()
            if progress.step % self._config.checkpoint_every == 0:
                self.save_checkpoint()

    def end(self) -> RunRecord:
        """After the last step: Algorithm 2's accuracy, predictions, the model, the record."""
        progress, config = self.progress, self.engine.config
        facts: dict[str, Any] = {"weights_digest": digest(self.engine.variables())}
        if progress.diverged_at_step is not None:
            return self._finish("diverged", **facts)
        if config.keep_checkpoint:
            self.save_checkpoint()
        if self.engine.network.batch_normalizations:
            with self._timed("population", "evaluating"):
                facts["final_accuracy_population"] = evaluate_population(self.engine, config)[1]
        with foot().doing("saving the model"):
            if config.save_predictions:
                write_predictions(self._directory, self.engine)
            write_model(self._directory, self.engine)
            return self._finish("completed", **facts)

    def interrupt(self, signal_name: str) -> RunRecord:
        """Save the work, and say by whom it was stopped."""
        with self._writing, foot().doing("saving the work"):
            self.save_checkpoint()
            record = self.write_outputs("interrupted", error=signal_name)
        if self.is_rescuable:
            end_without_teardown(signal_name)
        return record

    def mark(self) -> None:
        """Keep a copy of the state on the host, unless the last one is young.

        A resumed run may begin wherever the caller is about to train.
        """
        now = time.monotonic()
        if not self.is_rescuable or now < self._next_mark:
            return
        progress = self.progress
        state = State.of(self.engine, progress, self._measures, self._observers).copied()
        self._mark = state, make_record(self._composition, self.engine, progress, "interrupted")
        took = time.monotonic() - now
        self._next_mark = now + max(_SECONDS_BETWEEN_MARKS, took / _SHARE_OF_MARKS)

    def rescue(self, signal_name: str) -> int | None:
        """Save the work as it was marked, on another thread than the one that trains.

        Gives the step that the run goes on from, or None where it has ended by itself. What trains
        can write nothing more: the process must end now.
        """
        if not self._writing.acquire(timeout=_SECONDS_FOR_A_WRITE):
            return None  # a whole checkpoint lies there, and a newer one is being written
        if self._has_ended or self._mark is None:
            self._writing.release()
            return None
        state, record = self._mark
        state.write(self._checkpoints)
        write_tables(self._directory, self._measures, state.progress)
        write_record(self._directory, replace(record, error=signal_name))
        (self._directory / PROGRESS_FILE).unlink(missing_ok=True)
        return state.progress.step

    def fail(self, error: Exception) -> RunRecord:
        """Leave a record of what went wrong, and say it on standard error.

        One line of what a person can mend (a full disk, memory, changed data); else the traceback.
        Of processes that train together none can go on alone: the work is saved.
        """
        short = shortage.in_words(error, self.engine.config, self.engine.on_accelerator)
        if processes.count() > 1:
            self.rescue(type(error).__name__)
            error = processes.broken_off(error)
        record = self.write_outputs("failed", error=short or f"{type(error).__name__}: {error}")
        if short or isinstance(error, OSError | ConfigError):
            print(f"bnrepro: {short or error}", file=sys.stderr)
        else:
            traceback.print_exception(error, file=sys.stderr)
        return record

    def write_outputs(self, status: str, **facts: Any) -> RunRecord:
        """Tell the observers how the run ended, and write curve, measures and record."""
        record = make_record(self._composition, self.engine, self.progress, status, **facts)
        with self._writing:
            self._has_ended = True
            for observer in self._observers:
                observer.on_end(record)
            write_tables(self._directory, self._measures, self.progress)
            write_record(self._directory, record)
        return record

    def save_checkpoint(self) -> None:
        """Keep everything that a resumed run needs."""
        with self._writing, self._timed("checkpoint", "saving a checkpoint"):
            state = State.of(self.engine, self.progress, self._measures, self._observers)
            state.write(self._checkpoints)

    def _finish(self, status: str, **facts: Any) -> RunRecord:
        with self._writing:
            record = self.write_outputs(status, **facts)
            write_atomically(self._directory / checksums.FILE, checksums.contents(self._directory))
            if self._config.keep_checkpoint and status == "completed":
                checkpoint.keep_newest(self._checkpoints)
            else:
                checkpoint.clear(self._checkpoints)
        return record

    def _refuse_other_data(self) -> None:
        if self._found is None:
            return
        step, _, meta = self._found
        if meta["data_sha256"] != self.engine.dataset.sha256:
            raise ConfigError(
                f"the data is not what this run was trained on up to step {step:,}; put that back, "
                "or start again with force=true"
            )

    def _resume(self) -> None:
        states: list[dict[str, Any]] = []
        if self._found is not None:
            step, arrays, meta = self._found
            restore_measures(arrays, self._measures)
            self.engine.assign(arrays)
            self.progress = Progress.kept(meta["progress"])
            states = meta["observers"]
            self._found = None  # as large as all weights
            self._say_resumed(step)
        self._observers = self._build_observers()
        for position, observer in enumerate(self._observers):
            observer.restore(states[position] if position < len(states) else {})

    def _say_resumed(self, step: int) -> None:
        """Begin another stretch where the environment is another one, and say so."""
        stretches = continued(self.progress.stretches, self._environment, step)
        self.progress.stretches = stretches
        _report(self._whence(step))
        line = resumed_line(stretches, step)
        if line:
            _report(line)

    def _whence(self, step: int) -> str:
        """Whether the run is resumed or goes on from another, whose snapshots it then has, too."""
        if self._beginning is None:
            return f"resumed at step {step:,}"
        continuation.copy_snapshots(self._beginning, self._directory)
        self.progress.continued_from = self._beginning.said
        return f"goes on from {self._beginning.record.name}, step {step:,}"

    def _build_observers(self) -> list[Observer]:
        now = self.progress
        observers: list[Observer] = [
            ProgressObserver(self._directory, self._config, now.step, now.curve, now.seconds)
        ]
        if self._config.tensorboard:
            from bnrepro.measures.tensorboard import TensorBoardObserver

            path = self._directory / "tensorboard"
            observers.append(TensorBoardObserver(path, self._composition, self.progress.curve))
        return observers

    def _compile(self) -> None:
        """Compile every program before its clock runs."""
        watching: list[Measure | Observer] = [*self._measures, *self._observers]
        watched = [partial(each.prepare, self.engine) for each in watching]
        with compiled_once(self._config):
            self.engine.prepare([self.engine.compile, self.engine.compile_scoring, *watched])

    def _count(self, segment: Segment, stop: int) -> None:
        progress = self.progress
        progress.loss_sum += float(segment.loss.astype(np.float64).sum())
        progress.num_correct += int(segment.num_correct.sum())
        progress.num_batches += len(segment.loss)
        progress.diverged_at_step = segment.diverged_at_step
        progress.step = stop if segment.diverged_at_step is None else segment.diverged_at_step

    def _observe(self) -> None:
        """What is due at this step, unless it was done: a row of the curve, rows of measures."""
        progress, config = self.progress, self._config
        step = progress.step
        with self._timed("evaluate", "evaluating"):
            is_due = step == 0 or step == config.next_evaluation(step - 1)
            if is_due and step not in [row.step for row in progress.curve[-1:]]:
                self._evaluate()
            for measure in self._measures:
                if measure.is_due(step, config) and progress.measured.get(measure.name) != step:
                    self._measure(measure)
        if step in config.snapshots:
            with self._timed("checkpoint", "keeping the weights"):
                write_snapshot(self._directory, self.engine, step)

    def _evaluate(self) -> None:
        progress, config = self.progress, self.engine.config
        step, batches = progress.step, progress.num_batches
        examples = batches * self.engine.order.batch_size
        with progress.clock("score"):
            loss, accuracy = evaluate(self.engine, config)
        row = CurveRow(
            step=step,
            train_loss=progress.loss_sum / batches if batches else math.nan,
            train_accuracy=progress.num_correct / examples if batches else math.nan,
            evaluation_loss=loss,
            evaluation_accuracy=accuracy,
            learning_rate=float(learning_rates(config, step, step + 1)[0]),
            train_seconds=progress.seconds["train"],
        )
        progress.curve.append(row)
        append_rows(self._directory / "curve.csv", [row])
        self._show_record_now_and_then()
        progress.loss_sum, progress.num_correct, progress.num_batches = 0.0, 0, 0
        for observer in self._observers:
            observer.on_evaluation(self.engine, row._asdict())

    def _show_record_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._shown_at >= _SECONDS_BETWEEN_RECORDS:
            self._shown_at = now
            self._show_record()

    def _show_record(self) -> None:
        """Let others read how far the run is, and know it for one that has not ended."""
        record = make_record(self._composition, self.engine, self.progress, "running")
        with self._writing:
            write_record(self._directory, record)

    def _measure(self, measure: Measure) -> None:
        progress = self.progress
        found = measure.rows(self.engine, progress.step)
        # A checkpoint's JSON knows no numbers of NumPy's.
        rows = [
            [cell.item() if isinstance(cell, np.generic) else cell for cell in row] for row in found
        ]
        progress.rows.setdefault(measure.name, []).extend(rows)
        append_rows(self._directory / f"{measure.name}.csv", rows)
        progress.measured[measure.name] = progress.step
        for observer in self._observers:
            observer.on_rows(measure, rows)

    @contextmanager
    def _timed(self, clock: str, what: str) -> Iterator[None]:
        """Inside, the clock runs and the screen says what is being done."""
        with self.progress.clock(clock), foot().doing(what):
            yield


def _report(line: str) -> None:
    if processes.is_first():
        print(line, file=sys.stderr)
