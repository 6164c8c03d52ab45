"""Event files for TensorBoard, over steps, written without TensorFlow.

An output only: every number in a table comes from the record. A resumed run first cuts the files
back to their length at the checkpoint, so that no step stands in them twice.

TensorBoard sorts the groups of its page by name and opens the first two: `accuracy` and `loss`;
then come `lr`, `norms`, the pre-activations and the summary.
"""

import json
import math
import threading
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bnrepro.config.backend import keep_tensorflow_out_of_tensorboard

keep_tensorflow_out_of_tensorboard()

# ruff: noqa: E402
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary import histogram_pb
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
from tensorboard.plugins.scalar.summary import scalar_pb
from tensorboard.plugins.text.summary import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from bnrepro.config import identity
from bnrepro.config.composition import Composition
from bnrepro.engine import Engine
from bnrepro.engine.summary import Summary as ActivationSummary
from bnrepro.measures import Observer, hparams
from bnrepro.measures.measure import Measure, Rows
from bnrepro.measures.norms import Norms
from bnrepro.measures.percentiles import PERCENTILES
from bnrepro.records.record import CurveRow, RunRecord

# Enough for a histogram; a convolution has a value a pixel.
_WATCHED_EXAMPLES = 64
# The most points of a run's norms, histograms and percentiles; scalars have one an evaluation.
_MOST_DETAILS = 50


class TensorBoardObserver(Observer):
    """Writes `tensorboard/` of a run's directory; `past` is the curve before this process."""

    def __init__(
        self, directory: Path, composition: Composition, past: Iterable[CurveRow] = ()
    ) -> None:
        self._directory = directory
        self._past = list(past)
        self._config = composition.config
        self._composition = composition
        self._writer: EventFileWriter | None = None
        self._detail_every = max(1, self._config.train_steps // _MOST_DETAILS)
        self._next_detail = 0

    def prepare(self, engine: Engine) -> None:
        if not self._config.is_measured(Norms.name):
            Norms().prepare(engine)
        self._summaries(engine)

    def on_evaluation(self, engine: Engine, row: dict[str, float]) -> None:
        step = int(row["step"])
        self._open()
        self._write_row(row)
        if step >= self._next_detail:
            self._next_detail = step + self._detail_every
            self._write_details(engine, step)
        self._flush()

    def on_rows(self, measure: Measure, rows: Rows) -> None:
        self._open()
        self._write_rows(measure, rows)
        self._flush()

    def on_end(self, record: RunRecord) -> None:
        self._open()
        step = record.train_steps
        for name in ("best_accuracy", "final_accuracy", "final_accuracy_population"):
            value = getattr(record, name)
            if value is not None:
                self._scalar(f"summary/{name}", value, step)
        self._add(hparams.session_end(record.status), step)
        self._close()

    def state(self) -> dict[str, Any]:
        self._flush()
        sizes = {path.name: path.stat().st_size for path in self._files()}
        return {"sizes": sizes, "next_detail": self._next_detail}

    def restore(self, state: dict[str, Any]) -> None:
        self._next_detail = state.get("next_detail", 0)
        for path in self._files():
            size = state.get("sizes", {}).get(path.name)
            if size is None:
                path.unlink()
            else:
                with path.open("r+b") as stream:
                    stream.truncate(min(size, path.stat().st_size))

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("events.out.tfevents.*"))

    def _open(self) -> None:
        """Begin a file, which makes up for what a deleted one had."""
        if self._writer is not None:
            return
        earlier = self._files()
        self._directory.mkdir(exist_ok=True)
        threading.excepthook = _say_all_but_refused_writes
        self._writer = EventFileWriter(str(self._directory))
        if not any(_leads_with_hyperparameters(path) for path in earlier):
            self._write_head()
        if not earlier:
            for row in self._past:
                self._write_row(row._asdict())

    def _write_head(self) -> None:
        """HParams' columns and this run's values in them; the config as text."""
        composition = self._composition
        self._add(hparams.experiment(composition.config), 0)
        self._add(hparams.session_start(composition.name, composition.config), 0)
        text = json.dumps(
            {"name": composition.name, "seed": self._config.seed, **identity(self._config)},
            indent=2,
        )
        self._add(text_pb("config", "```\n" + text + "\n```"), 0)

    def _write_row(self, row: dict[str, float]) -> None:
        step = int(row["step"])
        for name in ("train_loss", "train_accuracy", "evaluation_loss", "evaluation_accuracy"):
            if np.isfinite(row[name]):
                group, _, quantity = name.partition("_")
                self._scalar(f"{quantity}/{group}", row[name], step)
        self._scalar("lr/learning_rate", row["learning_rate"], step)

    def _write_details(self, engine: Engine, step: int) -> None:
        if not self._config.is_measured(Norms.name):
            self._write_rows(Norms(), Norms().rows(engine, step))
        for name, summary in self._summaries(engine).items():
            self._add(histogram(f"pre_activation/{name}", summary), step)
            percentiles = summary.percentiles.mean(axis=0)
            for percent, value in zip(PERCENTILES, percentiles, strict=True):
                self._scalar(f"pre_activation_percentile/{name}/p{percent}", value, step)

    def _summaries(self, engine: Engine) -> dict[str, ActivationSummary]:
        layers = list(engine.network.pre_activations)
        return engine.summaries(_WATCHED_EXAMPLES, layers, PERCENTILES)

    def _write_rows(self, measure: Measure, rows: Rows) -> None:
        """A curve per value, `norms/weight/hidden_1/kernel`; several values are told by column."""
        for row in rows:
            of_column = dict(zip(measure.columns, row, strict=True))
            step = of_column.pop("step")
            words = [cell for cell in of_column.values() if isinstance(cell, str)]
            values = {key: cell for key, cell in of_column.items() if not isinstance(cell, str)}
            for column, value in values.items():
                told = [column] if len(values) > 1 or not words else []
                if math.isfinite(value):
                    self._scalar("/".join([measure.name, *words, *told]), value, step)

    def _scalar(self, tag: str, value: float, step: int) -> None:
        self._add(scalar_pb(tag, float(value)), step)

    def _add(self, summary: Summary, step: int) -> None:
        if self._writer is not None:
            self._writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()


def histogram(tag: str, summary: ActivationSummary) -> Summary:
    """What TensorBoard shows of values that were counted already: (left, right, count) a bin."""
    bins = np.column_stack([summary.edges[:-1], summary.edges[1:], summary.counts])
    made = histogram_pb(tag, [])
    made.value[0].tensor.CopyFrom(make_tensor_proto(bins, dtype=np.float64))
    return made


def _say_all_but_refused_writes(error: threading.ExceptHookArgs) -> None:
    """The writer's thread hands an OSError to who writes next, and need not print it too."""
    if not isinstance(error.exc_value, OSError):
        threading.__excepthook__(error)


def _leads_with_hyperparameters(path: Path) -> bool:
    """Whether a file begins as `_write_head` makes it."""
    # The file's version, the columns, the values.
    events = islice(EventFileLoader(str(path)).Load(), 3)
    return any(
        value.tag == SESSION_START_INFO_TAG for event in events for value in event.summary.value
    )
