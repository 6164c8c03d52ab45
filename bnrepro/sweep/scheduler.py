"""The loop of a sweep: start runs where there is room, see how they end, stop when asked to."""

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bnrepro.config.overrides import Override
from bnrepro.config.study import PlannedRun
from bnrepro.records.lock import Busy, claim, is_held, renew
from bnrepro.records.run_directory import check_writable, open_directory
from bnrepro.screen.signals import noted
from bnrepro.sweep.announcement import announced
from bnrepro.sweep.jobs import Job, jobs_of
from bnrepro.sweep.launcher import Launcher, Process
from bnrepro.sweep.outcome import Ending, Outcome, conclude, on_disk, raw_record
from bnrepro.sweep.slots import Slot

_SECONDS_BETWEEN_LOOKS = 0.1
_SECONDS_BETWEEN_VISITS = 1.0
# A run that is asked to stop is gone by then, unless something keeps it.
_SECONDS_TO_SAVE = 10.0


@dataclass(frozen=True)
class Rules:
    """What the sweep does about failures, and what it tells a run beside its overrides."""

    retry_failed: bool
    max_failures: int | None
    threads: int
    as_one_program: bool


@dataclass
class _Child:
    """A job in progress, and what it holds."""

    job: Job
    process: Process
    slot: Slot
    held: ExitStack
    records_before: list[bytes | None]
    asked_at: float | None = None


class Scheduler:
    """Brings runs to their end, each in a process of its own.

    `watch` is called with each change of a run's state, `refresh` several times a second.
    """

    def __init__(
        self,
        planned: list[PlannedRun],
        slots: list[Slot],
        launcher: Launcher,
        rules: Rules,
        watch: Callable[[PlannedRun, Outcome], None],
        refresh: Callable[[], None],
    ) -> None:
        self._planned = planned
        self._outcomes: dict[Path, Outcome] = {}
        self.signals: list[signal.Signals] = []
        self._free = deque(slots)
        self._launcher = launcher
        self._rules = rules
        self._watch = watch
        self._refresh = refresh
        self._waiting: deque[Job] = deque()
        self._elsewhere: deque[Job] = deque()
        self._children: list[_Child] = []
        self._first_records: dict[Path, bytes | None] = {}
        self._num_failures = 0
        self._next_visit = 0.0

    def work(self) -> None:
        """Run what is not done, until all is done or there is a reason to stop.

        Raises:
            ConfigError: before anything is started, if a run's directory holds something else.
            OSError: if the results folder cannot be written.
        """
        for run in self._planned:
            self._first_records[run.directory] = raw_record(run)
            self._outcomes[run.directory] = self._settled(run) or Outcome("waiting")
        left = [run for run, outcome in self.states() if outcome.status == "waiting"]
        self._waiting.extend(jobs_of(left, as_one_program=self._rules.as_one_program))
        for results_dir in {run.composition.config.results_dir for run in left}:
            check_writable(results_dir)
        announcement = announced(left, self._rules.threads)
        with announcement, noted(self.signals), self._leaving_no_child():
            while self._children or (self._pending() and not self._stopping()):
                self._reap()
                if self._stopping():
                    self._ask_children_to_stop()
                    for child in self._children:
                        self._report(child.job, Outcome("stopping"))
                else:
                    self._fill()
                renew()
                self._refresh()
                time.sleep(_SECONDS_BETWEEN_LOOKS)

    @property
    def farewell(self) -> str:
        """What a person is told whose signal has ended the sweep."""
        return "interrupted; the same command goes on from here"

    def states(self) -> list[tuple[PlannedRun, Outcome]]:
        """How far each run is, in the order of the plan."""
        return [(run, self._outcomes[run.directory]) for run in self._planned]

    def _settled(self, run: PlannedRun) -> Outcome | None:
        """What stands on disk and is not to be run (again), or None."""
        if run.composition.config.force:
            return None
        found = on_disk(run)
        # A failed run is tried once: not again where another sweep has just done so.
        untouched = raw_record(run) == self._first_records[run.directory]
        retry = self._rules.retry_failed and untouched
        return found if found.stands(retry_failed=retry) else None

    def _pending(self) -> bool:
        return bool(self._waiting or self._elsewhere)

    def _stopping(self) -> bool:
        limit = self._rules.max_failures
        return bool(self.signals) or (limit is not None and self._num_failures >= limit)

    def _fill(self) -> None:
        """Start runs in the free slots: those that wait, then those that others have left."""
        if not self._waiting and time.monotonic() >= self._next_visit:
            self._next_visit = time.monotonic() + _SECONDS_BETWEEN_VISITS
            self._waiting, self._elsewhere = self._elsewhere, self._waiting
        while self._free and self._waiting:
            self._start(self._waiting.popleft())

    def _start(self, job: Job) -> None:
        """Start a job in a free slot, unless somebody else works on it or has done it."""
        with ExitStack() as stack:
            try:
                for run in job.runs:
                    stack.enter_context(claim(run.directory))
            except Busy:
                self._elsewhere.append(job)
                self._report(job, Outcome("elsewhere"))
                return
            found = [self._settled(run) for run in job.runs]
            settled = [outcome for outcome in found if outcome is not None]
            if len(settled) == len(job.runs):
                self._report(job, *settled)
                return
            before = [raw_record(run) for run in job.runs]
            process = self._launch(job, self._free[0])
            child = _Child(job, process, self._free.popleft(), stack.pop_all(), before)
            self._children.append(child)
        self._report(job, Outcome("running"))

    def _launch(self, job: Job, slot: Slot) -> Process:
        overrides = job.overrides
        threads = job.runs[0].composition.config.threads or self._rules.threads
        if threads != job.runs[0].composition.config.threads:
            overrides.append(Override("threads", (threads,)))
        for run in job.runs:
            config = replace(run.composition.config, threads=threads)
            if config.force:
                # The old run is moved aside here, so that the new one's log can be opened.
                open_directory(replace(run.composition, config=config))
            run.directory.mkdir(parents=True, exist_ok=True)
        if job.runs[0].composition.config.force:
            overrides.append(Override("force", (False,)))
        job.point_to_log()
        return self._launcher([*job.flags, *map(str, overrides)], job.log, slot.environment)

    def _reap(self) -> None:
        """Conclude the jobs whose process has ended."""
        for child in list(self._children):
            code = child.process.poll()
            if code is None:
                continue
            self._children.remove(child)
            self._free.append(child.slot)
            with child.held:
                self._conclude(child, code)

    def _conclude(self, child: _Child, code: int) -> None:
        job = child.job
        if code == 2 and any(is_held(run.directory) for run in job.runs):
            # Started by hand in the moment between our look and the process's own lock.
            self._elsewhere.append(job)
            self._report(job, Outcome("elsewhere"))
            return
        ending = Ending(code, job.log, child.asked_at is not None)
        pairs = zip(job.runs, child.records_before, strict=True)
        outcomes = [conclude(run, ending, before) for run, before in pairs]
        self._num_failures += sum(outcome.status == "failed" for outcome in outcomes)
        self._report(job, *outcomes)

    def _report(self, job: Job, *outcomes: Outcome) -> None:
        """Note how far the job's runs are, one outcome for all or one each."""
        each = outcomes if len(outcomes) == len(job.runs) else outcomes * len(job.runs)
        for run, outcome in zip(job.runs, each, strict=True):
            if self._outcomes[run.directory] != outcome:
                self._outcomes[run.directory] = outcome
                self._watch(run, outcome)

    def _ask_children_to_stop(self) -> None:
        """SIGTERM, which makes a run save its work; SIGKILL after that, or at a second SIGINT."""
        now = time.monotonic()
        at_once = self.signals.count(signal.SIGINT) > 1
        for child in self._children:
            if child.asked_at is None:
                child.asked_at = now
                child.process.send_signal(signal.SIGTERM)
            if at_once or now - child.asked_at > _SECONDS_TO_SAVE:
                child.process.send_signal(signal.SIGKILL)

    @contextmanager
    def _leaving_no_child(self) -> Iterator[None]:
        """Whatever goes wrong in the sweep itself, its runs save their work and end."""
        try:
            yield
        finally:
            while any(child.process.poll() is None for child in self._children):
                self._ask_children_to_stop()
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            for child in self._children:
                child.held.close()
