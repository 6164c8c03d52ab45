"""Normalization layers: Keras's own where they compute the right thing, ours where Keras has none.

A layer is made, never shared: one instance used twice would mix the statistics of two units.
"""

from collections.abc import Callable
from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.normalization.batch import BatchNormalization
from bnrepro.normalization.batch_renorm import BatchRenormalization
from bnrepro.normalization.group import GroupNormalization
from bnrepro.normalization.per_activation import PerActivationBatchNormalization

Maker = Callable[[str], keras.layers.Layer]


def constructor(config: RunConfig, last_hidden: bool = False) -> Maker | None:
    """A function from a name to a fresh normalization layer; None where there is no normalization.

    `last_hidden` says that the layer stands in the last hidden layer of its network, the only one
    with statistics of its own for every activation under `statistics=per_activation_last`.
    """
    if config.placement == "none":
        return None
    layer, options = _LAYERS[config.normalization or "batch"](config, last_hidden)
    shared = {
        "epsilon": config.batch_normalization.epsilon,
        "scale": config.batch_normalization.gamma,
        "center": config.batch_normalization.beta,
    }
    return lambda name: layer(name=name, **shared, **options)


# A layer's class and its options beside those that all have.
_Choice = tuple[type[keras.layers.Layer], dict[str, Any]]


def _batch(config: RunConfig, last_hidden: bool) -> _Choice:
    statistics = config.batch_normalization.statistics
    per_activation = statistics == "per_activation" or (
        statistics == "per_activation_last" and last_hidden
    )
    layer = PerActivationBatchNormalization if per_activation else BatchNormalization
    return layer, {"momentum": config.batch_normalization.momentum}


def _batch_renorm(config: RunConfig, _: bool) -> _Choice:
    return BatchRenormalization, {"train_steps": config.train_steps}


def _layer(_config: RunConfig, _: bool) -> _Choice:
    return GroupNormalization, {"group_size": None}


def _group(config: RunConfig, _: bool) -> _Choice:
    return GroupNormalization, {"group_size": config.group_size}


def _instance(_config: RunConfig, _: bool) -> _Choice:
    return GroupNormalization, {"group_size": 1}


_LAYERS: dict[str, Callable[[RunConfig, bool], _Choice]] = {
    "batch": _batch,
    "batch_renorm": _batch_renorm,
    "layer": _layer,
    "group": _group,
    "instance": _instance,
}
