"""Initial weights, drawn by NumPy so that every backend and every variant of a seed has the same.

Each kernel has a generator of its own, keyed by the seed and the kernel's name.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from bnrepro.config import InitializerConfig, Recipe
from bnrepro.config.randomness import generator
from bnrepro.models.residual import initial_factors
from bnrepro.models.spectral_normalization import SINGULAR_VECTOR
from bnrepro.models.weight_normalization import WeightNormalized, lengths


def initial_weights(
    model: keras.Model, config: Recipe, loaded: Mapping[str, np.ndarray] | None = None
) -> list[np.ndarray]:
    """Values of `model.trainable_variables` before the first step, for the seed of `config`.

    Those in `loaded`, by path, are of a file. Of the others kernels are drawn, and those of
    residual branches made smaller by Fixup; gamma is 1; beta and biases are 0; the gains of weight
    normalization are as long as what was drawn. What has another name is as its layer made it,
    which may be somebody's own.
    """
    depthwise, known = _depthwise_kernels(model), loaded or {}
    values = {
        each.path: known[each.path].astype(each.dtype)
        if each.path in known
        else _initial_value(each, config, each.path in depthwise)
        for each in model.trainable_variables
    }
    for path, factor in initial_factors(config).items():
        values[path] = values[path] * factor
    for layer in model.layers:
        if isinstance(layer, WeightNormalized):
            values[layer.gain.path] = lengths(values[layer.direction.path])
    return list(values.values())


def initial_states(model: keras.Model, seed: int) -> dict[str, np.ndarray]:
    """By path, what those variables begin with that are not trained and follow from the seed.

    States from which layers draw at random, and the singular vectors of spectral normalization.
    """
    return {
        variable.path: _DRAWN[variable.name](variable, seed)
        for variable in model.non_trainable_variables
        if variable.name in _DRAWN
    }


def initial_random_state(path: str, seed: int) -> np.ndarray:
    """What the random state of a layer begins with, (2,) uint32: the seed, and how many were drawn.

    Each layer has a seed of its own by the path of its state; that of our dropout is the run's.
    """
    own = generator(seed, f"random/{path}").integers(2**32)
    return np.array([seed if path == _DROPOUT else own, 0], np.uint32)


def _unit_vector(variable: Any, seed: int) -> np.ndarray:
    """Of length 1, every direction as likely."""
    drawn = generator(seed, f"singular_vector/{variable.path}").standard_normal(variable.shape)
    return (drawn / np.linalg.norm(drawn)).astype(variable.dtype)


_DRAWN: dict[str, Callable[[Any, int], np.ndarray]] = {
    "seed_generator_state": lambda state, seed: initial_random_state(state.path, seed),
    SINGULAR_VECTOR: _unit_vector,
}
_DROPOUT = "dropout_seed/seed_generator_state"
_BEGINNINGS = {"gamma": 1.0, "beta": 0.0, "bias": 0.0}


def _depthwise_kernels(model: keras.Model) -> set[str]:
    """The paths of the kernels (..., channels, maps of each channel) of convolutions within one."""
    kinds = {
        "kernel": (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),
        "depthwise_kernel": (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
    }
    return {
        getattr(layer, name).path
        for layer in model.layers
        for name, layers in kinds.items()
        if isinstance(layer, layers)
    }


def _initial_value(variable: Any, config: Recipe, is_depthwise: bool) -> np.ndarray:
    if not variable.name.endswith("kernel"):
        if variable.name not in _BEGINNINGS:
            return np.asarray(keras.ops.convert_to_tensor(variable))
        return np.full(variable.shape, _BEGINNINGS[variable.name], variable.dtype)
    draw = _INITIALIZERS[config.initializer.name]
    random = generator(config.seed, f"kernel/{variable.path}")
    kernel = draw(config.initializer, random, variable.shape, _fans(variable.shape, is_depthwise))
    if len(variable.shape) == 4:
        kernel = kernel * config.initializer.convolution_gain
    return kernel.astype(variable.dtype)


def _fans(shape: tuple[int, ...], is_depthwise: bool) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs an output sums, how many outputs an input reaches."""
    *window, inputs, outputs = shape
    positions = math.prod(window)
    if is_depthwise:
        return positions, positions * outputs
    return positions * inputs, positions * outputs


Draw = Callable[
    [InitializerConfig, np.random.Generator, tuple[int, ...], tuple[int, int]], np.ndarray
]


def _gaussian(
    config: InitializerConfig, random: np.random.Generator, shape: tuple[int, ...], _: Any
) -> np.ndarray:
    """Normal, standard deviation `scale`."""
    return random.standard_normal(shape) * config.scale


def _uniform(
    config: InitializerConfig, random: np.random.Generator, shape: tuple[int, ...], _: Any
) -> np.ndarray:
    """Uniform in [-scale, scale)."""
    return random.uniform(-config.scale, config.scale, shape)


def _glorot(
    config: InitializerConfig,
    random: np.random.Generator,
    shape: tuple[int, ...],
    fans: tuple[int, int],
) -> np.ndarray:
    """Normal, variance `scale * 2 / (fan_in + fan_out)` (Glorot and Bengio 2010)."""
    return random.standard_normal(shape) * math.sqrt(config.scale * 2 / sum(fans))


def _he(
    config: InitializerConfig,
    random: np.random.Generator,
    shape: tuple[int, ...],
    fans: tuple[int, int],
) -> np.ndarray:
    """Normal, variance `scale * 2 / fan_in` (https://arxiv.org/abs/1502.01852)."""
    return random.standard_normal(shape) * math.sqrt(config.scale * 2 / fans[0])


def _he_uniform(
    config: InitializerConfig,
    random: np.random.Generator,
    shape: tuple[int, ...],
    fans: tuple[int, int],
) -> np.ndarray:
    """Uniform around 0, variance `scale * 2 / fan_in`."""
    limit = math.sqrt(3 * config.scale * 2 / fans[0])
    return random.uniform(-limit, limit, shape)


def _orthogonal(
    config: InitializerConfig, random: np.random.Generator, shape: tuple[int, ...], _: Any
) -> np.ndarray:
    """Orthonormal columns (or rows, where there are more columns) times `scale`.

    https://arxiv.org/abs/1312.6120; a convolution's kernel as a matrix (window * inputs, outputs).
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    drawn = random.standard_normal((max(rows, columns), min(rows, columns)))
    basis, triangle = np.linalg.qr(drawn)
    # Signs that make the distribution uniform over orthogonal matrices (Mezzadri 2007).
    basis = basis * np.sign(np.diag(triangle))
    return (basis if rows >= columns else basis.T).reshape(shape) * config.scale


_INITIALIZERS: dict[str, Draw] = {
    "gaussian": _gaussian,
    "uniform": _uniform,
    "glorot": _glorot,
    "he": _he,
    "he_uniform": _he_uniform,
    "orthogonal": _orthogonal,
}
