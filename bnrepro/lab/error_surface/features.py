"""Two features as they come, and what normalizations make of them, in double precision."""

from functools import cache

import keras
import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.lab.setting import batch_normalization

NUM_EXAMPLES = 1_000
# The default of the layer that the project's networks are made of.
EPSILON = 1e-5


def draw(
    seed: int,
    purpose: str,
    deviations: tuple[float, float] = (1.0, 1.0),
    means: tuple[float, float] = (0.0, 0.0),
    correlation: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Normal features (examples, 2) of a population, and targets (examples,) that a line explains.

    Features of one seed and purpose are the same but for the population's numbers.
    """
    random = generator(seed, f"error surface/{purpose}")
    first, second = random.standard_normal((2, NUM_EXAMPLES))
    second = correlation * first + np.sqrt(1 - correlation**2) * second
    features = np.column_stack([first, second]) * deviations + means
    targets = features @ random.standard_normal(2) + random.standard_normal(NUM_EXAMPLES)
    return features, targets


def standardized(features: np.ndarray) -> np.ndarray:
    """Each feature with mean 0 and variance 1 over the examples."""
    return (features - features.mean(axis=0)) / features.std(axis=0)


def scaled(features: np.ndarray) -> np.ndarray:
    """Each feature with variance 1, and with the mean that this leaves it."""
    return features / features.std(axis=0)


def batch_normalized(features: np.ndarray) -> np.ndarray:
    """The features as one mini-batch through the project's layer, gamma 1 and beta 0."""
    return np.asarray(_layer(features.shape[1])(features, training=True))


def whitened(features: np.ndarray) -> np.ndarray:
    """Uncorrelated with variance 1 and as near to the standardized features as that allows (ZCA).

    Bell and Sejnowski 1997; that no whitening is nearer: Kessy, Lewin and Strimmer 2018.
    """
    values, vectors, standard = _directions(features)
    return standard @ (vectors / np.sqrt(values)) @ vectors.T


def rotated_white(features: np.ndarray) -> np.ndarray:
    """Uncorrelated with variance 1, along the principal directions (PCA), the widest first.

    Of both signs of a direction the one that turns the features less.
    """
    values, vectors, standard = _directions(features)
    values, vectors = values[::-1], vectors[:, ::-1]
    return standard @ (vectors * np.sign(np.diag(vectors)) / np.sqrt(values))


def _directions(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    standard = standardized(features)
    values, vectors = np.linalg.eigh(standard.T @ standard / len(standard))
    return values, vectors, standard


@cache
def _layer(num_features: int) -> keras.layers.Layer:
    layer = batch_normalization(EPSILON)
    layer.build((None, num_features))
    return layer
