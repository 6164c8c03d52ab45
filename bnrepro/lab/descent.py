"""Plain gradient descent on small networks with one hidden layer, a whole batch at a time."""

import keras
import numpy as np
import tensorflow as tf

from bnrepro.lab.setting import NUM_CLASSES, random

_INITIAL_SCALE = 0.1


class HiddenLayerNetwork:
    """`logits = V sigmoid(N(Wu + b)) + c` on a fixed batch; N is `normalization`."""

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        hidden_units: int,
        normalization: keras.layers.Layer,
        use_bias: bool = True,
    ) -> None:
        self.hidden = keras.layers.Dense(hidden_units, use_bias=use_bias)
        self.normalization = normalization
        output = keras.layers.Dense(NUM_CLASSES)
        self.model = keras.Sequential(
            [
                keras.Input(images.shape[1:]),
                self.hidden,
                normalization,
                keras.layers.Activation("sigmoid"),
                output,
            ]
        )
        for layer in (self.hidden, output):
            drawn = random(f"kernel {layer.kernel.shape}", *layer.kernel.shape)
            layer.kernel.assign(_INITIAL_SCALE * drawn)
        self._images, self._labels = tf.constant(images), tf.constant(labels)
        self._descend = tf.function(self._steps, jit_compile=True, autograph=False)
        self._gradients = tf.function(self._differentiate, autograph=False)

    def descend(self, learning_rate: float, steps: int) -> float:
        """Make `steps` updates; the loss before the last one."""
        rate = tf.constant(learning_rate, tf.float64)
        return float(self._descend(rate, tf.constant(steps)))

    def gradients(self) -> tuple[float, list[np.ndarray]]:
        """The loss, and its gradient with respect to each trainable variable."""
        loss, gradients = self._gradients()
        return float(loss), [gradient.numpy() for gradient in gradients]

    def _differentiate(self) -> tuple[tf.Tensor, list[tf.Tensor]]:
        weights = [variable.value for variable in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            logits = self.model(self._images, training=True)
            errors = tf.nn.sparse_softmax_cross_entropy_with_logits(self._labels, logits)
            loss = tf.reduce_mean(errors)
        return loss, tape.gradient(loss, weights)

    def _steps(self, learning_rate: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        def body(step: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            loss, gradients = self._differentiate()
            for variable, gradient in zip(self.model.trainable_variables, gradients, strict=True):
                variable.assign_sub(learning_rate * gradient)
            return step + 1, loss

        start = (tf.constant(0), tf.constant(0.0, tf.float64))
        return tf.while_loop(lambda step, _: step < steps, body, start)[1]
