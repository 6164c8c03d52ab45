"""One run: prepared, advanced by segments, looked at where that is due, ended with a record."""

import math
import time
from functools import partial
from typing import Any

import numpy as np

from bnrepro.config.schedules import learning_rates
from bnrepro.engine import Segment
from bnrepro.measures import Observer
from bnrepro.measures.evaluation import evaluate, evaluate_population
from bnrepro.measures.measure import Measure
from bnrepro.records.record import CurveRow, RunRecord, append_rows
from bnrepro.records.stretches import write_patch
from bnrepro.screen.foot import foot
from bnrepro.training.interruption import Interruption
from bnrepro.training.kept import KeptRun
from bnrepro.training.outputs import (
    digest,
    write_model,
    write_predictions,
    write_snapshot,
    write_tables,
)
from bnrepro.training.programs import compiled_once

# A disk may need a twentieth of a second to be sure of one.
_SECONDS_BETWEEN_RECORDS = 1.0


class Run(KeptRun):
    """What happens between two segments of one training, and before the first and after the last.

    The caller trains `engine` from `progress.step` to `next_stop()` under the clock
    "train", and hands the segment to `advance`, until `is_done`.
    """

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
