"""Section 4.2.3 (C23): the ensemble against each of its networks."""

from collections.abc import Sequence

import numpy as np

from bnrepro.config import ConfigError
from bnrepro.exhibits.figure_4.errors import completed, error_rows
from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.records.predictions import ErrorRow
from bnrepro.verdicts.comparison import Comparison, judge_seeds
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

CRITERIA = {
    "C23.ensemble": SeedCriterion(
        "C23",
        "the ensemble beats every one of its networks",
        "top-1 error of each network minus the ensemble's",
        "above",
        0,
        each="network",
    ),
}


def verdict(errors: Sequence[ErrorRow], setting: str = "") -> Verdict:
    """C23; `errors` are the networks', their mean, and the ensemble's."""
    *single, _, ensemble = errors
    gains = np.array([row.top1_error for row in single]) - ensemble.top1_error
    # No interval: the networks of one ensemble are no sample of ensembles.
    gain = Comparison(
        f"one ensemble of {ensemble.networks} networks, an error of "
        f"{100 * ensemble.top1_error:.2f} %: lower by",
        f"{100 * np.median(gains):.3g} points (from {100 * gains.min():.3g} to "
        f"{100 * gains.max():.3g})",
        gains,
        gains,
    )
    return judge_seeds(CRITERIA["C23.ensemble"], gain, setting=setting)


def _judge(setting: str, chosen: Selection) -> list[Verdict]:
    try:
        return [verdict(error_rows(completed(chosen)), setting)]
    except ConfigError:
        # One network alone.
        return []


CLAIMS = {"C23": JudgedClaim(("figure_4",), ("C23.ensemble",), _judge)}
