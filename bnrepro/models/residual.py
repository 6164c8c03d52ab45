"""What stands on and beside the branches of a residual network, and how these begin.

Without normalization the values of a residual network grow with every block. Two ways to keep them:

- SkipInit (De and Smith 2020, https://arxiv.org/abs/2002.10444): each branch is multiplied by a
  trained scalar that begins at 0
- Fixup (Zhang et al. 2019, https://arxiv.org/abs/1901.09321): of L branches of m convolutions each,
  the last one and the classifier begin at 0, the others are smaller by L^(-1/(2m-2)); one trained
  number is added before each convolution and activation, and one multiplies a branch
"""

from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig

# Three stages of `model.blocks` blocks, each with a branch of two convolutions.
STAGES = 3
CONVOLUTIONS = 2


@keras.saving.register_keras_serializable("bnrepro")
class Multiplier(keras.layers.Layer):
    """Multiplies everything by one trained factor, which begins at `initial`."""

    def __init__(self, initial: float, **options: Any) -> None:
        super().__init__(**options)
        self.initial = initial

    def build(self, _: tuple[Any, ...]) -> None:
        self.factor = self.add_weight(
            shape=(1,), initializer=keras.initializers.Constant(self.initial), name="factor"
        )

    def call(self, inputs: Any) -> Any:
        return inputs * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial": self.initial}


@keras.saving.register_keras_serializable("bnrepro")
class Shift(keras.layers.Layer):
    """Adds one trained number to everything; it begins at 0."""

    def build(self, _: tuple[Any, ...]) -> None:
        self.bias = self.add_weight(shape=(1,), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        return inputs + self.bias


@keras.saving.register_keras_serializable("bnrepro")
class Shortcut(keras.layers.Layer):
    """The identity to `maps` feature maps and half the height and width, rounded up.

    Kept is the middle of each window of a 3x3 convolution of stride 2 over the same inputs. Maps
    beyond those of the inputs are 0: option A of He et al. 2016, which has no parameters.
    """

    def __init__(self, maps: int, **options: Any) -> None:
        super().__init__(**options)
        self.maps = maps

    def call(self, inputs: Any) -> Any:
        _, height, width, maps = inputs.shape
        kept = inputs[:, 1 - height % 2 :: 2, 1 - width % 2 :: 2, :]
        return ops.pad(kept, ((0, 0), (0, 0), (0, 0), (0, self.maps - maps)))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        batch, height, width, _ = input_shape
        return batch, (height + 1) // 2, (width + 1) // 2, self.maps

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "maps": self.maps}


def convolution_name(stage: int, block: int, position: int) -> str:
    """Of the convolution at `position` in the branch of a block, each counted from 1."""
    return f"block_{stage}_{block}_convolution_{position}"


def initial_factors(config: RunConfig) -> dict[str, float]:
    """By the path of a kernel, what Fixup multiplies its initial values by."""
    if config.model.residual != "fixup":
        return {}
    blocks = [
        (stage, block)
        for stage in range(1, STAGES + 1)
        for block in range(1, config.model.blocks + 1)
    ]
    smaller = len(blocks) ** (-1 / (2 * CONVOLUTIONS - 2))
    of_position = {
        position: 0.0 if position == CONVOLUTIONS else smaller
        for position in range(1, CONVOLUTIONS + 1)
    }
    return {"logits/kernel": 0.0} | {
        f"{convolution_name(*block, position)}/kernel": factor
        for block in blocks
        for position, factor in of_position.items()
    }
