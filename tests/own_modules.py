"""Modules as people write them for `normalization=module:Name` and its like, as text."""

RMS_NORM = '''\
import keras
from keras import ops


class RMSNorm(keras.layers.Layer):
    """Divides by the root of the mean square over the units (https://arxiv.org/abs/1910.07467)."""

    def __init__(self, epsilon=1e-6, **options):
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, input_shape):
        self.gamma = self.add_weight(input_shape[-1:], "ones", name="gamma")

    def call(self, inputs):
        mean_square = ops.mean(ops.square(inputs), axis=-1, keepdims=True)
        return self.gamma * inputs / ops.sqrt(mean_square + self.epsilon)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
'''
