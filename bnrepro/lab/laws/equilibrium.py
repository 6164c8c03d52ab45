"""Weight decay on a kernel before batch normalization: an equilibrium of its length and rotation.

With g = dL/dw orthogonal to w and E|g|^2 = G / |w|^2, descent `v <- mu v + g + lambda w`,
`w <- w - eta v` goes to |w|^4 = eta G / (2 lambda (1 - mu)), and turns w by
sqrt(2 eta lambda / (1 + mu)) in a step, whatever eta and lambda are each
(van Laarhoven 2017, Wan et al. 2021).
"""

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.verdicts.criteria import Criterion
from bnrepro.verdicts.verdict import Verdict, judge

# The laws are of first order in eta lambda / (1 - mu), here a thousandth and a hundredth.
_TOLERANCE = 0.02

CRITERIA = {
    "X5.length": Criterion(
        "X5", "plain descent: |law of |w|^4 over what was reached - 1|", "at most", _TOLERANCE
    ),
    "X5.rotation": Criterion(
        "X5", "plain descent: |law of the angle over the mean one - 1|", "at most", _TOLERANCE
    ),
    "X5.momentum_length": Criterion(
        "X5", "momentum 0.9: |law of |w|^4 over what was reached - 1|", "at most", _TOLERANCE
    ),
    "X5.momentum_rotation": Criterion(
        "X5", "momentum 0.9: |law of the angle over the mean one - 1|", "at most", _TOLERANCE
    ),
    "X5.forgotten": Criterion(
        "X5",
        "four times the rate and a quarter of the decay: relative change of the angle",
        "at most",
        _TOLERANCE,
        rounding=1e-6,
    ),
}

_NUM_KERNELS, _WEIGHTS = 20, 100
_RATE, _DECAY = 0.5, 2e-3
# What was there at first is forgotten by exp(-10).
_TIME_CONSTANTS, _OBSERVED_STEPS = 10, 400


def verdicts() -> list[Verdict]:
    """X5, from kernels of length 1 on."""
    length, angle = equilibrium(_RATE, _DECAY, momentum=0.0)
    with_momentum = equilibrium(_RATE, _DECAY, momentum=0.9)
    _, other_angle = equilibrium(4 * _RATE, _DECAY / 4, momentum=0.0)
    law = expected(_RATE, _DECAY, momentum=0.0)
    momentum_law = expected(_RATE, _DECAY, momentum=0.9)
    detail = "{:.4g} by the law, {:.4g} reached"
    found = {
        "X5.length": (law[0], length),
        "X5.rotation": (law[1], angle),
        "X5.momentum_length": (momentum_law[0], with_momentum[0]),
        "X5.momentum_rotation": (momentum_law[1], with_momentum[1]),
        "X5.forgotten": (angle, other_angle),
    }
    return [
        judge(CRITERIA[key], abs(by_law / value - 1), detail.format(by_law, value))
        for key, (by_law, value) in found.items()
    ]


def expected(rate: float, decay: float, momentum: float) -> tuple[float, float]:
    """|w|^4 and the angle of a step by the laws, with G = 1."""
    length = rate / (2 * decay * (1 - momentum))
    return length, float(np.sqrt(2 * rate * decay / (1 + momentum)))


def equilibrium(rate: float, decay: float, momentum: float) -> tuple[float, float]:
    """Mean |w|^4 and angle of a step, over kernels and the last steps."""
    random = generator(0, f"law: equilibrium {momentum}")
    w = random.standard_normal((_NUM_KERNELS, _WEIGHTS))
    w /= lengths(w)
    velocity = np.zeros_like(w)
    steps = round(_TIME_CONSTANTS * (1 - momentum) / (4 * rate * decay)) + _OBSERVED_STEPS
    fourth_powers, angles = [], []
    for step in range(steps):
        velocity = momentum * velocity + gradient(w, random) + decay * w
        moved = w - rate * velocity
        if step >= steps - _OBSERVED_STEPS:
            fourth_powers.append((lengths(moved) ** 4).mean())
            cosine = (w * moved).sum(axis=1, keepdims=True) / lengths(w) / lengths(moved)
            angles.append(np.arccos(cosine).mean())
        w = moved
    return float(np.mean(fourth_powers)), float(np.mean(angles))


def gradient(w: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A gradient as batch normalization gives it: orthogonal to w, of mean square 1 / |w|^2."""
    drawn = random.standard_normal(w.shape)
    unit = w / lengths(w)
    across = drawn - (drawn * unit).sum(axis=1, keepdims=True) * unit
    return across / np.sqrt(w.shape[1] - 1) / lengths(w)


def lengths(w: np.ndarray) -> np.ndarray:
    """|w| of each kernel, (kernels, 1)."""
    return np.linalg.norm(w, axis=1, keepdims=True)
