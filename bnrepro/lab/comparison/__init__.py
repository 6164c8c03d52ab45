"""`bnrepro compare`: what a normalization is, how it trains, and what it costs, beside others.

`plan`: which networks. `worker`, in processes of their own that `jobs` starts: `card` with the
exact tests of `invariance`, `dependence`, `states`, `backward` and `edges` on a `subject`;
`training`; `cost`. `rows`: what these answer; `files`: on disk. `summary`, `table`, `panels`,
`page`: what is made of it, without computing anything again.
"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from bnrepro.lab.comparison import files
from bnrepro.lab.comparison.jobs import Job, run_all
from bnrepro.lab.comparison.plan import PLANS, Candidate, identity
from bnrepro.lab.comparison.rows import Row
from bnrepro.lab.comparison.summary import Comparison
from bnrepro.records.environment import processor, versions
from bnrepro.records.record import write_atomically
from bnrepro.screen import duration
from bnrepro.screen.foot import Bar, foot


def main(
    candidates: list[Candidate], backend: str, plan: str, results_dir: str, force: bool
) -> int:
    """Compare the first candidate with the others; tables and a page in a folder of its name.

    What has been computed by the same command is not computed again, unless `force`.

    Raises:
        JobFailed: if a process ends before its work is done.
        OSError: if the folder cannot be written.
    """
    from bnrepro.lab.comparison import page, table

    folder = Path(results_dir) / "compare" / candidates[0].label.replace(" ", "_")
    folder.mkdir(parents=True, exist_ok=True)
    identities = tuple(identity(each, backend) for each in candidates)
    asked = {"normalizations": list(identities), "backend": backend, "plan": plan}
    found = files.setting_of(folder)
    if force or found is None or {key: found[key] for key in asked} != asked:
        began = time.monotonic()
        rows = _computed(folder, _jobs(candidates, identities, backend, plan), force)
        files.write(folder, rows, {**asked, "processor": processor(), "versions": versions()})
        print(f"computed in {duration(time.monotonic() - began)}")
    setting = files.setting_of(folder) or {}
    comparison = Comparison(tuple(candidates), PLANS[plan], tuple(files.read(folder)))
    table.write(comparison, folder / "comparison.csv")
    write_atomically(folder / "page.html", page.build(comparison, setting))
    print(folder / "page.html")
    return 0


def _jobs(
    candidates: list[Candidate], identities: tuple[str, ...], backend: str, plan: str
) -> list[Job]:
    """The longest first, so that no core waits for the last one."""
    words = tuple(each.word for each in candidates)
    networks = len(list(PLANS[plan].trainings()))
    return [
        *(
            Job("training", backend, plan, (word,), (own,), networks)
            for word, own in zip(words, identities, strict=True)
        ),
        Job("card", backend, plan, words, identities, len(words)),
        Job("cost", backend, plan, words, identities, 2),
    ]


def _computed(folder: Path, jobs: list[Job], force: bool) -> list[Row]:
    """The rows of all jobs; those that an earlier command has finished are taken from it."""
    before = {id(job): None if force else files.kept(folder, job) for job in jobs}
    open_jobs = [job for job in jobs if before[id(job)] is None]
    progress = _Progress(open_jobs)
    rows = run_all(open_jobs, progress.hear, partial(_done, folder))
    foot().show(None)
    return [row for found in before.values() if found for row in found] + rows


def _done(folder: Path, job: Job, rows: list[Row]) -> None:
    files.keep(folder, job, rows)
    if not foot().is_terminal:
        print(f"{job.kind} of {', '.join(job.words)}: done", flush=True)


class _Progress:
    """The line at the foot: how many answers there are, and of what the last one was."""

    def __init__(self, jobs: list[Job]) -> None:
        self._total = sum(job.answers for job in jobs)
        self._done = 0

    def hear(self, job: Job) -> None:
        """One answer more."""
        self._done += 1
        whose = job.words[0] if len(job.words) == 1 else "all"
        parts: tuple[Any, ...] = (f"{job.kind} of {whose}", f"{self._done:,} of {self._total:,}")
        foot().show(Bar(self._done, self._total, parts))
