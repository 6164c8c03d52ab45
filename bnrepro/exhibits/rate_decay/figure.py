"""Rates that decay, from what `bnrepro laboratory rate_decay` has left."""

import pandas as pd

from bnrepro.exhibits.computed import images_of, verdict_table
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.exhibits.rate_decay import curves
from bnrepro.exhibits.rate_decay.claims import JUDGED, NETWORKS, STUDY, effective
from bnrepro.records import laboratory
from bnrepro.verdicts.reasons import reasons_for


def exhibit(results_dir: str) -> Exhibit:
    """F4 from the tables below `results_dir`.

    Raises:
        ConfigError: if the study was not computed there.
        RecordError: if its record or a table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    found = JUDGED.tables(results_dir)
    decays, shared = effective(found["decays"]), found["setting"].iloc[0]
    verdicts = JUDGED.verdicts(found)
    return Exhibit(
        name=STUDY,
        title="Decays",
        setting=(
            f"{images_of(found['setting'])}, 3 hidden layers of 100 ReLU units, SGD, "
            f"{shared['train_steps']:,} steps of {shared['batch_size']} examples, "
            f"n = {decays['seed'].nunique()} seeds"
        ),
        findings=_findings(decays),
        commands=[laboratory.command(STUDY, scale=record.scale), f"bnrepro figure {STUDY}"],
        missing=[],
        drawings=[curves.drawing(found["decays"])],
        tables=[verdict_table(verdicts)],
        series=[],
        computed=record,
        reasons=reasons_for(verdicts),
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
        f"Training loss at the end (medians) {each}.",
        "Of the effective rate the exponential schedule, which leaves 1 % of the rate, leaves "
        f"{100 * left['batch normalization']:.2g} % without weight decay and "
        f"{100 * left['and weight decay']:.2g} % with it.",
    ]
