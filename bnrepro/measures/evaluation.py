"""Loss and accuracy on the evaluation split."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.data import Split
from bnrepro.engine import Engine
from bnrepro.engine.looking import POPULATION_PASS
from bnrepro.screen.foot import foot


def evaluate(engine: Engine, config: RunConfig) -> tuple[float, float]:
    """(mean cross-entropy, accuracy) with the statistics that the config infers with."""
    normalized = bool(engine.network.batch_normalizations)
    if normalized and config.batch_normalization.inference == "population":
        return evaluate_population(engine, config)
    return engine.score(engine.dataset.evaluation)


def evaluate_population(engine: Engine, config: RunConfig) -> tuple[float, float]:
    """(mean cross-entropy, accuracy) of the inference network of Algorithm 2."""
    return engine.population_score(config.batch_normalization.population_batches)


@contextmanager
def population_statistics(engine: Engine, config: RunConfig) -> Iterator[None]:
    """Let batch normalization infer with Algorithm 2's statistics while the context is open."""
    with foot().doing(POPULATION_PASS):
        statistics = engine.population_statistics(config.batch_normalization.population_batches)
    with engine.inferring_with(statistics):
        yield


def score(logits: np.ndarray, split: Split) -> tuple[float, float]:
    """(mean cross-entropy, accuracy) of class scores, (examples, classes), in float64.

    An image with a score that is not a number counts as wrong; where every image has one, nothing
    was measured, and both are not a number.
    """
    logits = logits.astype(np.float64)
    finite = np.isfinite(logits).all(axis=1)
    if not finite.any():
        return math.nan, math.nan
    with np.errstate(invalid="ignore"):  # infinity less infinity
        shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probabilities[np.arange(len(logits)), split.labels].mean()
    return float(loss), float((finite & (logits.argmax(axis=1) == split.labels)).mean())


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax of class scores, (examples, classes) float64."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
