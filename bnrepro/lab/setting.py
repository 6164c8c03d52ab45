"""What the experiments share: the project's own layers, networks and data, in double precision.

In double precision an identity holds to about 1e-14 or it does not hold.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import keras
import numpy as np

from bnrepro import data, models, normalization
from bnrepro.config import Recipe
from bnrepro.config.composition import Composition, compose
from bnrepro.config.randomness import generator
from bnrepro.data import Split
from bnrepro.engine import Engine, optimizers
from bnrepro.engine import build as build_engine
from bnrepro.engine.segment import Arrays
from bnrepro.models import Network, initial_states, initial_weights
from bnrepro.training.precision import set_precision

IMAGE_SHAPE, NUM_CLASSES = (8, 8, 1), 10
_SEED = 0


@contextmanager
def double_precision() -> Iterator[None]:
    """Let Keras make everything in float64 while the context is open."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    set_precision("float64")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def random(purpose: str, *shape: int, seed: int = _SEED) -> np.ndarray:
    """Standard normal numbers, the same on every call with the same purpose and seed."""
    return generator(seed, f"claims/{purpose}").standard_normal(shape)


def relative_error(value: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest expected value."""
    return float(np.abs(value - expected).max() / np.abs(expected).max())


def config_of(*overrides: str, epsilon: float = 1e-5) -> Recipe:
    """The config of `overrides` in double precision; unlike in a run, `epsilon` may be 0."""
    common = ("data=digits", "precision=float64", f"backend={keras.config.backend()}")
    config = compose([*common, *overrides]).config.accelerated()
    options = replace(config.batch_normalization, epsilon=epsilon)
    return replace(config, batch_normalization=options)


def batch_normalization(
    epsilon: float = 0.0, statistics: str = "per_feature_map", momentum: float | None = None
) -> keras.layers.Layer:
    """A fresh layer, the one that the networks of this project are made of."""
    own = [] if momentum is None else [f"batch_normalization.momentum={momentum}"]
    config = config_of(f"batch_normalization.statistics={statistics}", *own, epsilon=epsilon)
    make = normalization.constructor(config)
    if make is None:
        raise ValueError("expected a config with batch normalization")
    return make("normalization")


def draw_state(layer: keras.layers.Layer) -> None:
    """Statistics, gamma and beta as training might leave them: nothing is 0 or 1."""
    for variable in layer.variables:
        drawn = random(variable.path, *variable.shape)
        positive = variable.name in ("gamma", "moving_variance")
        variable.assign(np.exp(drawn / 2) if positive else drawn)


def network(config: Recipe) -> Network:
    """A network for the digits, with initial weights."""
    return models.build(config, IMAGE_SHAPE, NUM_CLASSES)


def trained(config: Recipe) -> Engine:
    """A network for the digits after `config.train_steps` steps."""
    engine = build_engine(network(config), optimizers.build(config), data.load(config.data), config)
    advance(engine, 0, config.train_steps)
    return engine


def begin(engine: Engine, composition: Composition, initial: Arrays) -> None:
    """Let the engine begin anew, as another seed or another rate of the same program begins.

    `initial` is its state before its first step; the trainable weights, and what layers draw at
    random by, follow from `composition`.
    """
    config, model = composition.config.accelerated(), engine.network.model
    engine.config, engine.order = config, engine.build_order(config)
    engine.assign(initial)
    # What is not drawn is as it stands in the model: as the layer made it, now that it is back.
    weights = zip(model.trainable_variables, initial_weights(model, config), strict=True)
    engine.assign({f"model/{each.path}": value for each, value in weights})
    states = initial_states(model, config.seed)
    engine.assign({f"model/{path}": value for path, value in states.items()})


def advance(engine: Engine, start: int, stop: int) -> int:
    """Make the updates number `start + 1` to `stop`; how many training images were seen rightly."""
    right = 0
    for first in range(start, stop, engine.segment_steps):
        segment = engine.train(first, min(first + engine.segment_steps, stop))
        right += int(segment.num_correct.sum())
    return right


def digits(num_examples: int) -> tuple[np.ndarray, np.ndarray]:
    """The first training images, (examples, 64) in [0, 1], and their labels."""
    images, labels = _all_digits()
    return images[:num_examples], labels[:num_examples]


@cache
def _all_digits() -> tuple[np.ndarray, np.ndarray]:
    split = data.load(config_of().data).train
    return flat(split), split.labels


def flat(split: Split) -> np.ndarray:
    """A split's images, (examples, values) in [0, 1]."""
    return np.asarray(split.images, np.float64).reshape(len(split.labels), -1) / 255
