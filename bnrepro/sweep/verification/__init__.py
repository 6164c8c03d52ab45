"""`bnrepro verify`: recorded runs are trained again and compared with their records.

`choice`: which. `comparison`: how they compare. `page`: what is shown and published of it.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.config.device import num_gpus
from bnrepro.config.overrides import Override, overrides_of
from bnrepro.records.environment import is_gpu
from bnrepro.records.loading import read_runs
from bnrepro.records.record import FINISHED, RecordError, RunRecord, read_record
from bnrepro.records.variables import without_paths
from bnrepro.screen import duration
from bnrepro.screen.foot import foot
from bnrepro.screen.signals import raised
from bnrepro.sweep.launcher import Launcher, finish, local
from bnrepro.sweep.outcome import LOG, last_line
from bnrepro.sweep.verification import choice, page
from bnrepro.sweep.verification.choice import Candidate
from bnrepro.sweep.verification.comparison import (
    GOOD,
    NOT_COMPARED,
    NOT_TRAINED,
    Comparison,
    band,
    compare,
)

_BAD_INPUT = 2


def main(
    names: list[str],
    study_name: str | None,
    results_dir: str,
    *,
    publish: bool = False,
    launcher: Launcher = local,
) -> int:
    """Train one run a name again, one of a study, or one of every study; print the comparison.

    With `publish` the outcomes are also written below `results_dir`/verification.

    Returns:
        0 if at least one run could be compared and none is other than its record, else 1.

    Raises:
        ConfigError: if there is no such run or study.
        RecordError: if a record cannot be read.
        OSError: if a folder cannot be written.
    """
    runs = read_runs(results_dir)
    if runs.empty:
        raise ConfigError(f"no run below {results_dir}; name a folder with results_dir=FOLDER")
    if study_name is not None:
        chosen = [choice.of_study(runs, study_name, results_dir)]
    elif names:
        chosen = choice.of_names(runs, names)
    else:
        chosen = choice.of_all_studies(runs, results_dir)
    if not chosen:
        raise ConfigError(f"no finished run of a study is below {results_dir}; name some runs")
    rows = [verify(candidate, launcher) for candidate in chosen]
    print(page.table(rows))
    if publish:
        print(page.publish(results_dir, rows, choice.of_all_studies(runs, results_dir)))
    outcomes = [row["outcome"] for row in rows if row["outcome"] != NOT_COMPARED]
    if not outcomes:
        print("nothing could be compared here")
    return int(not outcomes or not set(outcomes) <= set(GOOD))


def verify(candidate: Candidate, launcher: Launcher = local) -> page.Row:
    """Train a run again in a folder that is thrown away; what came of it."""
    record = candidate.record
    what = f"training {record.name} seed {record.seed} again, {duration(candidate.seconds)} then"
    with (
        foot().doing(what),
        raised(),
        TemporaryDirectory(prefix="bnrepro-verify-") as folder,
    ):
        again = _train_again(record, Path(folder), launcher)
    if isinstance(again, Comparison):
        return _row(candidate, None, again)
    return _row(candidate, again, compare(record, again, candidate.seeds))


def _train_again(record: RunRecord, folder: Path, launcher: Launcher) -> RunRecord | Comparison:
    """The new record, or why there is none."""
    on_gpu = is_gpu(str(record.environment.get("device")))
    if on_gpu and num_gpus() == 0:
        device = record.environment["device"]
        return Comparison(NOT_COMPARED, f"recorded on {device}, and no GPU is here")
    changes = {"results_dir": str(folder), "tensorboard": False}
    changes["device"] = "gpu" if on_gpu else "cpu"
    try:
        composition = compose(
            [*overrides_of(record.config), *(Override(key, (to,)) for key, to in changes.items())]
        )
    except ConfigError as error:
        return Comparison(NOT_COMPARED, without_paths(str(error)))
    if composition.name != record.name:
        return Comparison(NOT_COMPARED, f"its config is now called {composition.name}")
    log = folder / LOG
    code = finish(launcher(list(map(str, composition.given)), log, {}))
    try:
        again = read_record(composition.directory)
    except RecordError:
        again = None
    if again is not None and again.status in FINISHED:
        return again
    outcome = NOT_COMPARED if code == _BAD_INPUT else NOT_TRAINED
    return Comparison(outcome, without_paths(last_line(log)) or f"exit code {code}")


def _row(candidate: Candidate, again: RunRecord | None, comparison: Comparison) -> page.Row:
    record = candidate.record
    low, high = band([seed.final_accuracy for seed in candidate.seeds]) or (None, None)
    made = again or replace(record, environment={}, weights_digest=None, final_accuracy=None)
    values = {
        "study": candidate.study,
        "run": record.name,
        "seed": record.seed,
        "outcome": comparison.outcome,
        "reason": comparison.reason,
        "recorded_digest": record.weights_digest,
        "digest": made.weights_digest,
        "recorded_accuracy": record.final_accuracy,
        "accuracy": made.final_accuracy,
        "low": low,
        "high": high,
        **{key: made.environment.get(key) for key in ("device", "started")},
    }
    return {key: "" if value is None else str(value) for key, value in values.items()}
