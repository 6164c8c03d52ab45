"""Batch, mini-batch and stochastic descent, from what `bnrepro laboratory` has left."""

from bnrepro.exhibits.computed import images_of, verdict_table
from bnrepro.exhibits.descent_by_batch import curves
from bnrepro.exhibits.descent_by_batch.claims import JUDGED, STUDY, TARGET
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.records import laboratory
from bnrepro.verdicts.reasons import reasons_for


def exhibit(results_dir: str) -> Exhibit:
    """F3 from the tables below `results_dir`.

    Raises:
        ConfigError: if the study was not computed there.
        RecordError: if its record or a table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    found = JUDGED.tables(results_dir)
    descents = found["descents"]
    verdicts = JUDGED.verdicts(found)
    return Exhibit(
        name=STUDY,
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
        commands=[laboratory.command(STUDY, scale=record.scale), f"bnrepro figure {STUDY}"],
        missing=[],
        drawings=[curves.drawing(descents)],
        tables=[verdict_table(verdicts)],
        series=[],
        computed=record,
        reasons=reasons_for(verdicts),
    )
