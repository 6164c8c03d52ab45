"""Layer normalization (https://arxiv.org/abs/1607.06450): all feature maps are one group."""

from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.normalization.group import GroupNormalization


def choose(_config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer, whatever `config` says."""
    return GroupNormalization, {"group_size": None}
