"""Rates that decay, from what `bnrepro laboratory rate_decay` has left."""

import pandas as pd

from bnrepro.exhibits.computed import Tables, Told, images_of
from bnrepro.exhibits.rate_decay import curves
from bnrepro.exhibits.rate_decay.claims import JUDGED, NETWORKS, effective
from bnrepro.records.laboratory import LaboratoryRecord


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """F4, from the study's tables."""
    decays, shared = effective(found["decays"]), found["setting"].iloc[0]
    return Told(
        title="Decays",
        setting=(
            f"{images_of(found['setting'])}, 3 hidden layers of 100 ReLU units, SGD, "
            f"{shared['train_steps']:,} steps of {shared['batch_size']} examples, "
            f"n = {decays['seed'].nunique()} seeds"
        ),
        findings=_findings(decays),
        drawings=[curves.drawing(found["decays"])],
    )


def _findings(decays: pd.DataFrame) -> list[str]:
    losses = curves.last_losses(decays)
    each = "; ".join(
        f"{words}: "
        + ", ".join(f"{schedule} {loss:.3g}" for schedule, loss in losses.loc[network].items())
        for network, words in NETWORKS.items()
    )
    left = curves.shares_left(decays)
    return [
        f"Training loss at the end (medians), {each}.",
        "Of the effective rate the exponential schedule, which leaves 1 % of the rate, leaves "
        f"{100 * left['batch normalization']:.2g} % without weight decay and "
        f"{100 * left['and weight decay']:.2g} % with it.",
    ]
