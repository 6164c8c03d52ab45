"""A4 in a VGG network: by the records of `lp_norms_vgg`, beside those of `smoothness`.

The first bounds are the specification's own, committed before the runs that they judge. The network
without normalization stands on a plateau for a hundred steps, as `smoothness` has shown, where its
surface is flat for want of learning; so changes along the gradient are judged after the first fifth
of the training, too, with the same bound. `A4.vgg_moved` is what Santurkar et al. 2018 report of
distributions: that they move more than without.
"""

import numpy as np
import pandas as pd

from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.lp_norms.claims import BN, NORMS, PLAIN
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.smoothness import networks
from bnrepro.exhibits.smoothness.landscape_claims import late, per_step
from bnrepro.verdicts.comparison import judge_seeds
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

STUDY = "lp_norms_vgg"
_BY_NORMALIZATION = {f"{name}_norm": name for name in NORMS}
_OTHERS = {networks.PLAIN: PLAIN, networks.BN: BN}

CRITERIA = {
    **{
        f"A4.vgg_{name}": SeedCriterion(
            "A4",
            f"in a VGG network with {name} it trains faster than without",
            "steps to the final training accuracy of the network without, over all of its steps",
            "below",
            1,
        )
        for name in NORMS
    },
    **{
        f"A4.vgg_{when}{name}": SeedCriterion(
            "A4",
            f"in a VGG network with {name} the gradient changes less along itself{words}",
            "median of its greatest change, over that without",
            "below",
            1,
        )
        for when, words in (
            ("change_", ""),
            ("late_", " after the first fifth of the training"),
        )
        for name in NORMS
    },
    "A4.vgg_moved": SeedCriterion(
        "A4",
        "in a VGG network distributions move more with every norm than without",
        "median change of a unit's mean in one step over that without, least of three layers and "
        "three norms",
        "above",
        1,
    ),
}


def compared_runs(own: Selection, others: Selection) -> pd.DataFrame:
    """The runs of both studies that are compared, with their network's name as `label`."""
    of_norms = own.runs.assign(label=own.runs["config.normalization"].map(_BY_NORMALIZATION))
    beside = networks.labelled(others.runs)
    beside = beside.assign(label=beside["label"].map(_OTHERS)).dropna(subset="label")
    return pd.concat([of_norms, beside[beside["seed"].isin(of_norms["seed"])]], ignore_index=True)


def accuracies(own: Selection, others: Selection) -> pd.DataFrame:
    """Training accuracy, a row a seed and step, a column a network; chance where it diverged."""
    curves = pd.concat([own.curves, others.curves], ignore_index=True)
    table = networks.train_accuracies(compared_runs(own, others), curves, own.num_classes)
    return table.reindex(columns=[PLAIN, BN, *NORMS])


def steps_to(accuracy: pd.DataFrame, network: str) -> pd.Series:
    """Steps of a network to the final accuracy of that without, by seed; infinite if never."""
    found = {
        seed: _first_at_least(own[network].droplevel("seed"), own[PLAIN].iloc[-1])
        for seed, own in accuracy.groupby("seed")
        if own[[network, PLAIN]].iloc[-1].notna().all()
    }
    return pd.Series(found, dtype=float)


def _first_at_least(accuracy: pd.Series, target: float) -> float:
    reached = accuracy.index[accuracy >= target]
    return float(reached[0]) if len(reached) else np.inf


def over_plain(
    rows: pd.DataFrame, network: str, quantity: str = "greatest_change", move: str = "gradient"
) -> pd.Series:
    """Medians over the steps, over those without, by seed; `rows` as `per_step` gives them."""
    along = rows[rows["move"] == move]
    medians = along.groupby(["seed", "network"])[quantity].median()
    table = medians.unstack("network").reindex(columns=[PLAIN, BN, *NORMS])
    return table[network] / table[PLAIN]


def along_gradient(runs: pd.DataFrame) -> pd.DataFrame:
    """The rows of the measure `landscape` as `per_step` gives them, at steps that all runs have."""
    rows = per_step(networks.measured(runs, "landscape"))
    each = [set(own["step"]) for _, own in rows.groupby("network")]
    return rows[rows["step"].isin(set.intersection(*each))]


def moved(rows: pd.DataFrame) -> pd.DataFrame:
    """By how much more a unit's mean moves in a step than without: a row a seed, a column a norm.

    Of the layer where it is least; `rows` are those of the measure `distributions`.
    """
    medians = rows.groupby(["seed", "layer", "network"])["mean_change"].median()
    table = medians.unstack("network").reindex(columns=[PLAIN, BN, *NORMS])
    return table[[BN, *NORMS]].div(table[PLAIN], axis=0).groupby("seed").min()


def verdicts(own: Selection, others: Selection) -> list[Verdict]:
    """A4 in the VGG network, from the records of both studies."""
    runs, accuracy = compared_runs(own, others), accuracies(own, others)
    last = accuracy.index.get_level_values("step").max()
    rows = along_gradient(runs)
    found = {f"A4.vgg_{name}": steps_to(accuracy, name) / last for name in NORMS}
    for name in NORMS:
        found[f"A4.vgg_change_{name}"] = over_plain(rows, name)
        found[f"A4.vgg_late_{name}"] = over_plain(late(rows), name)
    moves = moved(networks.measured(runs, "distributions"))
    found["A4.vgg_moved"] = moves[list(NORMS)].min(axis=1, skipna=False)
    return [
        judge_seeds(criterion, networks.compared("median", found[key]))
        for key, criterion in CRITERIA.items()
    ]


CLAIMS = {
    "A4": JudgedClaim(
        (STUDY, networks.STUDY), tuple(CRITERIA), lambda _, own, others: verdicts(own, others)
    )
}
