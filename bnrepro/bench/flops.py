"""Floating-point operations of one step, counted from the shapes of the kernels."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Products:
    """The multiplications of one layer for one example: `size` weights at `positions` places."""

    size: int
    positions: int


def products(model: Any) -> list[Products]:
    """Dense layers and convolutions of a Keras model, from the input on."""
    found = []
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            positions = math.prod(layer.output.shape[1:-1])
            found.append(Products(math.prod(kernel.shape), positions))
    return found


def flops_per_step(layers: list[Products], batch_size: int) -> int:
    """Multiplications and additions of the forward and backward pass of one step.

    A product forward, one for the weights' gradient and one for the inputs', which the first layer
    does not need. What is not a product with weights is left out, and so is the update.
    """
    forward = [2 * batch_size * layer.size * layer.positions for layer in layers]
    return 3 * sum(forward) - forward[0]
