"""The ImageNet network of the paper's appendix (figure 5), for 224 x 224 images.

Paper: the printed table contradicts itself and the text. Ours: what can be built of it, as marked
below; 11.3 million parameters with 1000 classes (the text says 13.6 million).
"""

from dataclasses import dataclass
from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.models.unit import Units


@dataclass(frozen=True)
class _Module:
    """One row of the table; a width of 0 means that the branch is absent."""

    name: str
    maps_1x1: int
    reduce_3x3: int
    maps_3x3: int
    reduce_double_3x3: int
    maps_double_3x3: int
    pool: str
    projection: int  # 0: the pool passes through, and the module has stride 2


# Paper: 3c and 4e print the output of their input's size though their stride is 2; the following
# rows print the halved size. Ours: 3c gives 14 x 14, 4e gives 7 x 7.
# Paper: the widths of 4c and 4d sum to 608, the printed output is 576 (and 1024 after 4e). Ours:
# the printed widths, so that 4c and 4d give 608 maps and 4e 1056.
_MODULES = (
    _Module("3a", 64, 64, 64, 64, 96, "average", 32),
    _Module("3b", 64, 64, 96, 64, 96, "average", 64),
    _Module("3c", 0, 128, 160, 64, 96, "max", 0),
    _Module("4a", 224, 64, 96, 96, 128, "average", 128),
    _Module("4b", 192, 96, 128, 96, 128, "average", 128),
    _Module("4c", 160, 128, 160, 128, 160, "average", 128),
    _Module("4d", 96, 128, 192, 160, 192, "average", 128),
    _Module("4e", 0, 128, 192, 192, 256, "max", 0),
    _Module("5a", 352, 192, 320, 160, 224, "average", 128),
    _Module("5b", 352, 192, 320, 192, 224, "max", 128),
)


def features(images: Any, units: Units, _: RunConfig) -> Any:
    """The average of each feature map of the last module, (batch, 1024) at width 1."""
    values = units.separable_convolution(
        images, 64, 7, depth_multiplier=8, strides=2, name="convolution_1"
    )
    # Paper: where local response normalization stood is not said. Ours: after the first
    # convolution and its pool, as in GoogLeNet.
    values = units.local_response(_max_pool("pool_1")(values))
    values = units.convolution(values, 64, 1, "convolution_2_reduce")
    values = units.convolution(values, 192, 3, "convolution_2")
    values = _max_pool("pool_2")(values)
    for module in _MODULES:
        values = _inception(values, module, units, last=module is _MODULES[-1])
    # 7 x 7 at 224 pixels; the whole map at any size.
    return keras.layers.GlobalAveragePooling2D(name="average_pool")(values)


def _max_pool(name: str) -> keras.layers.Layer:
    return keras.layers.MaxPooling2D(3, strides=2, padding="same", name=name)


def _inception(values: Any, module: _Module, units: Units, last: bool) -> Any:
    name = f"inception_{module.name}"
    strides = 1 if module.projection else 2

    def convolve(inputs: Any, maps: int, size: int, part: str, strides: int = 1) -> Any:
        return units.convolution(inputs, maps, size, f"{name}_{part}", strides, last_hidden=last)

    branches = []
    if module.maps_1x1:
        branches.append(convolve(values, module.maps_1x1, 1, "1x1"))
    reduced = convolve(values, module.reduce_3x3, 1, "3x3_reduce")
    branches.append(convolve(reduced, module.maps_3x3, 3, "3x3", strides))
    reduced = convolve(values, module.reduce_double_3x3, 1, "double_3x3_reduce")
    first = convolve(reduced, module.maps_double_3x3, 3, "double_3x3_1")
    branches.append(convolve(first, module.maps_double_3x3, 3, "double_3x3_2", strides))
    pooling = keras.layers.MaxPooling2D if module.pool == "max" else keras.layers.AveragePooling2D
    pooled = pooling(3, strides=strides, padding="same", name=f"{name}_pool")(values)
    if module.projection:
        pooled = convolve(pooled, module.projection, 1, "projection")
    branches.append(pooled)
    return keras.layers.Concatenate(name=f"{name}_concatenate")(branches)
