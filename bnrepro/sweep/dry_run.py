"""What a sweep would do: the runs that it would start, how long they take, how much disk they fill.

Nothing is trained for it, unless a probe is asked for: speeds are those of records of runs like
them, in the sweep's own folder or among the published ones.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bnrepro.config import study, study_file
from bnrepro.config.files import ConfFile, read_file
from bnrepro.config.study import PlannedRun
from bnrepro.config.user_files import checked_directories, find_file
from bnrepro.records.record import PUBLISHED
from bnrepro.sweep.display import QUEUED, States, take_snapshot
from bnrepro.sweep.estimate import Speeds
from bnrepro.sweep.launcher import Launcher
from bnrepro.sweep.outcome import Outcome
from bnrepro.sweep.probe import probe
from bnrepro.sweep.slots import Slot
from bnrepro.sweep.slurm import Queued
from bnrepro.sweep.status import now

# As many lines as a terminal shows.
_MOST_LINES = 20


@dataclass(frozen=True)
class Surroundings:
    """Where the runs would go, and what the sweep is told beside its overrides."""

    places: list[Slot]
    threads: int
    launcher: Launcher
    retry_failed: bool
    measure: bool
    # What a cluster says of runs, by directory.
    in_queue: Mapping[Path, Queued] = field(default_factory=dict)


def preview(
    planned: list[PlannedRun], study_name: str | None, around: Surroundings
) -> Iterator[str]:
    """The lines of a dry run, each as soon as it is known."""
    if study_name is not None:
        yield study.load(study_name).question
    found = [(run, now(run, around.in_queue)) for run in planned]
    yield from _listed(found)
    states = [(run, _as_started(outcome, around)) for run, outcome in found]
    waiting = to_start(planned, around)
    folders = {run.composition.config.results_dir for run in planned}
    speeds = Speeds([*sorted(folders), *({PUBLISHED} - folders)], around.threads)
    for run in speeds.unknown(waiting) if around.measure else ():
        yield f"a few steps of {run.label}, to learn its speed ..."
        probe(run, speeds, around.launcher, around.places[0], around.threads)
    yield take_snapshot(states, speeds, len(around.places)).summary()
    yield f"{len(waiting)} to run, {len(around.places)} at a time; disk {_disk(waiting, speeds)}"
    yield from _sources(waiting, speeds, study_name)


def to_start(planned: Iterable[PlannedRun], around: Surroundings) -> list[PlannedRun]:
    """The runs that the sweep would start."""
    states = [(run, _as_started(now(run, around.in_queue), around)) for run in planned]
    return [run for run, outcome in states if outcome.status == "waiting"]


def _as_started(outcome: Outcome, around: Surroundings) -> Outcome:
    """What the sweep would make of it when it starts."""
    stands = outcome.stands(retry_failed=around.retry_failed)
    lives = outcome.status in ("running", *QUEUED)
    return outcome if lives or stands else Outcome("waiting")


def _listed(states: States) -> Iterator[str]:
    """A line per run; where these are many, a line per name with its seeds, and then a count."""
    if len(states) <= _MOST_LINES:
        for run, outcome in states:
            words = " ".join(each.brief for each in run.overrides)
            yield f"{outcome.status:<11}  {run.label}  {words}"
        return
    seeds: dict[tuple[str, str], list[int]] = {}
    for run, outcome in states:
        seeds.setdefault((outcome.status, run.name), []).append(run.seed)
    groups = list(seeds.items())
    for (status, name), of in groups[:_MOST_LINES]:
        noun = "seed" if len(of) == 1 else "seeds"
        yield f"{status:<11}  {name}  {noun} {', '.join(map(str, sorted(of)))}"
    others = groups[_MOST_LINES:]
    if others:
        count = sum(len(of) for _, of in others)
        yield f"and {count} runs under {len(others)} further names"


def _disk(waiting: list[PlannedRun], speeds: Speeds) -> str:
    sizes = [speeds.size_bytes(run.composition.config) for run in waiting]
    known = [size for size in sizes if size is not None]
    return f"about {sum(known) / len(known) * len(sizes) / 1e6:,.1f} MB" if known else "unknown"


def _sources(waiting: list[PlannedRun], speeds: Speeds, study_name: str | None) -> Iterator[str]:
    """Where the times come from, and what is said of those that no record tells."""
    counts = Counter(speeds.source(run.composition.config) for run in waiting)
    for source, count in counts.items():
        if source is not None:
            yield f"times of {count} after runs like them {source}"
    if counts[None]:
        yield f"of {counts[None]} no run like them is recorded; --probe measures a few steps"
        yield from _said_in_conf(waiting, study_name)


def _said_in_conf(waiting: list[PlannedRun], study_name: str | None) -> Iterator[str]:
    """The sentences on time at the head of the study's file, or of the experiments'."""
    for word, file in _files(waiting, study_name):
        for line in file.head:
            if line.startswith("Time:"):
                yield f"{word} says of itself: {line.removeprefix('Time: ')}"


def _files(waiting: list[PlannedRun], study_name: str | None) -> Iterator[tuple[str, ConfFile]]:
    if study_name is not None:
        yield f"study={study_name}", read_file(study_file.path_of(study_name))
        return
    for name in sorted({run.experiment for run in waiting if run.experiment}):
        if file := find_file("experiment", name, checked_directories()):
            yield f"experiment={name}", file
