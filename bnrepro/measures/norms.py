"""Euclidean norms of weights and gradients, per variable."""

from bnrepro.config import RunConfig
from bnrepro.engine import Engine
from bnrepro.measures.measure import Measure, Rows


class Norms(Measure):
    """The norm of each trainable variable, and of its gradient on the batch that comes next."""

    name = "norms"
    columns = ("kind", "variable", "step", "norm")

    def prepare(self, engine: Engine) -> None:
        engine.gradient_norms(0)

    def rows(self, engine: Engine, step: int) -> Rows:
        kinds = {"weight": engine.weight_norms(), "gradient": engine.gradient_norms(step)}
        return [[kind, path, step, norm] for kind in kinds for path, norm in kinds[kind].items()]


def build(config: RunConfig) -> Norms:
    """The measure with the options of `config`."""
    return Norms(config.norms.every)
