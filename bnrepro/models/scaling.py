"""The form in which a trained network is kept: from the images as they lie on disk to answers."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("bnrepro")
class Scaling(keras.layers.Layer):
    """`(pixel / 255 - mean) / deviation`, per channel, of pixels from 0 to 255.

    Training and inference. `mean` and `deviation`, (channels,), are those of the run's training
    images where it asked for `input_normalization`, else 0 and 1; they are kept in the layer's
    config, and so with the model.
    """

    def __init__(self, mean: list[float], deviation: list[float], **options: Any) -> None:
        super().__init__(**options)
        self.mean = [float(value) for value in mean]
        self.deviation = [float(value) for value in deviation]

    def call(self, inputs: Any) -> Any:
        return scale(inputs, np.array(self.mean), np.array(self.deviation), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "deviation": self.deviation}


def scale(pixels: Any, mean: np.ndarray, deviation: np.ndarray, dtype: str) -> Any:
    """`(pixel / 255 - mean) / deviation`, per channel, in `dtype`."""
    return standardize(ops.cast(pixels, dtype) / 255.0, mean, deviation, dtype)


def standardize(images: Any, mean: np.ndarray, deviation: np.ndarray, dtype: str) -> Any:
    """Images with pixels from 0 to 1, (batch, height, width, channels), as a network takes them."""
    return (images - ops.cast(mean, dtype)) / ops.cast(deviation, dtype)


def from_pixels(
    network: keras.Model, mean: np.ndarray, deviation: np.ndarray, dtype: str
) -> keras.Model:
    """The network behind its scaling and before a softmax, sharing its variables.

    It takes uint8 images, (examples, height, width, channels), and gives class probabilities,
    (examples, classes). Its layers are `scaling`, the network itself, which takes scaled images and
    gives logits, and `probabilities`.
    """
    pixels = keras.Input(network.input_shape[1:], dtype="uint8", name="pixels")
    images = Scaling(list(mean), list(deviation), dtype=dtype, name="scaling")(pixels)
    logits = network(images)
    # Logits are never of less than 32 bits, and neither are probabilities.
    probabilities = keras.layers.Softmax(dtype=keras.config.floatx(), name="probabilities")(logits)
    return keras.Model(pixels, probabilities, name=f"{network.name}_from_pixels")
