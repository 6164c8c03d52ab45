"""The loop of a sweep on a cluster: submit what is not done, then see how it goes.

The runs are the cluster's: the sweep may be closed, and the same command finds them again.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bnrepro.config.study import PlannedRun
from bnrepro.records.lock import Busy, is_held, kept
from bnrepro.records.run_directory import check_writable
from bnrepro.screen.signals import noted
from bnrepro.sweep.outcome import LOG, Outcome, conclude, on_disk, raw_record
from bnrepro.sweep.slurm import queue, submission
from bnrepro.sweep.slurm.options import SlurmOptions
from bnrepro.sweep.slurm.queue import Task, Unreachable
from bnrepro.sweep.slurm.reason import ending_of
from bnrepro.sweep.slurm.submission import Submitted, submitted_below

_SECONDS_BETWEEN_LOOKS = 0.2
# Of one controller, many people ask.
_SECONDS_BETWEEN_QUESTIONS = 10.0


@dataclass(frozen=True)
class Rules:
    """What each run gets, and what the sweep does about failures."""

    options: SlurmOptions
    retry_failed: bool
    max_failures: int | None


class SlurmSweep:
    """Brings runs to their end as tasks of an array.

    `watch` is called with each change of a run's state, `refresh` several times a second, `tell`
    with what there is to say about the array.
    """

    def __init__(
        self,
        planned: list[PlannedRun],
        rules: Rules,
        watch: Callable[[PlannedRun, Outcome], None],
        refresh: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._planned = planned
        self._rules = rules
        self._watch, self._refresh, self._tell = watch, refresh, tell
        self._outcomes = {run.directory: Outcome("waiting") for run in planned}
        self._tasks: dict[Path, Submitted] = {}
        self._known: dict[Path, dict[int, Task]] = {}
        self._num_failures = 0
        self.signals: list[signal.Signals] = []

    def work(self) -> None:
        """Submit what is neither done nor in the queue, and watch until all has ended.

        Raises:
            ConfigError: before anything is submitted, if a run's directory holds something else,
                there is no Slurm here, or it refuses the array.
            OSError: if the results folder cannot be written, or the controller does not answer.
        """
        for run in self._planned:
            on_disk(run)  # refuses another config
        with noted(self.signals):
            for results_dir in sorted({_results_dir(run) for run in self._planned}):
                check_writable(results_dir)
                with self._alone(results_dir):
                    self._submit(results_dir)
            next_question = 0.0
            while self._watched() and not self.signals:
                if time.monotonic() >= next_question:
                    self._ask()
                    self._look()
                    next_question = time.monotonic() + _SECONDS_BETWEEN_QUESTIONS
                self._refresh()
                time.sleep(_SECONDS_BETWEEN_LOOKS)

    def states(self) -> list[tuple[PlannedRun, Outcome]]:
        """How far each run is, in the order of the plan."""
        return [(run, self._outcomes[run.directory]) for run in self._planned]

    @property
    def farewell(self) -> str:
        """What a person is told whose signal has ended the sweep."""
        jobs = " ".join(self._jobs())
        return f"the runs go on; the same command watches them again, `scancel {jobs}` ends them"

    def _jobs(self) -> list[str]:
        """The arrays that still have something to do."""
        arrays = sorted({self._tasks[run.directory].array for run in self._watched()})
        return [job for array in arrays if (job := submission.job_of(array))]

    def _submit(self, results_dir: str) -> None:
        """Find the runs of a folder in the queue or on disk, and submit the others."""
        own = [run for run in self._planned if _results_dir(run) == results_dir]
        self._find_tasks(own, results_dir)
        open_tasks = [self._tasks[run.directory] for run in own if self._is_open(run)]
        for array in sorted({task.array for task in open_tasks}):
            submission.adopt(array)
        self._known |= submission.queued(open_tasks)
        left = [run for run in own if not self._is_settled(run)]
        if left:
            job = submission.submit(left, self._rules.options)
            self._tell(f"array {job}: {len(left)} run{'s' * (len(left) != 1)}")
            self._find_tasks(left, results_dir)
        for run in left:
            self._report(run, Outcome("pending"))

    def _find_tasks(self, runs: list[PlannedRun], results_dir: str) -> None:
        tasks = submitted_below(results_dir)
        self._tasks |= {
            run.directory: tasks[run.directory] for run in runs if run.directory in tasks
        }

    def _is_open(self, run: PlannedRun) -> bool:
        """Whether the run was submitted and has left no record of its end since."""
        task = self._tasks.get(run.directory)
        return task is not None and not _left_record(run, task)

    def _is_settled(self, run: PlannedRun) -> bool:
        """Whether nothing is to be submitted: the run is done, or its task lives."""
        if self._is_open(run):
            task = self._tasks[run.directory]
            known = self._known[task.array].get(task.number)
            if known is not None and not known.has_ended:
                self._report(run, Outcome(known.status))
                return True
            _concluded(run, task, known)  # nobody has watched it to its end
        outcome = on_disk(run)
        if run.composition.config.force or not outcome.stands(
            retry_failed=self._rules.retry_failed
        ):
            return False
        self._report(run, outcome)
        return True

    def _watched(self) -> list[PlannedRun]:
        open_ones = ("waiting", "pending", "requeued", "running", "elsewhere")
        return [run for run, outcome in self.states() if outcome.status in open_ones]

    def _ask(self) -> None:
        """Learn how the tasks are; where the controller does not answer, nothing changes."""
        tasks = [self._tasks[run.directory] for run in self._watched()]
        try:
            self._known |= submission.queued(tasks)
        except Unreachable:
            self._known = {}

    def _look(self) -> None:
        for run in self._watched():
            task = self._tasks[run.directory]
            found = on_disk(run)
            if found.done and _left_record(run, task):
                self._report(run, found)
            elif task.array in self._known:
                self._follow(run, task, self._known[task.array].get(task.number))

    def _follow(self, run: PlannedRun, task: Submitted, known: Task | None) -> None:
        """Note how a run's task is; `known` is None where it has ended and was forgotten."""
        if known is not None and not known.has_ended:
            self._report(run, Outcome(known.status))
        elif task.code == 2 and is_held(run.directory):
            # Started by hand, or by a sweep on another machine.
            self._report(run, Outcome("elsewhere"))
        elif self._outcomes[run.directory].status == "elsewhere":
            self._report(run, Outcome("interrupted", "another process has left it"))
        else:
            outcome = _concluded(run, task, known)
            self._report(run, outcome)
            self._num_failures += outcome.status == "failed"
            if outcome.status == "failed" and self._num_failures == self._rules.max_failures:
                self._cancel_pending()

    def _cancel_pending(self) -> None:
        for job in self._jobs():
            queue.cancel_pending(job)
            self._tell(f"{self._num_failures} failed: what has not started of {job} is cancelled")

    def _report(self, run: PlannedRun, outcome: Outcome) -> None:
        if self._outcomes[run.directory] != outcome:
            self._outcomes[run.directory] = outcome
            if outcome.status != "pending":
                self._watch(run, outcome)

    @contextmanager
    def _alone(self, results_dir: str) -> Iterator[None]:
        """Inside, no other sweep submits runs of that folder."""
        path = submission.folder_of(results_dir) / "submit.lock"
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(kept(path, f"{path}: another sweep submits"))
                    break
                except Busy:
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
            yield


def _concluded(run: PlannedRun, task: Submitted, known: Task | None) -> Outcome:
    """What became of a run whose task has ended; `known` is None where that was forgotten."""
    is_cancelled = known is None or known.state == "CANCELLED"
    if is_cancelled and not task.note.exists():
        return Outcome("interrupted", "cancelled before it started")
    ending = ending_of(task, known, run.directory / LOG)
    return conclude(run, ending, None if task.before is None else task.before.encode())


def _left_record(run: PlannedRun, task: Submitted) -> bool:
    """Whether the run has ended with a record since it was submitted."""
    found = raw_record(run)
    if found is None or found.decode() == task.before:
        return False
    return on_disk(run).status in ("completed", "diverged", "failed")


def _results_dir(run: PlannedRun) -> str:
    return run.composition.config.results_dir
