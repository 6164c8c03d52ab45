"""Figures 1(b, c): percentiles of the last hidden activation's input, over fixed images.

Paper: "one typical activation from the last hidden layer", unnamed. Ours: unit 0, fixed before any
run, and the average over all units. Normalization uses the images' own mini-batch statistics.
"""

from bnrepro.config import RunConfig
from bnrepro.engine import Engine
from bnrepro.engine.summary import Summary
from bnrepro.measures.measure import Measure, Rows
from bnrepro.records.record import PERCENTILE_COLUMNS

PERCENTILES = (15, 50, 85)


class Percentiles(Measure):
    """Percentiles over images, for unit 0 and as the `mean` over the units."""

    name = "percentiles"
    columns = PERCENTILE_COLUMNS

    def __init__(self, num_examples: int, every: int = 0) -> None:
        super().__init__(every)
        self._num_examples = num_examples

    def prepare(self, engine: Engine) -> None:
        self._summary(engine)

    def rows(self, engine: Engine, step: int) -> Rows:
        units = self._summary(engine).percentiles
        return [["0", step, *units[0].tolist()], ["mean", step, *units.mean(axis=0).tolist()]]

    def _summary(self, engine: Engine) -> Summary:
        *_, last = engine.network.pre_activations
        return engine.summaries(self._num_examples, [last], PERCENTILES)[last]


def build(config: RunConfig) -> Percentiles:
    """The measure with the options of `config`."""
    return Percentiles(config.percentiles.num_examples, config.percentiles.every)
