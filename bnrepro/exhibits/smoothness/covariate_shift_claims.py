"""A3: is there less internal covariate shift, measured by gradients?

By the records of `smoothness`, and by what the laboratory has computed of a deep linear network
(`deep_linear`). The bounds are the specification's own.
"""

import pandas as pd

from bnrepro.exhibits.computed import ComputedClaims, Measures, Tables
from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.smoothness.networks import BN, PLAIN, STUDY, compared, labelled, measured
from bnrepro.verdicts.comparison import judge_seeds
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

# Of a deep linear network: the layer and the rate (of the summed loss) that are judged, and which
# part of the training is left out of the comparison of losses.
LAYER, RATE, BEGINNING = 17, 1e-7, 0.1

CRITERIA = {
    "A3.vgg": SeedCriterion(
        "A3",
        "in a VGG network the gradient shifts no less with batch normalization",
        "median shift relative to the gradient, with over without batch normalization, least of "
        "two layers",
        "above",
        0.5,
    ),
}
LINEAR_CRITERIA = {
    "A3.linear_plain": SeedCriterion(
        "A3",
        "in a deep linear network without it the gradient hardly shifts",
        "median cosine of the gradient before and after, layer 17",
        "above",
        0.99,
    ),
    "A3.linear_bn": SeedCriterion(
        "A3",
        "with it the gradient shifts",
        "median cosine of the gradient before and after, layer 17",
        "below",
        0.7,
    ),
    "A3.linear_loss": SeedCriterion(
        "A3",
        "and yet it trains faster",
        "largest loss with batch normalization over that without, after a tenth of the steps",
        "below",
        1,
    ),
}


def verdicts(chosen: Selection) -> list[Verdict]:
    """A3 of the VGG network, from the study's records."""
    rows = measured(labelled(chosen.runs), "covariate_shift")
    medians = rows.groupby(["seed", "kernel", "network"])["relative"].median().unstack("network")
    by_kernel = medians.reindex(columns=[PLAIN, BN])
    least = (by_kernel[BN] / by_kernel[PLAIN]).groupby("seed").min()
    return [judge_seeds(CRITERIA["A3.vgg"], compared("median", least))]


def _measures(found: Tables) -> Measures:
    shifts, losses = (found[name][found[name]["rate"] == RATE] for name in ("shifts", "losses"))
    layer = shifts[shifts["layer"] == LAYER]
    late = losses[losses["step"] > BEGINNING * losses["step"].max()]
    plain, normalized = (layer[layer["network"] == name] for name in (PLAIN, BN))
    return {
        "A3.linear_plain": (plain, lambda rows: float(rows["cosine"].median())),
        "A3.linear_bn": (normalized, lambda rows: float(rows["cosine"].median())),
        "A3.linear_loss": (late, _largest_ratio),
    }


def _largest_ratio(rows: pd.DataFrame) -> float:
    losses = rows.pivot(index="step", columns="network", values="loss")
    return float((losses[BN] / losses[PLAIN]).max())


CLAIMS = {"A3": JudgedClaim((STUDY,), tuple(CRITERIA), lambda _, chosen: verdicts(chosen))}
LINEAR = ComputedClaims("deep_linear", ("losses", "shifts"), LINEAR_CRITERIA, _measures)
