"""Records of runs that were never trained: curves given as functions of the step."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.config.composition import Composition, compose, run_directory
from bnrepro.records.record import (
    CURVE_COLUMNS,
    PERCENTILE_COLUMNS,
    RunRecord,
    write_record,
    write_rows,
)
from bnrepro.records.run_directory import recorded_config

NUM_CLASSES = 10
ENVIRONMENT = {
    "commit": "0123456789abcdef",
    "dirty": False,
    "versions": {"python": "3.11.0", "bnrepro": "0.1.0", "keras": "3.15.1", "numpy": "2.4.6"},
    "device": "CPU: hand-made",
    "threads": 1,
    "backend": "tensorflow",
    "engine": "loop",
}

# One whole run of an experiment, as those who print one need it.
RECORD = RunRecord(
    name="bn_x5-smoke",
    experiment="bn_x5",
    scale="smoke",
    seed=3,
    status="completed",
    train_steps=2000,
    config=recorded_config(compose(["model=inception", "evaluate_every=100"]).config),
    environment={"device": "a processor", "threads": 1},
    data={"name": "digits", "num_evaluation": 360, "num_classes": 10, "sha256": "ab" * 32},
    num_parameters=10,
    best_accuracy=0.9722,
    best_accuracy_step=1750,
    final_accuracy=0.9694,
    final_accuracy_population=0.9667,
    seconds={"train": 4.0},
)


@dataclass(frozen=True)
class HandMade:
    """What a run left behind, but for its config."""

    accuracy: Callable[[int], float]
    status: str = "completed"
    diverged_at_step: int | None = None
    percentiles: Callable[[str, int], tuple[float, float, float]] | None = None
    predictions: tuple[np.ndarray, np.ndarray] | None = None
    population_accuracy: float | None = None


def evaluated_steps(config: RunConfig) -> list[int]:
    """The steps at which such a run has a row in its curve."""
    steps = [0]
    while steps[-1] < config.train_steps:
        steps.append(config.next_evaluation(steps[-1]))
    return steps


def write_run(results_dir: Path, composition: Composition, made: HandMade) -> Path:
    """Write the record and all that belongs to it; returns the run's directory."""
    config = composition.config
    end = config.train_steps if made.diverged_at_step is None else made.diverged_at_step
    steps = [step for step in evaluated_steps(config) if step <= end]
    curve = [(step, made.accuracy(step)) for step in steps]
    directory = run_directory(results_dir, composition.name, config.seed)
    directory.mkdir(parents=True)
    rows = [(step, 1.0, 0.5, 1.0, accuracy, 0.1, step / 1000) for step, accuracy in curve]
    write_rows(directory / "curve.csv", CURVE_COLUMNS, rows)
    if made.percentiles is not None:
        watched = range(0, end + 1, config.percentiles.every or 1000)
        rows = [
            (unit, step, *made.percentiles(unit, step))
            for step in watched
            for unit in ("0", "mean")
        ]
        write_rows(directory / "percentiles.csv", PERCENTILE_COLUMNS, rows)
    if made.predictions is not None:
        probabilities, labels = made.predictions
        np.savez_compressed(
            directory / "predictions.npz",
            probabilities=probabilities.astype(np.float16),
            labels=labels.astype(np.int32),
        )
    write_record(directory, _record(composition, made, end, curve))
    return directory


def _record(
    composition: Composition, made: HandMade, end: int, curve: list[tuple[int, float]]
) -> RunRecord:
    best_step, best = max(curve, key=lambda row: row[1])
    config = composition.config
    return RunRecord(
        name=composition.name,
        experiment=composition.experiment,
        scale=composition.scale,
        seed=config.seed,
        status=made.status,
        train_steps=end,
        diverged_at_step=made.diverged_at_step,
        config=recorded_config(config),
        environment=ENVIRONMENT,
        data={
            "name": config.data.name,
            "num_train": 50_000,
            "num_evaluation": 10_000,
            "num_classes": NUM_CLASSES,
            "sha256": f"{config.data.name:0<64}",
        },
        num_parameters=1000,
        best_accuracy=best,
        best_accuracy_step=best_step,
        final_accuracy=curve[-1][1],
        final_accuracy_population=made.population_accuracy,
        seconds={"train": end / 1000, "evaluate": 1.0, "total": end / 1000 + 2},
        weights_digest=None,
        error=None,
    )
