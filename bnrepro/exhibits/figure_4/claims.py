"""Section 4.2.3 (C23): the ensemble against each of its networks."""

import numpy as np
import pandas as pd

from bnrepro.verdicts.comparison import Comparison, judge_seeds
from bnrepro.verdicts.verdict import Verdict


def verdict(errors: pd.DataFrame, setting: str = "") -> Verdict:
    """C23; `errors` is a frame of `figure_4/table.csv`, whose last row is the ensemble."""
    ensemble = errors.iloc[-1]
    # The row before it is the mean of the single networks.
    single = errors.iloc[:-2]
    gains = single["top1_error"].to_numpy(float) - float(ensemble["top1_error"])
    # No interval: the networks of one ensemble are no sample of ensembles.
    gain = Comparison(
        f"one ensemble of {ensemble['networks']} networks, an error of "
        f"{100 * ensemble['top1_error']:.2f} %: lower by",
        f"{100 * np.median(gains):.3g} points (from {100 * gains.min():.3g} to "
        f"{100 * gains.max():.3g})",
        gains,
        gains,
    )
    return judge_seeds("C23.ensemble", gain, setting=setting)
