"""The accuracy with moving averages, and with Algorithm 2's statistics, computed anew."""

from bnrepro.config import RunConfig
from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images
from bnrepro.measures.measure import Measure, Rows


class Population(Measure):
    """Loss and accuracy on the evaluation split by what batch normalization infers with.

    A network without batch normalization has no rows.
    """

    name = "population"
    columns = ("step", "moving_loss", "moving_accuracy", "population_loss", "population_accuracy")

    def __init__(self, every: int, batches: int) -> None:
        """Algorithm 2 averages over so many mini-batches of the training, undistorted."""
        super().__init__(every)
        self._batches = batches

    def prepare(self, engine: Engine) -> None:
        if engine.network.batch_normalizations:
            engine.batch_moments(read_images(engine.dataset.train, engine.population_batches(1)[0]))

    def rows(self, engine: Engine, step: int) -> Rows:
        if not engine.network.batch_normalizations:
            return []
        moving = engine.score(engine.dataset.evaluation)
        return [[step, *moving, *engine.population_score(self._batches)]]


def build(config: RunConfig) -> Population:
    """The measure with the options of `config`."""
    return Population(config.population.every, config.batch_normalization.population_batches)
