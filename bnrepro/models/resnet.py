"""The residual network of 6n + 2 layers of He et al. 2016 (https://arxiv.org/abs/1512.03385)."""

from collections.abc import Callable
from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.models.residual import (
    CONVOLUTIONS,
    STAGES,
    Multiplier,
    Shift,
    Shortcut,
    convolution_name,
)
from bnrepro.models.unit import Units

# Feature maps of the first stage; each further stage has twice as many at half height and width.
_MAPS = 16


def features(images: Any, units: Units, config: RunConfig) -> Any:
    """The average of each feature map of the last block, (batch, maps).

    Section 4.2: a 3x3 convolution, then three stages of n = `model.blocks` blocks; each block adds
    two 3x3 convolutions to its input, before the last activation. Where shapes change the first
    convolution and the shortcut have stride 2. With `model.skip=false` nothing is added, as in the
    plain networks beside it.
    """
    first = "convolution_1"
    values = units.convolution(images, _MAPS, 3, first, joined=_biased(config, first))
    values = units.local_response(values)
    for stage in range(1, STAGES + 1):
        for block in range(1, config.model.blocks + 1):
            values = _block(values, units, config, stage, block)
    values = keras.layers.GlobalAveragePooling2D(name="average_pool")(values)
    return _shifted(values, config, "logits")


def _block(inputs: Any, units: Units, config: RunConfig, stage: int, block: int) -> Any:
    strides = 2 if stage > 1 and block == 1 else 1
    name = f"block_{stage}_{block}"
    first, second = (convolution_name(stage, block, each) for each in range(1, CONVOLUTIONS + 1))
    maps = _MAPS * 2 ** (stage - 1)
    shifted = _shifted(inputs, config, first)
    values = units.convolution(shifted, maps, 3, first, strides, joined=_biased(config, first))

    def added(branch: Any) -> Any:
        if not config.model.skip:
            return branch
        shortcut = inputs
        if strides > 1:
            shortcut = Shortcut(branch.shape[-1], name=f"{name}_shortcut")(shifted)
        return keras.layers.Add(name=f"{name}_add")([shortcut, _scaled(branch, config, name)])

    return units.convolution(
        _shifted(values, config, second),
        maps,
        3,
        second,
        last_hidden=stage == STAGES and block == config.model.blocks,
        joined=added,
    )


def _scaled(branch: Any, config: RunConfig, name: str) -> Any:
    """The end of a branch, times its scalar where it has one."""
    match config.model.residual:
        case "skipinit":
            return Multiplier(0.0, name=f"{name}_multiplier")(branch)
        case "fixup":
            scaled = Multiplier(1.0, name=f"{name}_multiplier")(branch)
            return _shifted(scaled, config, f"{name}_branch")
    return branch


def _shifted(values: Any, config: RunConfig, name: str) -> Any:
    """With Fixup's scalar bias before what is called `name`."""
    return Shift(name=f"{name}_shift")(values) if config.model.residual == "fixup" else values


def _biased(config: RunConfig, name: str) -> Callable[[Any], Any]:
    """What stands between the convolution of that name and its activation."""
    return lambda values: _shifted(values, config, f"{name}_activation")
