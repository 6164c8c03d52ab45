"""Section 4.2.3 (C23): the ensemble against each of its networks."""

import pandas as pd

from bnrepro.claims.comparison import judge_seeds, of_values
from bnrepro.claims.verdict import Verdict


def verdict(errors: pd.DataFrame, setting: str = "") -> Verdict:
    """C23; `errors` is a frame of `results/figure_4/table.csv`, whose last row is the ensemble."""
    ensemble = errors.iloc[-1]
    # The row before it is the mean of the single networks.
    single = errors.iloc[:-2]
    gain = of_values(
        f"of {ensemble['networks']} networks, an error of {100 * ensemble['top1_error']:.2f} %: "
        "lower by",
        single["top1_error"].to_numpy(float) - float(ensemble["top1_error"]),
        points=True,
    )
    return judge_seeds("C23.ensemble", gain, setting=setting)
