"""Local response normalization, which Keras has no layer for."""

from typing import Any

import keras
import numpy as np
from keras import ops

# Krizhevsky et al. 2012, section 3.3: k, n, alpha, beta (chosen there on a validation set).
K, NEIGHBOURS, ALPHA = 2.0, 5, 1e-4


@keras.saving.register_keras_serializable("bnrepro")
class LocalResponseNormalization(keras.layers.Layer):
    """Division of each activation by the squares of its neighbours across feature maps.

    Training and inference: `x / (k + alpha * sum of x^2 over 5 neighbouring maps)^0.75`, the maps
    from two below to two above, at the same place. Krizhevsky et al. 2012, section 3.3, whose
    constants it takes. Paper: which constants "Inception" had is not said.
    """

    def call(self, inputs: Any) -> Any:
        values = ops.cast(inputs, self.variable_dtype)
        maps = np.arange(values.shape[-1])
        near = np.abs(maps[:, None] - maps) <= NEIGHBOURS // 2
        # A product with a band matrix: shifted copies take ten times as long on a CPU.
        energy = ops.matmul(ops.square(values), ops.cast(ALPHA * near, values.dtype))
        root = ops.rsqrt(K + energy)
        # (...)^-0.75 by two square roots: a power is several times slower on a CPU.
        return ops.cast(values * root * ops.sqrt(root), self.compute_dtype)
