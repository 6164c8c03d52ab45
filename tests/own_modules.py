"""Modules as people write them for `normalization=module:Name` and its like, as text."""

NORMS = '''\
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

RULES = '''\
import keras
from keras import ops


class SignedRoot(keras.optimizers.Optimizer):
    """`v = momentum * v + gradient; w -= rate * sign(v) * sqrt(|v|)`."""

    def __init__(self, learning_rate=0.01, momentum=0.9, **options):
        super().__init__(learning_rate=learning_rate, **options)
        self.momentum = momentum

    def build(self, variables):
        if not self.built:
            super().build(variables)
            self.velocities = [
                self.add_variable_from_reference(each, name="velocity") for each in variables
            ]

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.velocities[self._get_variable_index(variable)]
        moved = velocity * ops.cast(self.momentum, variable.dtype) + gradient
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign(velocity, moved)
        self.assign_sub(variable, rate * ops.sign(moved) * ops.sqrt(ops.absolute(moved)))


def softsign(values):
    """x / (1 + |x|)."""
    return values / (1 + ops.absolute(values))
'''

NETS = '''\
import keras
from keras import layers


def of_units(images, units, config):
    """bnrepro's mlp at width 0.2, of two hidden layers."""
    values = layers.Flatten(name="flatten")(images)
    values = units.dense(values, 20, "hidden_1")
    return units.dense(values, 20, "hidden_2", last_hidden=True)


def whole(input_shape, num_classes):
    """The same, of Keras's layers alone."""
    images = keras.Input(input_shape)
    values = layers.Flatten()(images)
    for name in ("hidden_1", "hidden_2"):
        values = layers.Dense(20, use_bias=False, name=name)(values)
        values = layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, name=f"{name}_normalization"
        )(values)
        values = layers.Activation("sigmoid", name=f"{name}_activation")(values)
    logits = layers.Dense(num_classes, name="logits")
    return keras.Model(images, logits(values))


def dropping(input_shape, num_classes):
    """Two dropouts, and an activation within a layer; nothing has a name."""
    hidden = [layers.Dense(20, activation="relu"), layers.Dropout(0.5)]
    hidden += [layers.Dense(20, activation="relu"), layers.Dropout(0.5)]
    outputs = layers.Dense(num_classes)
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), *hidden, outputs])
'''
