"""Group normalization, of which layer and instance normalization are the two extremes."""

import math
from typing import Any

import keras

from bnrepro.config import ConfigError, RunConfig


def largest_divisor(channels: int, at_most: int) -> int:
    """The largest divisor of `channels` that is not above `at_most`."""
    return next(size for size in range(min(channels, at_most), 0, -1) if channels % size == 0)


@keras.saving.register_keras_serializable("bnrepro")
class GroupNormalization(keras.layers.GroupNormalization):
    """Normalization of one example by statistics over a group of its feature maps.

    Training and inference: `gamma * (x - mean) / sqrt(variance + epsilon) + beta`, mean and
    variance over height, width and the `group_size` feature maps of a group, gamma and beta for
    each feature map. https://arxiv.org/abs/1803.08494

    `group_size` None is one group of all feature maps: layer normalization
    (https://arxiv.org/abs/1607.06450); 1 is instance normalization
    (https://arxiv.org/abs/1607.08022). Where the number of feature maps is no multiple of
    `group_size`, its largest divisor below is taken, so that no group is larger than was asked.
    A group of one value raises ConfigError: the network behind it would see nothing.
    """

    def __init__(self, group_size: int | None = None, **options: Any) -> None:
        super().__init__(groups=1, **options)
        self.group_size = group_size

    def build(self, input_shape: tuple[Any, ...]) -> None:
        channels = input_shape[-1]
        size = channels if self.group_size is None else largest_divisor(channels, self.group_size)
        if math.prod(input_shape[1:-1]) * size == 1:
            raise ConfigError(
                f"{self.name}: a group of one value per example is always normalized to 0; "
                f"expected a group_size that shares a divisor above 1 with its {channels} units; "
                "change group_size or model.width, or use normalization=batch"
            )
        self.groups = channels // size
        super().build(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["groups"]
        return {**config, "group_size": self.group_size}


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`."""
    return GroupNormalization, {"group_size": config.group_size}
