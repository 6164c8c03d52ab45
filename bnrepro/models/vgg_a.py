"""VGG-A, the smallest network of Simonyan and Zisserman 2015 (https://arxiv.org/abs/1409.1556)."""

from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.models.unit import Units

# Feature maps of the convolutions between two pools.
_STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))


def features(images: Any, units: Units, config: RunConfig) -> Any:
    """The last hidden layer, (batch, units).

    Eight 3x3 convolutions with a 2x2 pool after the first, the second and each further pair; then
    `hidden_layers` fully connected layers. Paper: two of 4,096 units, for ImageNet. Ours: of 512,
    for small images, where Santurkar et al. 2018 (arXiv 1805.11604) do not say.
    """
    values, number = images, 0
    for stage, maps_of_stage in enumerate(_STAGES, 1):
        for maps in maps_of_stage:
            number += 1
            values = units.convolution(values, maps, 3, f"convolution_{number}")
            values = units.local_response(values) if number == 1 else values
        values = keras.layers.MaxPooling2D(2, padding="same", name=f"pool_{stage}")(values)
    values = keras.layers.Flatten(name="flatten")(values)
    depth = config.model.hidden_layers
    for position in range(1, depth + 1):
        values = units.dense(values, 512, f"hidden_{position}", last_hidden=position == depth)
    return values
