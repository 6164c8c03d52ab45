"""The networks of the study `smoothness`, and what was measured while they trained."""

from pathlib import Path

import pandas as pd

from bnrepro.experiments.line import BLUE, GREEN, ORANGE, VERMILLION, Line
from bnrepro.records.record import RecordError
from bnrepro.verdicts.comparison import Comparison, of_values

STUDY = "smoothness"
PLAIN, BN, NOISY, NOISE = "without BN", "with BN", "noisy BN", "noise without BN"
LINES = {
    PLAIN: Line(PLAIN, VERMILLION, "-", "o"),
    BN: Line(BN, BLUE, "-", "s"),
    NOISY: Line(NOISY, GREEN, (0, (5, 2)), "^"),
    NOISE: Line(NOISE, ORANGE, (0, (1, 1.3)), "v"),
}
_BY_NORMALIZATION = {"batch": BN, "noisy_batch": NOISY, "noise": NOISE}


def labelled(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of a `Selection` with their network's name as `label`."""
    normalized = runs["config.normalization"].map(_BY_NORMALIZATION)
    return runs.assign(label=normalized.where(runs["config.placement"] != "none", PLAIN))


def measured(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The rows of a measure, each with its `network` and `seed`; `runs` are `labelled`.

    Raises:
        RecordError: if the file of a run that was asked for the measure cannot be read.
    """
    frames = []
    for run in runs.to_dict("records"):
        if measure not in run["config.measures"]:
            continue
        path = Path(run["directory"]) / f"{measure}.csv"
        try:
            frame = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise RecordError(f"{path}: cannot be read ({error})") from error
        frames.append(frame.assign(network=run["label"], seed=run["seed"]))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def compared(name: str, of_seeds: pd.Series) -> Comparison:
    """One number a seed; seeds of which a network is absent have none."""
    return of_values(name, of_seeds.dropna().to_numpy())
