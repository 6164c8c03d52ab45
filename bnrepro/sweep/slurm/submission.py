"""What a sweep has submitted: a folder below `<results_dir>/.slurm/` for each array.

`script.sh`, `tasks.txt` (a line per task), `runs.json` (the run of each, and the record that stood
there before), `job.txt` (the array's id); from the tasks `<number>.txt` (what Slurm said of it) and
`<number>.code` (how its run ended).
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bnrepro.config import ConfigError
from bnrepro.config.composition import run_directory
from bnrepro.config.overrides import Override
from bnrepro.config.study import PlannedRun
from bnrepro.records.record import write_atomically
from bnrepro.records.run_directory import open_directory, recorded_config
from bnrepro.sweep.outcome import LOG, raw_record
from bnrepro.sweep.slurm import queue
from bnrepro.sweep.slurm.options import SlurmOptions
from bnrepro.sweep.slurm.queue import Task
from bnrepro.sweep.slurm.script import Array, array_script, task_line

_RUNS, _JOB = "runs.json", "job.txt"


@dataclass(frozen=True)
class Submitted:
    """A run that is a task of an array; `before`: its record when it was submitted."""

    array: Path
    number: int
    name: str
    seed: int
    config: dict[str, Any]
    before: str | None

    @property
    def note(self) -> Path:
        """What Slurm has said of the task."""
        return self.array / f"{self.number}.txt"

    @property
    def code(self) -> int | None:
        """The exit code of its run, where its script came so far."""
        try:
            return int((self.array / f"{self.number}.code").read_text())
        except (OSError, ValueError):
            return None


def folder_of(results_dir: str | Path) -> Path:
    """Where the arrays of a results folder lie."""
    return Path(results_dir).absolute() / ".slurm"


def new_array(results_dir: str, num_tasks: int) -> Array:
    """An array with a name that no other has, in the order of time; nothing is created."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    return Array(folder_of(results_dir) / stamp, num_tasks)


def words_of(run: PlannedRun, threads: int) -> list[str]:
    """The words of `bnrepro run` for a run."""
    config = run.composition.config
    overrides = [*run.overrides]
    if not config.threads:
        overrides.append(Override("threads", (threads,)))
    if config.force:
        # The old run is moved aside when it is submitted, so that a second start goes on.
        overrides.append(Override("force", (False,)))
    return [str(each) for each in overrides]


def submit(runs: Sequence[PlannedRun], options: SlurmOptions) -> str:
    """Submit the runs of one results folder as an array; gives its id.

    Raises:
        ConfigError: if Slurm refuses the array; no run was touched.
        OSError: if the folder cannot be written, or the controller does not answer.
    """
    array = new_array(runs[0].composition.config.results_dir, len(runs))
    rows = [_row(array, number, run) for number, run in enumerate(runs)]
    logs = [run.directory.absolute() / LOG for run in runs]
    words = [words_of(run, options.threads) for run in runs]
    array.folder.mkdir(parents=True)
    (array.folder / "tasks.txt").write_text("\n".join(map(task_line, logs, words)) + "\n")
    path = array.folder / "script.sh"
    path.write_text(array_script(array, options))
    write_atomically(array.folder / _RUNS, json.dumps(rows) + "\n")
    try:
        job = queue.submit(path)
    except ConfigError:
        shutil.rmtree(array.folder)
        raise
    # Not earlier: what Slurm refuses touches no run.
    _prepare(runs, options)
    _release(array.folder, job)
    return job


def adopt(array: Path) -> None:
    """Let an array start whose sweep was killed as it submitted it.

    Raises:
        OSError: if Slurm's controller does not answer.
    """
    if not (array / _JOB).exists() and (job := job_of(array)):
        _release(array, job)


def _release(folder: Path, job: str) -> None:
    queue.release(job)
    write_atomically(folder / _JOB, job + "\n")


def _prepare(runs: Sequence[PlannedRun], options: SlurmOptions) -> None:
    """Make the directories, for the logs, and move aside what is to be trained again."""
    for run in runs:
        config = run.composition.config
        if config.force:
            config = replace(config, threads=config.threads or options.threads)
            open_directory(replace(run.composition, config=config))
        run.directory.mkdir(parents=True, exist_ok=True)


def submitted_below(results_dir: str) -> dict[Path, Submitted]:
    """What was submitted last, for each run's directory."""
    found: dict[Path, Submitted] = {}
    for path in sorted(folder_of(results_dir).glob(f"*/{_RUNS}")):
        for fields in json.loads(path.read_text()):
            row = Submitted(**{**fields, "array": path.parent})
            found[run_directory(results_dir, row.name, row.seed)] = row
    return found


def queued(rows: Iterable[Submitted]) -> dict[Path, dict[int, Task]]:
    """The tasks of the arrays to which the rows belong, as the controller knows them.

    Raises:
        OSError: if there is no Slurm here, or its controller does not answer.
    """
    found = {}
    for array in sorted({row.array for row in rows}):
        name = Array(array, 0).name
        job = job_of(array)
        found[array] = queue.tasks(job, name) if job else {}
    return found


def job_of(array: Path) -> str | None:
    """The id of an array; where a sweep was killed as it submitted, from the queue."""
    path = array / _JOB
    return path.read_text().strip() if path.exists() else queue.find(Array(array, 0).name)


def _row(array: Array, number: int, run: PlannedRun) -> dict[str, object]:
    before = None if run.composition.config.force else raw_record(run)
    row = Submitted(
        array=array.folder,
        number=number,
        name=run.name,
        seed=run.seed,
        config=recorded_config(run.composition.config),
        before=None if before is None else before.decode(),
    )
    return {key: value for key, value in asdict(row).items() if key != "array"}
