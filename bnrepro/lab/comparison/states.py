"""Inference and state: what a layer keeps, where it keeps it, and who sees it."""

import keras
import numpy as np

from bnrepro.lab.comparison.findings import Finding, fault_unless, yes_if
from bnrepro.lab.comparison.subject import Subject, outputs, weights, with_weights
from bnrepro.lab.setting import relative_error
from bnrepro.verdicts.criteria import ROUNDING_BOUND

# Averages of momentum 0.99 have settled to double precision after 3,000 steps.
_MOST_STEPS, _AT_ONCE, _SETTLED = 4_000, 50, 1e-13


def measure(subject: Subject) -> dict[str, Finding]:
    """What is kept between two mini-batches, and whether the weights are all of it."""
    values, others = subject.inputs.values("x"), subject.inputs.values("others")
    layer = subject.fresh()
    for batch in (values, 2 * others + 1):
        outputs(layer, batch, training=True)
    return {
        "inference_alone": _alone(layer, values, others),
        "inference_as_training": _as_training(subject, values, others),
        "state_in_weights": _in_weights(subject, layer, values),
        "from_config": _from_config(subject, layer, values),
        "repeatable": _repeatable(subject, values),
    }


def _alone(layer: keras.layers.Layer, values: np.ndarray, others: np.ndarray) -> Finding:
    """One example in three companies."""
    beside = np.concatenate([values[:1], others[1:]])
    alone, same, changed = (
        outputs(layer, batch, training=False)[:1] for batch in (values[:1], values, beside)
    )
    error = max(relative_error(alone, same), relative_error(changed, same))
    return fault_unless(error <= ROUNDING_BOUND, "others are seen", error)


def _as_training(subject: Subject, values: np.ndarray, others: np.ndarray) -> Finding:
    layer = subject.fresh()
    outputs(layer, 2 * others + 1, training=True)
    trained = outputs(layer, values, training=True)
    first = relative_error(outputs(layer, values, training=False), trained)
    if first <= ROUNDING_BOUND:
        return Finding("yes", "yes", first)
    _settle(layer, values)
    trained = outputs(layer, values, training=True)
    inferred = outputs(layer, values, training=False)
    error = relative_error(inferred, trained)
    if error <= ROUNDING_BOUND:
        return Finding("once its averages have settled", "text", error)
    ratio = float(trained.std() / inferred.std())
    return Finding(f"never: outputs differ {ratio:.3f} times in size", "unusual", error)


def _settle(layer: keras.layers.Layer, values: np.ndarray) -> None:
    """Train on one mini-batch until no weight moves any more."""
    for _ in range(_MOST_STEPS // _AT_ONCE):
        for _ in range(_AT_ONCE - 1):
            outputs(layer, values, training=True)
        before = weights(layer)
        outputs(layer, values, training=True)
        pairs = zip(before, weights(layer), strict=True)
        floats = [(old, new) for old, new in pairs if np.issubdtype(new.dtype, np.floating)]
        if all(np.abs(new - old).max(initial=0) <= _SETTLED for old, new in floats):
            return


def _in_weights(subject: Subject, layer: keras.layers.Layer, values: np.ndarray) -> Finding:
    """A fresh layer with the same weights is the same, and inference leaves them alone."""
    kept = weights(layer)
    twin = with_weights(subject.fresh(), kept)
    inferred = [outputs(one, values, training=False) for one in (layer, twin)]
    unchanged = all(map(np.array_equal, kept, weights(layer)))
    error = relative_error(inferred[1], inferred[0])
    if not unchanged:
        return Finding("inference changes weights", "fault", error)
    return fault_unless(error <= ROUNDING_BOUND, "some is kept elsewhere", error)


def _from_config(subject: Subject, layer: keras.layers.Layer, values: np.ndarray) -> Finding:
    twin = type(layer).from_config(layer.get_config())
    twin.build((None, *subject.inputs.shape[1:]))
    with_weights(twin, weights(layer))
    pairs = [
        [outputs(one, values, training=training) for one in (layer, twin)]
        for training in (False, True)
    ]
    error = max(relative_error(made, expected) for expected, made in pairs)
    return fault_unless(error <= ROUNDING_BOUND, "another layer comes back", error)


def _repeatable(subject: Subject, values: np.ndarray) -> Finding:
    error = relative_error(subject.training(values), subject.training(values))
    finding = yes_if(error <= ROUNDING_BOUND, error)
    return finding if finding.judgement == "yes" else Finding("no", "unusual", error)
