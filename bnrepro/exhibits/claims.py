"""The verdicts that follow from the records of studies; never loads TensorFlow."""

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pandas as pd

from bnrepro.config import ConfigError, study
from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.exhibits.figure_1 import claims as figure_1
from bnrepro.exhibits.figure_1.figure import load_percentiles
from bnrepro.exhibits.figure_2 import claims as figure_2
from bnrepro.exhibits.figure_4 import claims as figure_4
from bnrepro.exhibits.figure_4.figure import exhibit
from bnrepro.exhibits.placement import claims as placement
from bnrepro.exhibits.selection import Selection, select_optional
from bnrepro.records import study_records
from bnrepro.records.record import read_runs
from bnrepro.records.study_records import RESULTS
from bnrepro.verdicts.comparison import without_records
from bnrepro.verdicts.verdict import Verdict

# The smallest scale at which the Inception networks are evidence; smoke is none.
_SCALES = ("cpu", "gpu", "paper")


def run(claim: str, results_dir: str) -> list[Verdict]:
    """The verdicts on a claim, from the records below `results_dir`.

    Raises:
        RecordError: if a record, a curve or percentiles cannot be read.
    """
    return STUDIES[claim](results_dir)


def folder_to_read(claims: Iterable[str]) -> str:
    """The folder whose records are read for some claims where no folder is named.

    It is a person's own where the claims need no records, or where there are none to read.

    Raises:
        RecordError: if a record cannot be read.
    """
    scales = list(_scales(RESULTS)) or [DEFAULT_SCALE]
    studies: list[tuple[str, list[str]]] = []
    for name in dict.fromkeys(each for claim in claims for each in _STUDIES_OF.get(claim, ())):
        scaled = "scale" in study.load(name).required
        studies += [(name, [f"scale={scale}"]) for scale in scales] if scaled else [(name, [])]
    if not studies:
        return RESULTS
    try:
        return study_records.folder_to_read(studies)
    except ConfigError as error:
        # The exact experiments need no records, and the other verdicts say that there are none.
        print(error, file=sys.stderr)
        return RESULTS


def _stability(results_dir: str) -> list[Verdict]:
    chosen = _select("figure_1", results_dir)
    if chosen is None:
        return _without(results_dir, ("C11.median", "C11.spread"), "figure_1")
    return figure_1.stability(load_percentiles(chosen.runs))


def _accuracy(results_dir: str) -> list[Verdict]:
    chosen = _select("figure_1", results_dir)
    if chosen is None:
        return _without(results_dir, ("C12.steps", "C12.accuracy"), "figure_1")
    return figure_1.accuracy(chosen.runs, chosen.curves)


def _initial_scale(results_dir: str) -> list[Verdict]:
    base = _select("figure_1", results_dir)
    varied = _select("figure_1_sensitivity", results_dir)
    if base is None or varied is None:
        return _without(
            results_dir, ("C20.scale",), "figure_1" if base is None else "figure_1_sensitivity"
        )
    return figure_1.initial_scale(base.runs, varied.runs)


def _placement(results_dir: str) -> list[Verdict]:
    chosen = _select("placement", results_dir)
    if chosen is None:
        return _without(results_dir, ("C21.placement",), "placement")
    return placement.verdicts(chosen.runs)


def _inception(results_dir: str, keys: tuple[str, ...]) -> list[Verdict]:
    found = []
    for scale in _scales(results_dir):
        chosen = _select("figure_2", results_dir, f"scale={scale}")
        if chosen is not None:
            records = figure_2.Records(chosen.runs, chosen.curves)
            found += [records.verdict(key, f"scale={scale}: ") for key in keys]
    return found or _without(results_dir, keys, "figure_2", f"scale={_SCALES[0]}")


def _ensemble(results_dir: str) -> list[Verdict]:
    found = []
    for scale in _scales(results_dir):
        try:
            table = exhibit(results_dir, scale).tables[0]
        except ConfigError:
            # None of its networks is there, or one alone.
            continue
        errors = pd.DataFrame(table.rows, columns=list(table.columns))
        found.append(figure_4.verdict(errors, f"scale={scale}: "))
    return found or _without(results_dir, ("C23.ensemble",), "figure_4", f"scale={_SCALES[0]}")


def _select(name: str, results_dir: str, *overrides: str) -> Selection | None:
    """The study's finished runs; None where there are none."""
    return select_optional(name, results_dir, overrides)[0]


def _scales(results_dir: str) -> Iterator[str]:
    """The scales of which there are records at all."""
    runs = read_runs(results_dir)
    there = set() if runs.empty else set(runs["scale"])
    return filter(there.__contains__, _SCALES)


def _without(results_dir: str, keys: tuple[str, ...], name: str, *overrides: str) -> list[Verdict]:
    command = study.command(name, overrides, results_dir)
    return [without_records(key, command) for key in keys]


STUDIES: dict[str, Callable[[str], list[Verdict]]] = {
    "C11": _stability,
    "C12": _accuracy,
    "C13": partial(_inception, keys=("C13.steps",)),
    "C14": partial(_inception, keys=("C14.x5", "C14.x30", "C14.inception_x5", "C14.x5_end")),
    "C15": partial(_inception, keys=("C15.first", "C15.end")),
    "C16": partial(_inception, keys=("C16.sigmoid", "C16.inception_sigmoid")),
    "C20": _initial_scale,
    "C21": _placement,
    "C23": _ensemble,
}
# The studies whose records each claim is tested on.
_STUDIES_OF: dict[str, tuple[str, ...]] = {
    "C11": ("figure_1",),
    "C12": ("figure_1",),
    "C13": ("figure_2",),
    "C14": ("figure_2",),
    "C15": ("figure_2",),
    "C16": ("figure_2",),
    "C20": ("figure_1", "figure_1_sensitivity"),
    "C21": ("placement",),
    "C23": ("figure_4",),
}
