"""What a normalization does not see: table 1 of https://arxiv.org/abs/1607.06450.

The values are so large that no epsilon counts beside them.
"""

import numpy as np

from bnrepro.lab.comparison.findings import Finding, exact
from bnrepro.lab.comparison.subject import FAN_IN, UNITS, Subject
from bnrepro.lab.setting import random, relative_error

# An epsilon of 1e-3 is then 1e-11 of a deviation, and 1e-19 of a variance.
LARGE = 1e8
_FACTORS = (0.1, 10.0)
# The unit, and the example, that is changed alone.
_UNIT, _EXAMPLE = 3, 1


def measure(subject: Subject) -> dict[str, Finding]:
    """Whether each change of weights, inputs or one example leaves the outputs as they were."""
    u, w = subject.inputs.below()
    w = LARGE * w
    to_weights, to_inputs = random("compare dW", FAN_IN), random("compare du", FAN_IN)
    factors_of_unit = [np.where(np.arange(UNITS) == _UNIT, a, 1.0) for a in _FACTORS]
    first = np.zeros((len(u), *(1,) * (u.ndim - 1)))
    first[_EXAMPLE] = 1
    # Every unit's weights move by as much as they are long.
    changed = {
        "weights_scaled": [(u, a * w) for a in _FACTORS],
        "weights_shifted": [(u, w + LARGE * to_weights[:, None])],
        "unit_scaled": [(u, w * factors) for factors in factors_of_unit],
        "inputs_scaled": [(a * u, w) for a in _FACTORS],
        "inputs_shifted": [(u + to_inputs, w)],
        "example_scaled": [(u * (1 + (a - 1) * first), w) for a in _FACTORS],
        "example_shifted": [(u + first * to_inputs, w)],
    }
    before = subject.training(u @ w)
    return {
        name: exact(max(relative_error(subject.training(u @ w), before) for u, w in cases))
        for name, cases in changed.items()
    }
