"""The loss that is trained and the numbers that are watched, in backend-neutral ops."""

from typing import Any

import keras
from keras import ops


def cross_entropy(labels: Any, logits: Any) -> Any:
    """Mean cross-entropy of a batch; `logits` (batch, classes), `labels` (batch,).

    Keras's own loss and `ops.mean` compute in float32 under JAX, whatever they are given.
    """
    losses = losses_of(labels, logits)
    return ops.sum(losses) / losses.shape[0]


def losses_of(labels: Any, logits: Any) -> Any:
    """The cross-entropy of each example, (batch,)."""
    chosen = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return ops.logsumexp(logits, axis=-1) - ops.sum(chosen * logits, axis=-1)


def num_correct(labels: Any, logits: Any) -> Any:
    """How many of a batch have their label's score highest, int32."""
    hits = ops.equal(ops.argmax(logits, axis=-1), ops.cast(labels, "int32"))
    # JAX sums int32 to int64 in double precision.
    return ops.cast(ops.sum(ops.cast(hits, "int32")), "int32")


def add_l2_gradients(
    gradients: list[Any], weights: list[Any], kernels: list[int], l2: Any
) -> list[Any]:
    """Gradients of the loss plus `l2 * sum of squared kernels`; biases, gamma and beta are spared.

    Added here and not in the loss, so that the loss in a curve is the cross-entropy alone.
    """
    # A tensor is above 0; a number may leave the term out.
    if isinstance(l2, int | float) and l2 == 0:
        return gradients
    return [
        gradient + 2 * l2 * weight if position in kernels else gradient
        for position, (gradient, weight) in enumerate(zip(gradients, weights, strict=True))
    ]


def kernel_positions(model: keras.Model) -> list[int]:
    """Positions of the kernels among the trainable variables."""
    return [
        position
        for position, variable in enumerate(model.trainable_variables)
        if variable.name.endswith("kernel")
    ]
