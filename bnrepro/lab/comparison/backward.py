"""The backward pass: against differences of the forward pass, and the laws of section 3.3."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from bnrepro.lab.comparison.findings import Finding, exact, fault_unless
from bnrepro.lab.comparison.invariance import LARGE
from bnrepro.lab.comparison.subject import Subject, gradients, outputs, weights, with_weights
from bnrepro.lab.setting import random, relative_error

# Differences at h and h / 2, extrapolated, err by about h^4; what rounding adds is 1e-16 / h.
_STEP, _BOUND = 1e-3, 1e-6
_DIRECTIONS = 4
_FACTOR = 10.0


def measure(subject: Subject) -> dict[str, Finding]:
    """The derivative, and what follows for the weights below."""
    return {**_differences(subject), **_laws(subject)}


def _differences(subject: Subject) -> dict[str, Finding]:
    values, direction = subject.inputs.values("x"), subject.inputs.values("dy")
    layer = subject.drawn()
    found = gradients(layer, lambda x: x, [values], direction)
    kept = weights(layer)
    errors = {}
    for position, (gradient, point) in enumerate(
        zip(found, [values, *_parameters(layer)], strict=True)
    ):
        pairs = []
        for number in range(_DIRECTIONS):
            step = random(f"compare step {position} {number}", *point.shape)

            def moved(h: float, position: int = position, step: np.ndarray = step) -> float:
                at = values + h * step if position == 0 else values
                with_weights(layer, kept)
                if position:
                    weight = layer.trainable_variables[position - 1]
                    weight.assign(weight + h * step)
                return float((direction * outputs(layer, at, training=True)).sum())

            pairs.append((float((gradient * step).sum()), _derivative(moved)))
        errors[position] = relative_error(*np.transpose(pairs))
    own = max((error for position, error in errors.items() if position), default=None)
    text = "not its derivative"
    return {
        "gradient_to_inputs": fault_unless(errors[0] <= _BOUND, text, errors[0]),
        "gradient_to_weights": Finding("has none", "text")
        if own is None
        else fault_unless(own <= _BOUND, text, own),
    }


def _parameters(layer: keras.layers.Layer) -> list[np.ndarray]:
    return [weight.numpy() for weight in layer.trainable_variables]


def _derivative(function: Callable[[float], float]) -> float:
    """At 0, by central differences and Richardson's extrapolation."""
    coarse, fine = ((function(h) - function(-h)) / (2 * h) for h in (_STEP, _STEP / 2))
    return (4 * fine - coarse) / 3


def _laws(subject: Subject) -> dict[str, Finding]:
    """Section 3.3, where epsilon is nothing."""
    u, w = subject.inputs.below()
    w = LARGE * w
    direction = subject.inputs.values("dy")

    def to_below(factor: float) -> tuple[np.ndarray, np.ndarray]:
        found = gradients(subject.fresh(), ops.matmul, [u, factor * w], direction)
        return found[0], found[1]

    (to_u, to_w), (scaled_to_u, scaled_to_w) = to_below(1.0), to_below(_FACTOR)
    along = (w * to_w).sum(axis=0)
    lengths = np.linalg.norm(w, axis=0) * np.linalg.norm(to_w, axis=0)
    together = along.sum() / (np.linalg.norm(w) * np.linalg.norm(to_w))
    return {
        "law_of_inputs": exact(relative_error(scaled_to_u, to_u)),
        "law_of_weights": exact(relative_error(_FACTOR * scaled_to_w, to_w)),
        "orthogonal_to_unit": exact(float(np.abs(along / lengths).max())),
        "orthogonal_to_weights": exact(float(abs(together))),
    }
