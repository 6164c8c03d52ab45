"""A sweep over fake runs: `python fake_sweep.py BEHAVIOURS [--flag ...] OVERRIDE ...`.

BEHAVIOURS is a file of JSON, a behaviour of `fake_run.py` by seed; others complete.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bnrepro.config.composition import compose
from bnrepro.records.environment import processor
from bnrepro.records.record import RunRecord
from bnrepro.records.run_directory import recorded_config
from bnrepro.sweep import run_sweep
from bnrepro.sweep.launcher import Launcher, Process, start

PROGRAM = Path(__file__).with_name("fake_run.py")


def completed_record(overrides: Sequence[str]) -> RunRecord:
    """The record that a completed run of these overrides leaves."""
    composition = compose(list(overrides))
    return RunRecord(
        name=composition.name,
        experiment=composition.experiment,
        scale=composition.scale,
        seed=composition.config.seed,
        status="completed",
        train_steps=composition.config.train_steps,
        diverged_at_step=None,
        config=recorded_config(composition.config),
        environment={"device": processor(), "threads": 1},
        data={
            "name": composition.config.data.name,
            "num_train": 1000,
            "num_evaluation": 797,
            "num_classes": 10,
            "sha256": "0" * 64,
        },
        num_parameters=10,
        best_accuracy=0.1,
        best_accuracy_step=0,
        final_accuracy=0.1,
        final_accuracy_population=None,
        seconds={"train": 2.0, "evaluate": 1.0, "total": 5.0},
        weights_digest="0" * 64,
        error=None,
    )


def launcher(behaviours: Path) -> Launcher:
    """Starts fake runs through the same door as real ones."""

    def launch(overrides: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
        record = completed_record(overrides)
        behaviour = json.loads(behaviours.read_text()).get(str(record.seed), "completes")
        path = behaviours.with_name(f"{record.name}-{record.seed}.json")
        path.write_text(json.dumps(asdict(record)))
        fake = [sys.executable, str(PROGRAM), str(path), behaviour, str(log.parent)]
        return start([*fake, *overrides], log, environment)

    return launch


if __name__ == "__main__":
    given, *words = sys.argv[1:]
    flags = {word[2:].replace("-", "_"): True for word in words if word.startswith("--")}
    plain = [word for word in words if not word.startswith("--")]
    sys.exit(run_sweep(plain, workers=2, launcher=launcher(Path(given)), **flags))
