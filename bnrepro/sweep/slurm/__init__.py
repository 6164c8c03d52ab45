"""A sweep on a cluster: its runs are the tasks of a Slurm array, which outlives the sweep.

`options`: what each run gets. `script`: what a task does. `submission`: what is left on disk of an
array. `queue`: Slurm's commands. `reason`: why a task ended. `watch`: the loop.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnrepro.config.study import PlannedRun
from bnrepro.sweep.slurm import submission
from bnrepro.sweep.slurm.options import SlurmOptions, load_options
from bnrepro.sweep.slurm.queue import Unreachable, require
from bnrepro.sweep.slurm.script import array_script
from bnrepro.sweep.slurm.watch import Rules, SlurmSweep

__all__ = [
    "Queued",
    "Rules",
    "SlurmOptions",
    "SlurmSweep",
    "in_queue",
    "load_options",
    "preview_script",
    "require",
]


@dataclass(frozen=True)
class Queued:
    """A run whose task lives: `pending`, `requeued` or `running`, and its config as recorded."""

    status: str
    config: dict[str, Any]


def in_queue(results_dir: str) -> dict[Path, Queued]:
    """The runs of a folder whose tasks live, by directory.

    Empty where the cluster cannot be asked.
    """
    found = submission.submitted_below(results_dir)
    rows = {path: row for path, row in found.items() if row.code != 0}
    try:
        known = submission.queued(rows.values())
    except Unreachable:
        return {}
    tasks = {path: known[row.array].get(row.number) for path, row in rows.items()}
    living = {path: task for path, task in tasks.items() if task and not task.has_ended}
    return {path: Queued(task.status, rows[path].config) for path, task in living.items()}


def preview_script(runs: list[PlannedRun], options: SlurmOptions) -> Iterator[str]:
    """The lines of the script that would be submitted for the runs, and the words of its tasks."""
    if not runs:
        return
    array = submission.new_array(runs[0].composition.config.results_dir, len(runs))
    yield f"{array.folder / 'script.sh'}:"
    yield from array_script(array, options).splitlines()
    yield f"{array.folder / 'tasks.txt'}, but for the logs:"
    for run in runs:
        yield " ".join(submission.words_of(run, options.threads))
