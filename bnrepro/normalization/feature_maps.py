"""Algorithm 1, its backward pass and its inference over feature maps, for TensorFlow on a CPU.

Sums over a batch are products with a row of ones, which uses all cores and the vector units where
a reduction over leading axes does not; the rest is in TensorFlow's fused kernels. In a whole step
of the small Inception this costs two thirds of what Keras's layer costs (`bnrepro bench`).
"""

from typing import Any

import tensorflow as tf


def normalize(inputs: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """(outputs, batch_mean, biased batch_variance) of float32 (batch, height, width, maps).

    The statistics are for the moving averages: no gradient flows through them, as it does through
    the outputs.
    """

    @tf.custom_gradient
    def compute(inputs: Any, gamma: Any, beta: Any) -> Any:
        mean, variance = _moments(inputs)
        outputs = transform(inputs, mean, variance, gamma, beta, epsilon)

        def gradient(upstream: Any, *_: Any) -> tuple[Any, Any, Any]:
            """Section 3's equations for x, gamma and beta."""
            parts = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=upstream,
                x=inputs,
                scale=gamma,
                reserve_space_1=mean,
                reserve_space_2=variance,
                reserve_space_3=tf.zeros([0]),
                epsilon=epsilon,
                is_training=True,
            )
            return parts.x_backprop, parts.scale_backprop, parts.offset_backprop

        return (outputs, mean, variance), gradient

    # A custom gradient takes tensors, not the variables behind them.
    return compute(*map(tf.convert_to_tensor, (inputs, gamma, beta)))


def transform(inputs: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` in one go, as at inference."""
    return tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=gamma,
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=False,
    ).y


def _moments(inputs: Any) -> tuple[Any, Any]:
    """Mean and biased variance per feature map; the mean first, so that nothing cancels."""
    maps = inputs.shape[-1]
    count = tf.size(inputs) // maps
    ones = tf.ones([1, count], inputs.dtype)
    scale = 1 / tf.cast(count, inputs.dtype)
    mean = tf.matmul(ones, tf.reshape(inputs, [-1, maps]))[0] * scale
    squares = tf.reshape(tf.math.squared_difference(inputs, mean), [-1, maps])
    return mean, tf.matmul(ones, squares)[0] * scale
