"""The network of section 4.1: fully connected hidden layers of 100 units."""

from typing import Any

import keras

from bnrepro.config import RunConfig
from bnrepro.models.unit import Units


def features(images: Any, units: Units, config: RunConfig) -> Any:
    """The last hidden layer, (batch, units)."""
    values = keras.layers.Flatten(name="flatten")(images)
    depth = config.model.hidden_layers
    for position in range(1, depth + 1):
        values = units.dense(values, 100, f"hidden_{position}", last_hidden=position == depth)
    return values
