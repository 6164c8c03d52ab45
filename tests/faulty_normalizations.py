"""Batch normalization written by its formulas, and the same with one mistake each."""

import keras
from keras import ops


class Batch(keras.layers.Layer):
    """Algorithm 1 over all axes but the last, with averages for inference."""

    def __init__(self, epsilon=1e-5, **options):
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, shape):
        size = tuple(1 if axis in self.axes(len(shape)) else n for axis, n in enumerate(shape))
        self.gamma = self.add_weight(shape[-1:], "ones", name="gamma")
        self.average = self.add_weight(size, "zeros", trainable=False, name="average")
        self.spread = self.add_weight(size, "ones", trainable=False, name="spread")

    def axes(self, rank):
        return tuple(range(rank - 1))

    def moments(self, inputs):
        axes = self.axes(len(inputs.shape))
        mean = ops.mean(inputs, axes, keepdims=True)
        return mean, ops.mean(ops.square(inputs - mean), axes, keepdims=True)

    def divisor(self, variance):
        return ops.sqrt(variance + self.epsilon)

    def keep(self, mean, variance):
        self.average.assign(0.5 * self.average + 0.5 * mean)
        self.spread.assign(0.5 * self.spread + 0.5 * variance)

    def kept(self, inputs):
        return self.average, self.spread

    def call(self, inputs, training=None):
        if training:
            mean, variance = self.moments(inputs)
            self.keep(mean, variance)
        else:
            mean, variance = self.kept(inputs)
        return self.gamma * (inputs - mean) / self.divisor(variance)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


class WrongAxis(Batch):
    def axes(self, rank):
        return tuple(axis for axis in range(rank) if axis != 1)


class StoppedGradient(Batch):
    def moments(self, inputs):
        mean, variance = super().moments(inputs)
        return ops.stop_gradient(mean), ops.stop_gradient(variance)


class LeakAtInference(Batch):
    def kept(self, inputs):
        return self.moments(inputs)


class StateBeside(Batch):
    """Inference with what a Python attribute holds."""

    def build(self, shape):
        super().build(shape)
        self.beside = None

    def keep(self, mean, variance):
        self.beside = (ops.convert_to_numpy(mean), ops.convert_to_numpy(variance))

    def kept(self, inputs):
        return self.beside or super().kept(inputs)


class EpsilonOutside(Batch):
    def divisor(self, variance):
        return ops.sqrt(variance) + self.epsilon


class Unbiased(Batch):
    def moments(self, inputs):
        mean, variance = super().moments(inputs)
        m = ops.size(inputs) / ops.size(mean)
        m = ops.cast(m, variance.dtype)
        return mean, variance * m / (m - 1)
