"""Euclidean norms of weights and gradients, per variable."""

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.engine import Engine
from bnrepro.measures.measure import Measure, Rows


class Norms(Measure):
    """The norm of each trainable variable, and of its gradient on the batch that comes next."""

    name = "norms"
    columns = ("kind", "variable", "step", "norm")

    def prepare(self, engine: Engine) -> None:
        engine.gradients(0)

    def rows(self, engine: Engine, step: int) -> Rows:
        kinds = {"weight": _weights(engine), "gradient": engine.gradients(step)}
        return [
            [kind, path, step, _norm(array)]
            for kind, arrays in kinds.items()
            for path, array in arrays.items()
        ]


def build(config: RunConfig) -> Norms:
    """The measure with the options of `config`."""
    return Norms(config.norms.every)


def _weights(engine: Engine) -> dict[str, np.ndarray]:
    values = engine.variables()
    weights = engine.network.model.trainable_variables
    return {variable.path: values[f"model/{variable.path}"] for variable in weights}


def _norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array.astype(np.float64)))
