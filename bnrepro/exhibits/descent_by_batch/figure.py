"""Batch, mini-batch and stochastic descent, from what `bnrepro laboratory` has left."""

from bnrepro.exhibits.computed import Tables, Told, images_of
from bnrepro.exhibits.descent_by_batch import curves
from bnrepro.exhibits.descent_by_batch.claims import JUDGED, TARGET
from bnrepro.records.laboratory import LaboratoryRecord


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """F3, from the study's tables."""
    descents = found["descents"]
    return Told(
        title="Descent by batch",
        setting=(
            f"{descents['batch_size'].max():,} images of {images_of(found['setting'])}, one hidden "
            f"layer of 32 ReLU units, SGD, n = {descents['seed'].nunique()} seeds"
        ),
        findings=[
            f"{clock.capitalize()} to a loss of {TARGET:g} (medians): "
            f"{curves.needed(descents, clock)}."
            for clock in ("updates", "examples", "seconds")
        ],
        drawings=[curves.drawing(descents)],
    )
