"""The records that an exhibit is made of, and which are missing."""

from dataclasses import dataclass

import pandas as pd

from bnrepro import statistics
from bnrepro.config import ConfigError
from bnrepro.experiments import EXPERIMENTS
from bnrepro.records import study_records
from bnrepro.records.loading import read_curves, read_runs


@dataclass(frozen=True)
class Selection:
    """The finished runs of a study and their curves, those of diverged runs carried on.

    `runs` is a frame of `statistics.judged`. `missing` says which runs are not there and which
    command makes them, in one line that is empty where all are.
    """

    runs: pd.DataFrame
    curves: pd.DataFrame
    missing: str
    command: str

    @property
    def num_classes(self) -> int:
        """Number of classes of the runs' common data set."""
        return int(self.runs["data.num_classes"].iloc[0])

    @property
    def labels(self) -> list[str]:
        """The experiments of which there are runs, in the order in which they are drawn."""
        order = list(EXPERIMENTS)
        there = set(self.runs["label"])
        return [*filter(there.__contains__, order), *sorted(there.difference(order))]

    def num_seeds(self, label: str) -> int:
        """Number of seeds of the experiment that have a run."""
        return int((self.runs["label"] == label).sum())


def select(name: str, results_dir: str, overrides: tuple[str, ...] = ()) -> Selection:
    """The runs of the study `name` that are below `results_dir`.

    Raises:
        ConfigError: if the study or an override is refused, or none of its runs is there.
        RecordError: if a record cannot be read.
    """
    found = study_records.find(name, read_runs(results_dir), results_dir, overrides)
    return selection_of(found.runs, read_curves(results_dir), found.missing, found.command)


def selection_of(
    runs: pd.DataFrame, curves: pd.DataFrame, missing: str = "", command: str = ""
) -> Selection:
    """The finished ones among `runs`, judged, with theirs among `curves`.

    Frames of `loading.load_runs` and `loading.load_curves`.
    """
    judged = statistics.judged(runs).reset_index(drop=True)
    own = curves.merge(judged[["name", "seed"]])
    return Selection(judged, statistics.extend_diverged(own, judged), missing, command)


def select_optional(
    name: str, results_dir: str, overrides: tuple[str, ...] = ()
) -> tuple[Selection | None, str]:
    """The runs of a study that its reader can do without, and the line about what is missing.

    None where none of its runs is there; the line is empty where all are.

    Raises:
        RecordError: if a record cannot be read.
    """
    try:
        chosen = select(name, results_dir, overrides)
    except ConfigError as error:
        return None, str(error)
    return chosen, chosen.missing
