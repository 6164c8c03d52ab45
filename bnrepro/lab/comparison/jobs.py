"""The processes that compute: as many at a time as there are cores, times by themselves at the end.

Cards need double precision and trainings single precision from the start of a process, and an
engine uses one core: the command that shows the progress and makes the page loads no framework.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any, cast

from bnrepro.config.backend import available_threads
from bnrepro.lab.comparison.rows import KINDS, Row


class JobFailed(Exception):
    """A process ended without finishing its work: what it said last."""


@dataclass
class Job:
    """One process of `worker`: what it does, for whom, and how many answers are expected."""

    kind: str  # card, training or cost
    backend: str
    plan: str
    words: tuple[str, ...]
    identities: tuple[str, ...]  # the words with the digests of one's own normalizations
    answers: int
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def rows(self) -> Iterator[list[Row]]:
        """Start the process and give its answers as they come.

        Raises:
            JobFailed: if it ends otherwise than done.
        """
        with tempfile.TemporaryFile("w+") as log:
            arguments = (self.kind, self.backend, self.plan, *self.words)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bnrepro.lab.comparison.worker", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Keras's own settings of the caller must not choose another backend.
                env={key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"},
            )
            with self._process as process:
                for line in cast(IO[str], process.stdout):
                    yield [KINDS[kind](*values) for kind, *values in json.loads(line)]
            if self._process.returncode != 0:
                log.seek(0)
                said = [text.strip() for text in log if text.strip()]
                last = said[-1][:300] if said else f"exit code {self._process.returncode}"
                raise JobFailed(f"{self.kind} of {', '.join(self.words)}: {last}")

    def kill(self) -> None:
        """End the process, if it goes on."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def run_all(
    jobs: list[Job],
    hear: Callable[[Job], None],
    done: Callable[[Job, list[Row]], None],
) -> list[Row]:
    """The rows of all jobs, in their order.

    `hear` is told of each answer, `done` of the rows of each job that is done.

    Raises:
        JobFailed: of the first that fails; the others are ended.
    """
    together = [job for job in jobs if job.kind != "cost"]
    alone = [job for job in jobs if job.kind == "cost"]
    rows: list[Row] = []
    for group, workers in ((together, available_threads()), (alone, 1)):
        with ThreadPoolExecutor(workers) as pool:
            try:
                found = [pool.submit(_collect, job, hear, done) for job in group]
                while not all(one.done() for one in found):
                    _raise_first(found)
                    time.sleep(0.1)
                rows += [row for one in found for row in one.result()]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for job in group:
                    job.kill()
                raise
    return rows


def _raise_first(found: list[Any]) -> None:
    for one in found:
        if one.done() and one.exception() is not None:
            raise one.exception()


def _collect(
    job: Job, hear: Callable[[Job], None], done: Callable[[Job, list[Row]], None]
) -> list[Row]:
    rows: list[Row] = []
    for answer in job.rows():
        rows += answer
        hear(job)
    done(job, rows)
    return rows
