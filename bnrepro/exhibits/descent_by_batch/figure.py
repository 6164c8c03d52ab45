"""Batch, mini-batch and stochastic descent, from what `bnrepro laboratory` has left."""

from bnrepro.exhibits.computed import Tables, Told, images_of
from bnrepro.exhibits.descent_by_batch import curves
from bnrepro.exhibits.descent_by_batch.claims import JUDGED, TARGET
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.records.laboratory import LaboratoryRecord


def exhibit(results_dir: str) -> Exhibit:
    """F3 from the tables below `results_dir`.

    Raises:
        ConfigError: if the study was not computed there.
        RecordError: if its record or a table cannot be read.
    """
    return JUDGED.exhibit(results_dir, _told)


def _told(_record: LaboratoryRecord, found: Tables) -> Told:
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
