"""Euclidean norms of weights and gradients, per variable."""

import numpy as np

from bnrepro.engine import Engine


def norms(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """The norm of each array, by its name."""
    return {name: float(np.linalg.norm(array.astype(np.float64))) for name, array in arrays.items()}


def gradient_norms(engine: Engine, step: int) -> dict[str, float]:
    """Norms of the gradients of the batch that comes after `step`."""
    return norms(engine.gradients(step))


def weight_norms(engine: Engine) -> dict[str, float]:
    """Norms of the trainable variables."""
    weights = engine.network.model.trainable_variables
    values = engine.variables()
    return norms({variable.path: values[f"model/{variable.path}"] for variable in weights})
