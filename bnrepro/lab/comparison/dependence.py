"""What an output depends on: which other values, how their variance is taken, and epsilon."""

import math

import numpy as np

from bnrepro.lab.comparison.findings import Finding, exact, yes_if
from bnrepro.lab.comparison.invariance import LARGE
from bnrepro.lab.comparison.subject import Subject
from bnrepro.lab.comparison.summary import listed
from bnrepro.lab.setting import relative_error
from bnrepro.verdicts.criteria import ROUNDING_BOUND

# Statistics of batch, layer, group, instance and per-activation normalization, of layer
# normalization at each position, and of no normalization.
_USUAL: tuple[set[str], ...] = (
    {"examples"},
    {"units"},
    {"examples", "rows", "columns"},
    {"rows", "columns", "channels"},
    {"rows", "columns"},
    {"channels"},
    set(),
)
# What values of 1 and 3 are divided by, where it is not their deviation, which is 1.
_SIZES = {"mean |x|": 2.0, "√(mean x²)": math.sqrt(5), "max |x|": 3.0}
_AMPLITUDES = np.logspace(-12, 2, 29)
# Outputs between these shares of what they are without epsilon tell what it is.
_TELLING = (0.05, 0.99)
_CONSISTENT = 1e-6


def measure(subject: Subject) -> dict[str, Finding]:
    """Which values share statistics, biased or not, with epsilon where."""
    values = subject.inputs.values("x")
    before = subject.training(values)
    spread = _spread(subject, values, before)
    twice = subject.training(np.concatenate([values, values]))[: len(values)]
    return {
        "statistics_over": _statistics(subject, spread),
        "other_examples": yes_if("examples" in spread),
        "batch_twice": exact(relative_error(twice, before)),
        "variance": _variance(subject),
        "epsilon": _epsilon(subject),
    }


def _spread(subject: Subject, values: np.ndarray, before: np.ndarray) -> dict[str, int]:
    """Along each axis, at how many places outputs move with one value, its own among them.

    An axis along which only its own place moves is left out.
    """
    moved = values.copy()
    moved[(0,) * values.ndim] += 0.5
    changed = np.abs(subject.training(moved) - before) > ROUNDING_BOUND
    counts = {}
    for axis, name in enumerate(subject.inputs.axes):
        others = tuple(other for other in range(values.ndim) if other != axis)
        places = np.flatnonzero(changed.any(axis=others))
        if set(places) - {0}:
            counts[name] = len(places)
    return counts


def _statistics(subject: Subject, spread: dict[str, int]) -> Finding:
    lengths = dict(zip(subject.inputs.axes, subject.inputs.shape, strict=True))
    parts = [
        name if spread[name] == lengths[name] else f"{spread[name]} of {lengths[name]} {name}"
        for name in spread
    ]
    if {"rows", "columns"} <= set(parts):
        parts = ["positions" if name == "rows" else name for name in parts if name != "columns"]
    return Finding(
        listed(parts) or "no other value", "text" if set(spread) in _USUAL else "unusual"
    )


def _amplitude(subject: Subject, a: float) -> float:
    """The size of the outputs of values a and -a."""
    return float(np.abs(subject.training(a * subject.inputs.balanced())).mean())


def _variance(subject: Subject) -> Finding:
    amplitude = _amplitude(subject, LARGE)
    if abs(amplitude - 1) <= ROUNDING_BOUND:
        return _biased(subject, amplitude)
    if abs(_amplitude(subject, 2 * LARGE) / amplitude - 1) > ROUNDING_BOUND:
        return Finding("does not normalize", "text", amplitude)
    m = 1 / (1 - amplitude**2) if amplitude < 1 else math.nan
    if abs(m - round(m)) <= _CONSISTENT * m if math.isfinite(m) else False:
        return Finding(f"unbiased, 1/(m−1), m = {round(m)}", "unusual", amplitude)
    return Finding(f"outputs of size {amplitude:.3g}", "unusual", amplitude)


def _biased(subject: Subject, amplitude: float) -> Finding:
    """What is 1 for values of 1 and -1 need not be their deviation: their mean is moved."""
    size = 2 / float(np.ptp(subject.training(LARGE * (2 + subject.inputs.balanced()))))
    if abs(size - 1) <= ROUNDING_BOUND:
        return Finding("biased, 1/m", "text", amplitude)
    near = (name for name, value in _SIZES.items() if abs(size / value - 1) <= ROUNDING_BOUND)
    return Finding(f"none: divides by {next(near, f'{size:.3g} deviations')}", "unusual", amplitude)


def _epsilon(subject: Subject) -> Finding:
    limit, further = (_amplitude(subject, factor * LARGE) for factor in (1, 2))
    if abs(further / limit - 1) > ROUNDING_BOUND:
        return Finding("none", "text")
    shares = {a: _amplitude(subject, a) / limit for a in _AMPLITUDES}
    low, high = _TELLING
    telling = {a: share for a, share in shares.items() if low < share < high}
    if not telling:
        return Finding("none", "text")
    places = {
        "to the variance": [a**2 * (1 / share**2 - 1) for a, share in telling.items()],
        "to the deviation": [a * (1 / share - 1) for a, share in telling.items()],
    }
    for place, found in places.items():
        epsilon = float(np.median(found))
        if np.ptp(found) <= _CONSISTENT * epsilon:
            usual = place == "to the variance"
            return Finding(f"{epsilon:.3g} {place}", "text" if usual else "unusual", epsilon)
    return Finding("elsewhere", "unusual")
