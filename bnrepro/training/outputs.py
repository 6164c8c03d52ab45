"""What a run leaves in its directory; the record is written last and makes the rest count."""

import hashlib
import io
import math
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bnrepro import seconds_since_import
from bnrepro.config.backend import no_further_framework
from bnrepro.config.composition import Composition
from bnrepro.data import Dataset
from bnrepro.engine import Engine
from bnrepro.measures.evaluation import probabilities
from bnrepro.measures.measure import Measure
from bnrepro.records.record import (
    CURVE_COLUMNS,
    RunRecord,
    write_atomically,
    write_rows,
)
from bnrepro.records.run_directory import recorded_config, snapshot_path
from bnrepro.training.progress import Progress

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # of an archive's members


def write_tables(directory: Path, measures: Iterable[Measure], progress: Progress) -> None:
    """Write `curve.csv` and `<name>.csv` of each measure, with all rows so far."""
    write_rows(directory / "curve.csv", CURVE_COLUMNS, progress.curve)
    for measure in measures:
        rows = progress.rows.get(measure.name, [])
        write_rows(directory / f"{measure.name}.csv", measure.columns, rows)


def write_snapshot(directory: Path, engine: Engine, step: int) -> None:
    """Write `snapshots/<step>.npz`: the network's variables by path, which `load_engine` reads."""
    path = snapshot_path(directory, step)
    path.parent.mkdir(exist_ok=True)
    values = engine.variables()
    network = {each.path: values[f"model/{each.path}"] for each in engine.network.model.variables}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **network)
    write_atomically(path, buffer.getvalue())


def write_predictions(directory: Path, engine: Engine) -> None:
    """Write `predictions.npz`: class probabilities on the evaluation split, and its labels."""
    split = engine.dataset.evaluation
    values = probabilities(engine.logits(split)).astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=values, labels=split.labels)
    write_atomically(directory / "predictions.npz", buffer.getvalue())


def write_model(directory: Path, engine: Engine) -> None:
    """Write `model.keras`, which `bnrepro.load_model` reads."""
    # Keras insists on the suffix; a reader sees only the finished file.
    temporary = directory / ".model.keras"
    with no_further_framework(), _dates_that_zip_knows():
        engine.model_from_pixels().save(temporary)
    temporary.replace(directory / "model.keras")


@contextmanager
def _dates_that_zip_knows() -> Iterator[None]:
    """Inside, what is put into an archive has a date from 1980 on, whatever the clock says.

    A board without a clock begins in 1970, a date that zip cannot write, and a model is an archive.
    """
    usual = zipfile.ZipInfo

    class Dated(usual):  # type: ignore[misc, valid-type]
        def __init__(self, filename: str = "NoName", date_time: Any = _FIRST_DATE) -> None:
            super().__init__(filename, max(tuple(date_time), _FIRST_DATE))

    zipfile.ZipInfo = Dated  # type: ignore[misc]
    try:
        yield
    finally:
        zipfile.ZipInfo = usual  # type: ignore[misc]


def digest(variables: dict[str, np.ndarray]) -> str:
    """SHA-256 over all variables, in the order of their paths."""
    hashed = hashlib.sha256()
    for path in sorted(variables):
        hashed.update(path.encode())
        hashed.update(np.ascontiguousarray(variables[path]).tobytes())
    return hashed.hexdigest()


def make_record(
    composition: Composition, engine: Engine, progress: Progress, status: str, **facts: Any
) -> RunRecord:
    """The record of a run that stands as `progress` says; `facts` are fields known only later."""
    config = composition.config
    known = [row for row in progress.curve if _measured(row.evaluation_accuracy) is not None]
    best = max(known, key=lambda row: row.evaluation_accuracy, default=None)
    weights = engine.network.model.trainable_variables
    return RunRecord(
        name=composition.name,
        experiment=composition.experiment,
        scale=composition.scale,
        seed=config.seed,
        status=status,
        train_steps=progress.step,
        diverged_at_step=progress.diverged_at_step,
        config=recorded_config(config),
        environment=progress.stretches[-1],
        earlier_environments=progress.stretches[:-1],
        data=_data_facts(engine.dataset),
        num_parameters=sum(math.prod(variable.shape) for variable in weights),
        best_accuracy=best.evaluation_accuracy if best else None,
        best_accuracy_step=best.step if best else None,
        final_accuracy=_measured(progress.curve[-1].evaluation_accuracy)
        if progress.curve
        else None,
        continued_from=progress.continued_from,
        seconds={**progress.seconds, "total": progress.earlier_seconds + seconds_since_import()},
        peak_memory=progress.peak_memory(),
        **facts,
    )


def _measured(accuracy: float) -> float | None:
    """None where no score of the network was finite."""
    return accuracy if math.isfinite(accuracy) else None


def _data_facts(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "num_train": len(dataset.train.labels),
        "num_evaluation": len(dataset.evaluation.labels),
        "num_classes": dataset.num_classes,
        "sha256": dataset.sha256,
    }
