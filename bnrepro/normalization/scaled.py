"""What normalizations with statistics of their own share: gamma, beta and a moving mean."""

from typing import Any

import keras
from keras import ops


class Scaled(keras.layers.Layer):
    """A layer with statistics of its own for each feature map or unit, then gamma and beta.

    Statistics are over all axes but the last.
    """

    def __init__(
        self, epsilon: float = 1e-5, scale: bool = True, center: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        self.autocast = False
        self.epsilon = epsilon
        self.scale = scale
        self.center = center

    def build(self, input_shape: tuple[Any, ...]) -> None:
        size = input_shape[-1]
        self.gamma = (
            self._of_features(size, "gamma", "ones", trainable=True) if self.scale else None
        )
        self.beta = (
            self._of_features(size, "beta", "zeros", trainable=True) if self.center else None
        )
        self.moving_mean = self._of_features(size, "moving_mean", "zeros")

    def get_config(self) -> dict[str, Any]:
        own = {"epsilon": self.epsilon, "scale": self.scale, "center": self.center}
        return {**super().get_config(), **own}

    def _of_features(self, size: int, name: str, initial: str, trainable: bool = False) -> Any:
        """A number for each feature map or unit."""
        return self.add_weight((size,), initial, name=name, trainable=trainable, autocast=False)

    def _scaled(self, normalized: Any) -> Any:
        """Times gamma, plus beta, in the type that the layer computes in."""
        if self.gamma is not None:
            normalized = normalized * self.gamma
        if self.beta is not None:
            normalized = normalized + self.beta
        return ops.cast(normalized, self.compute_dtype)
