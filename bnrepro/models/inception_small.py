"""The small Inception of Zhang et al. 2017 (https://arxiv.org/abs/1611.03530, appendix A).

Made for 28 x 28 crops of CIFAR-10; works from 8 x 8 on. At width 1 it has 1,649,402 parameters on
10 classes with one bias (or beta) per feature map, the number that its authors print.
"""

from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.models.unit import Units

# In order: (maps of the 1x1 convolution, maps of the 3x3 convolution) of an Inception module, or
# the maps of a downsampling module's 3x3 convolution.
_MODULES: tuple[tuple[int, int] | int, ...] = (
    (32, 32),
    (32, 48),
    80,
    (112, 48),
    (96, 64),
    (80, 80),
    (48, 96),
    96,
    (176, 160),
    (176, 160),
)


def features(images: Any, units: Units, _: RunConfig) -> Any:
    """The average of each feature map of the last module, (batch, maps)."""
    values = units.local_response(units.convolution(images, 96, 3, "convolution_1"))
    for position, maps in enumerate(_MODULES, start=1):
        if isinstance(maps, int):
            values = _downsample(values, maps, units, f"downsample_{position}")
        else:
            last = position == len(_MODULES)
            values = _inception(values, maps, units, f"inception_{position}", last)
    return keras.layers.GlobalAveragePooling2D(name="average_pool")(values)


def _inception(values: Any, maps: tuple[int, int], units: Units, name: str, last: bool) -> Any:
    branches = [
        units.convolution(values, maps[0], 1, f"{name}_1x1", last_hidden=last),
        units.convolution(values, maps[1], 3, f"{name}_3x3", last_hidden=last),
    ]
    return keras.layers.Concatenate(name=f"{name}_concatenate")(branches)


def _downsample(values: Any, maps: int, units: Units, name: str) -> Any:
    """Half the height and width, rounded up: a convolution beside a pool, both of stride 2."""
    pool = keras.layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")
    branches = [units.convolution(values, maps, 3, f"{name}_3x3", strides=2), pool(values)]
    return keras.layers.Concatenate(name=f"{name}_concatenate")(branches)
