"""At the edges: one example, no variance, numbers of little precision or range."""

import numpy as np

from bnrepro.lab.comparison.findings import Finding, fault_unless
from bnrepro.lab.comparison.subject import Subject, gradients, outputs, policy
from bnrepro.lab.setting import relative_error

_NOTHING = 1e-6
# Errors above these are no rounding of the format any more.
_FLOAT32_BOUND, _HALF_BOUND = 1e-2, 5e-2


def measure(subject: Subject) -> dict[str, Finding]:
    """Whether the outputs stay numbers, and how far they are from double precision's."""
    values = subject.inputs.values("x")
    return {
        "one_example": _one_example(subject, values[:1]),
        "constant": _constant(subject, values),
        "large_mean": _narrow(subject, values + 1e4, "float32", _FLOAT32_BOUND),
        "tiny_variance": _narrow(subject, 1e-6 * values, "float32", _FLOAT32_BOUND),
        "float16": _narrow(subject, 300 * values, "mixed_float16", _HALF_BOUND),
        "bfloat16": _narrow(subject, values, "mixed_bfloat16", _HALF_BOUND),
    }


def _one_example(subject: Subject, values: np.ndarray) -> Finding:
    made = subject.training(values)
    if not np.isfinite(made).all():
        return Finding("not finite", "fault")
    largest = float(np.abs(made).max())
    return Finding("all 0", "no", largest) if largest < _NOTHING else Finding("works", "yes")


def _constant(subject: Subject, values: np.ndarray) -> Finding:
    """One feature, and one example, are the same value everywhere."""
    values = values.copy()
    values[..., 0] = 5.0
    values[1] = 5.0
    made = subject.training(values)
    found = gradients(subject.fresh(), lambda x: x, [values], subject.inputs.values("dy"))
    finite = all(np.isfinite(each).all() for each in (made, *found))
    return fault_unless(finite, "not finite")


def _narrow(subject: Subject, values: np.ndarray, name: str, bound: float) -> Finding:
    """The layer under a dtype policy against itself in double precision, on the same numbers."""
    with policy(name):
        layer = subject.fresh()
    given = _rounded(values, layer.compute_dtype)
    made, expected = outputs(layer, given, training=True), subject.training(given)
    if not np.isfinite(made).all():
        return Finding("not finite", "fault")
    if subject.is_random():
        return Finding("other random numbers", "text")
    error = relative_error(made, expected)
    if error > bound:
        return Finding(f"off by {100 * error:.0f} %", "unusual", error)
    text = "exact" if error == 0 else f"{error:.0e}".replace("e-0", "e-")
    return Finding(text, "text", error)


def _rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    """The numbers of a format that are nearest to `values`, in float64."""
    from keras import ops

    narrow = ops.cast(ops.convert_to_tensor(values), dtype)
    return np.asarray(ops.convert_to_numpy(ops.cast(narrow, "float64")))
