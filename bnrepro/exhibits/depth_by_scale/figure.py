"""Depth by initial scale, from what `bnrepro laboratory depth_by_scale` has left."""

import pandas as pd

from bnrepro.exhibits.computed import Tables, Told, images_of
from bnrepro.exhibits.depth_by_scale import distributions, heat
from bnrepro.exhibits.depth_by_scale.claims import ACTIVATIONS, JUDGED, TRAINED, by_distribution
from bnrepro.records.laboratory import LaboratoryRecord


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """F2, from the study's tables."""
    cells, shared = found["cells"], found["setting"].iloc[0]
    return Told(
        title="Depth by initial scale",
        setting=(
            f"{images_of(found['setting'])}, after {shared['train_steps']:,} steps of "
            f"{shared['batch_size']} examples, n = {cells['seed'].nunique()} seeds"
        ),
        findings=[
            *(_finding(activation, cells) for activation in ACTIVATIONS),
            f"Of the same depths and scales train: {distributions.counts(by_distribution(found))}.",
        ],
        drawings=[
            *(heat.drawing(activation, cells) for activation in ACTIVATIONS),
            distributions.drawing(by_distribution(found)),
        ],
    )


def _finding(activation: str, cells: pd.DataFrame) -> str:
    own = cells[cells["activation"] == activation]
    plain, normalized = (heat.count_trained(own, network) for network in heat.NETWORKS)
    deepest = own[own["depth"] == own["depth"].max()]
    most = deepest.fillna({"accuracy": 0}).groupby(["network", "scale"])["accuracy"].median()
    best = {network: 100 * most[network].max() for network in heat.NETWORKS}
    return (
        f"{ACTIVATIONS[activation]}: {plain} depths and scales reach {100 * TRAINED:g} % training "
        f"accuracy without batch normalization, {normalized} with it; with "
        f"{own['depth'].max()} hidden layers the best scale reaches {best['plain']:.0f} % without "
        f"and {best['batch normalization']:.0f} % with it."
    )
