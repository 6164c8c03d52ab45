"""Normalization layers: Keras's own where they compute the right thing, ours where Keras has none.

Each name of `config.NORMALIZATIONS` is a file of this folder, with a function `choose` that gives
a layer's class and its options beside those that all have. A layer is made, never shared: one
instance used twice would mix the statistics of two units.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import keras

from bnrepro import own
from bnrepro.config import NORMALIZATIONS, RunConfig
from bnrepro.config.own import parse
from bnrepro.own import layers

Maker = Callable[[str], keras.layers.Layer]

# All of them at once: a process that only loads a model must know the layers that its file names.
_CHOSEN = {name: import_module(f"{__name__}.{name}") for name in NORMALIZATIONS}
# Without statistics, gamma and beta: what stands in place of a normalization.
_WITHOUT_WEIGHTS = ("noise",)


def constructor(config: RunConfig, last_hidden: bool = False) -> Maker | None:
    """A function from a name to a fresh normalization layer; None where there is no normalization.

    `last_hidden` says that the layer stands in the last hidden layer of its network, the only one
    with statistics of its own for every activation under `statistics=per_activation_last`.
    """
    if config.placement == "none":
        return None
    shared = _shared_options(config)
    if is_own(config):
        return layers.maker(_own_part(config), shared)
    layer, options = _CHOSEN[config.normalization or "batch"].choose(config, last_hidden)
    shared = {} if config.normalization in _WITHOUT_WEIGHTS else shared
    return lambda name: layer(name=name, **{**shared, **options})


def has_shift(config: RunConfig) -> bool:
    """Whether the layers have a beta, beside which a bias before them would be one too many."""
    is_shifted = config.batch_normalization.beta
    is_shifted = is_shifted and config.normalization not in _WITHOUT_WEIGHTS
    return is_shifted and not (is_own(config) and not layers.takes(_own_part(config), "center"))


def is_own(config: RunConfig) -> bool:
    """Whether the normalization is a layer of somebody's own."""
    return parse(config.normalization) is not None


def check_own(config: RunConfig, shape: tuple[Any, ...]) -> None:
    """Keep a layer of somebody's own to its contract on inputs of that shape.

    Raises:
        ConfigError: naming what it does not keep to.
    """
    layers.check(_own_part(config), _shared_options(config), shape)


def _own_part(config: RunConfig) -> own.Part:
    return own.load("normalization", config.normalization or "")


def _shared_options(config: RunConfig) -> dict[str, Any]:
    return {
        "epsilon": config.batch_normalization.epsilon,
        "scale": config.batch_normalization.gamma,
        "center": config.batch_normalization.beta,
    }
