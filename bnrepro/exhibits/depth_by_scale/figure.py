"""Depth by initial scale, from what `bnrepro laboratory depth_by_scale` has left."""

import pandas as pd

from bnrepro.exhibits.computed import images_of, verdict_table
from bnrepro.exhibits.depth_by_scale import heat
from bnrepro.exhibits.depth_by_scale.claims import ACTIVATIONS, JUDGED, STUDY, TRAINED
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.records import laboratory
from bnrepro.verdicts.reasons import reasons_for


def exhibit(results_dir: str) -> Exhibit:
    """F2 from the tables below `results_dir`.

    Raises:
        ConfigError: if the study was not computed there.
        RecordError: if its record or a table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    found = JUDGED.tables(results_dir)
    cells, shared = found["cells"], found["setting"].iloc[0]
    verdicts = JUDGED.verdicts(found)
    return Exhibit(
        name=STUDY,
        title="Depth by initial scale",
        setting=(
            f"{images_of(found['setting'])}, after {shared['train_steps']:,} steps of "
            f"{shared['batch_size']} examples, n = {cells['seed'].nunique()} seeds"
        ),
        findings=[_finding(activation, cells) for activation in ACTIVATIONS],
        commands=[laboratory.command(STUDY, scale=record.scale), f"bnrepro figure {STUDY}"],
        missing=[],
        drawings=[heat.drawing(activation, cells) for activation in ACTIVATIONS],
        tables=[verdict_table(verdicts)],
        series=[],
        computed=record,
        reasons=reasons_for(verdicts),
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
