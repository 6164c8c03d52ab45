"""`bnrepro figure N`: an exhibit made from the records on disk, written and spoken of."""

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import NamedTuple

from bnrepro.config import ConfigError, study
from bnrepro.config.overrides import Override
from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.exhibits import EXHIBITS, Entry, entry
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.records import laboratory, study_records
from bnrepro.records.loading import reading_once
from bnrepro.records.record import RESULTS

# The scale of the studies that have one of their own.
_IN_PROPORTION = "proportional"


class Part(NamedTuple):
    """One of the exhibits that a figure consists of; `scale` is None where its study has its own.

    `name` tells it from all other parts; `study` and `overrides` are the runs that it is made of,
    `computed` what the laboratory computes in place of runs.
    """

    name: str
    entry: Entry
    scale: str | None

    @property
    def title(self) -> str:
        """Its heading."""
        return self.entry.title

    @property
    def study(self) -> str:
        """The study of its runs; empty where no run is trained for it."""
        return self.entry.study

    @property
    def overrides(self) -> list[str]:
        """What the study is to be told."""
        return [] if self.scale is None else [f"scale={self.scale}"]

    @property
    def studies(self) -> list[str]:
        """All studies that it shows, those first on which the setting of another rests."""
        return [name for name in (*self.entry.further, self.entry.study) if name]

    def make(self, results_dir: str) -> Exhibit:
        """The exhibit, from the records below `results_dir`.

        Raises:
            ConfigError: if the scale is refused, or there is no record to make it from.
            RecordError: if a record cannot be read.
        """
        module = import_module(f"bnrepro.exhibits.{self.entry.module}")
        make: Callable[..., Exhibit] = module.exhibit
        return make(results_dir) if self.scale is None else make(results_dir, self.scale)


def parts(name: str, scale: str | None = None) -> list[Part]:
    """The exhibits of a figure, in the order in which they are shown; one where a scale is named.

    Raises:
        ConfigError: if there is no exhibit of that name or scale.
    """
    one = entry(name)
    if one.at_scale is None:
        is_open = bool(one.study) and "scale" in study.load(one.study).required
        if scale is None or is_open or _has_own(one, scale):
            return [Part(name, one, scale or (DEFAULT_SCALE if is_open else None))]
        raise ConfigError(f"scale={scale}: figure {name} has one scale; leave it out")
    in_proportion = Part(name, one, None)
    if scale == _IN_PROPORTION:
        return [in_proportion]
    at_scale = Part(f"{name}-{scale or DEFAULT_SCALE}", one.at_scale, scale or DEFAULT_SCALE)
    return [in_proportion, at_scale] if scale is None else [at_scale]


@reading_once()
def exhibit(name: str, results_dir: str = "results", scale: str | None = None) -> Exhibit:
    """The exhibit of one of the paper's figures, or of a study that is drawn: its first part.

    Raises:
        ConfigError: if there is none of that name or scale, or no record to make it from.
        RecordError: if a record cannot be read.
    """
    return parts(name, scale)[0].make(results_dir)


def every_part(told_in: str | None = None, scale: str | None = None) -> list[Part]:
    """The parts of all exhibits, or of those of one part of the report, in its order.

    Those of a study that has the scale itself are at it. At scale=smoke without those whose runs
    have one scale only: they would be trained in full.
    """
    chosen = {name: one for name, one in EXHIBITS.items() if told_in in (None, one.part)}
    found = [
        part
        for name, one in chosen.items()
        for part in parts(name, scale if _has_own(one, scale) else None)
    ]
    if scale != laboratory.SMOKE:
        return found
    return [part for part in found if part.overrides or not part.study]


def commands(
    results_dir: str = "results", told_in: str | None = None, scale: str | None = None
) -> list[str]:
    """The commands that train and compute what exhibits show, once each, in the exhibits' order.

    Those of all exhibits, or of one part of the report. The studies that a setting rests on come
    before the one that has the setting; `scale` is that of the studies that leave it open.

    Raises:
        ConfigError: if there is no such scale.
    """
    shown = every_part(told_in, scale)
    trained = dict.fromkeys(name for part in shown for name in part.studies)
    sweeps = [study.command(name, _scale_of(name, scale), results_dir) for name in trained]
    computed = dict.fromkeys(part.entry.computed for part in shown if part.entry.computed)
    return [*sweeps, *(laboratory.command(name, results_dir, scale) for name in computed)]


def folder_to_read(names: Iterable[str], scale: str | None = None) -> str:
    """The folder that exhibits are made from where none is named; says which, and why.

    `results` if it holds something of one of them, else `results/published`.

    Raises:
        ConfigError: if there is no exhibit of that name or scale, or no folder of published ones.
        RecordError: if a record cannot be read.
    """
    chosen = [part for name in names for part in parts(name, scale)]
    computed = [part.entry.computed for part in chosen if part.entry.computed]
    studies = [(part.study, part.overrides) for part in chosen if part.study]
    if not studies or any(laboratory.exists(RESULTS, name) for name in computed):
        return laboratory.folder_to_read(computed)
    return study_records.folder_to_read(studies)


def _has_own(one: Entry, scale: str | None) -> bool:
    """Whether the scale is one of the exhibit's study itself."""
    return bool(one.study) and scale in study.load(one.study).scales


def _scale_of(name: str, scale: str | None) -> list[Override]:
    """The overrides of a study that leaves its scale open or has it itself; none for another."""
    its = study.load(name)
    takes_it = scale in its.scales or (scale is not None and "scale" in its.required)
    return study.with_default_scale(name, [f"scale={scale}"] if takes_it else [])


@reading_once()
def main(name: str, results_dir: str | None = None, scale: str | None = None) -> int:
    """Say which runs are missing, what is asked and what the others show, then draw it beside them.

    Without `results_dir` the records are those of `folder_to_read`. Of several parts those without
    a record are only named.

    Raises:
        ConfigError: as `exhibit`.
        RecordError: as `exhibit`.
    """
    chosen = parts(name, scale)
    results_dir = results_dir or folder_to_read([name], scale)
    refused = []
    for part in chosen:
        try:
            made = part.make(results_dir)
        except ConfigError as error:
            refused.append(error)
            continue
        _show(part, made, results_dir)
    if len(refused) == len(chosen):
        raise refused[0]
    for absent in refused:
        print(absent, file=sys.stderr)
    return 0


def _show(part: Part, made: Exhibit, results_dir: str) -> None:
    for line in made.missing:
        print(line, file=sys.stderr)
    print(made.computed.question if made.computed else study.load(part.study).question)
    for finding in made.findings:
        print(finding)
    for path in made.write(results_dir):
        print(path)
