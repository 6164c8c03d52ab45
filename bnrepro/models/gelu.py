"""The activation whose constant TensorFlow rounds to single precision, whatever is asked for."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("bnrepro")
def gelu(values: Any) -> Any:
    """`x * Phi(x)`, Phi being the normal distribution (https://arxiv.org/abs/1606.08415).

    TensorFlow's own divides by the square root of 2 in float32.
    """
    return values * (1 + ops.erf(values / math.sqrt(2))) / 2
