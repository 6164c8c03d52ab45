"""Normalization by the l1 norm: `lp_norm`."""

from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.normalization.lp_norm import layer_of


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`."""
    return layer_of(config, "l1")
