"""The runs of a person's own that no exhibit shows, a part for each data set."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bnrepro.exhibits.own_runs import figure
from bnrepro.records.loading import find_runs, read_curves, read_runs
from bnrepro.records.record import FINISHED, PUBLISHED, RESULTS
from bnrepro.report import sections
from bnrepro.report.sections import Section


def parts(results_dir: str, exhibits: Sequence[Section]) -> list[Section]:
    """The parts of the page; none for what the project publishes, which is no person's own.

    Raises:
        RecordError: if a record cannot be read.
    """
    if Path(results_dir).resolve() == Path(PUBLISHED).resolve():
        return []
    runs = _others(read_runs(results_dir), exhibits)
    if not len(runs) or not runs["status"].isin(FINISHED).any():
        return []
    made = figure.exhibits(runs, read_curves(results_dir), results_dir)
    return [
        sections.section(f"own-runs-{number}", one.title, one, results_dir)
        for number, one in enumerate(made, start=1)
    ]


def say_where(results_dir: str) -> None:
    """Say how a person's own runs come onto the page, where another folder is read."""
    if Path(results_dir) != Path(RESULTS) and any(find_runs(RESULTS)):
        print(
            f"runs of your own are below {RESULTS}: `bnrepro report results_dir={RESULTS}` shows "
            "them",
            file=sys.stderr,
        )


def _others(runs: pd.DataFrame, exhibits: Sequence[Section]) -> pd.DataFrame:
    frames = [part.runs for part in exhibits if part.runs is not None]
    shown = {key for frame in frames for key in zip(frame["name"], frame["seed"], strict=True)}
    if not len(runs):
        return runs
    return runs[[key not in shown for key in zip(runs["name"], runs["seed"], strict=True)]]
