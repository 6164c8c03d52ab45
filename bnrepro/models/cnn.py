"""A small network in the manner of VGG (https://arxiv.org/abs/1409.1556)."""

from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.models.unit import Units


def features(images: Any, units: Units, config: RunConfig) -> Any:
    """The last hidden layer, (batch, units).

    Two convolutions of 32 maps, two of 64 and one of 128, all 3x3, with a 2x2 pool after each pair;
    the average of each map; `hidden_layers` fully connected layers of 128.
    """
    values = units.local_response(units.convolution(images, 32, 3, "convolution_1"))
    values = units.convolution(values, 32, 3, "convolution_2")
    values = keras.layers.MaxPooling2D(2, padding="same", name="pool_1")(values)
    values = units.convolution(values, 64, 3, "convolution_3")
    values = units.convolution(values, 64, 3, "convolution_4")
    values = keras.layers.MaxPooling2D(2, padding="same", name="pool_2")(values)
    values = units.convolution(values, 128, 3, "convolution_5")
    values = keras.layers.GlobalAveragePooling2D(name="average_pool")(values)
    depth = config.model.hidden_layers
    for position in range(1, depth + 1):
        values = units.dense(values, 128, f"hidden_{position}", last_hidden=position == depth)
    return values
