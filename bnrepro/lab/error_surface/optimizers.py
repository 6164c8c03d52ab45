"""E3: Adam and RMSprop on the raw surface, along the axes and turned by 45 degrees.

Both divide every coordinate of the gradient by its own size. That mends different scales where the
axes of the surface are those of the weights; a rotation leaves gradient descent as it was, and
takes this from them. Each optimizer has the rate of a grid that is best for it on the surface.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bnrepro.lab.error_surface import features, quadratic
from bnrepro.lab.error_surface.quadratic import SHRINKING, Surface

DEVIATIONS = (10.0, 30.0, 100.0)
_TURNS = {"aligned": np.eye(2), "rotated": np.array([[1, -1], [1, 1]]) / np.sqrt(2)}
_RATES = 10.0 ** np.arange(-3.5, 0.6, 0.25)
# Who is near the minimum for so many steps has arrived.
_STEPS, _STAYING = 20_000, 100
# The defaults of Kingma and Ba (2015) and of Tieleman and Hinton (2012); Keras's epsilon.
_FIRST_DECAY, _SECOND_DECAY, _ROOT_DECAY, _EPSILON = 0.9, 0.999, 0.9, 1e-7

# (gradient, state, step from 1 on) -> direction; a state is changed in place.
Rule = Callable[[np.ndarray, dict[str, np.ndarray], int], np.ndarray]


class Row(NamedTuple):
    """An optimizer at its best rate; `steps` is nan where it never arrives."""

    seed: int
    deviation: float
    turn: str
    optimizer: str
    condition: float
    rate: float
    steps: float


COLUMNS = Row._fields


def rows(seeds: Sequence[int]) -> Iterator[Row]:
    """A row per seed, deviation of the second feature, turn and optimizer."""
    settings = [
        (seed, deviation, turn, _surface(seed, deviation, turn))
        for seed in seeds
        for deviation in DEVIATIONS
        for turn in _TURNS
    ]
    surfaces = [surface for *_, surface in settings]
    counted = {name: best_of_grid(surfaces, rule) for name, rule in RULES.items()}
    for place, (seed, deviation, turn, surface) in enumerate(settings):
        steps = quadratic.count_steps(surface, surface.worst_start(), surface.best_rate)
        own = {"gradient descent": (surface.best_rate, float(steps or np.nan))}
        own |= {name: found[place] for name, found in counted.items()}
        for optimizer, (rate, steps_of) in own.items():
            yield Row(seed, deviation, turn, optimizer, surface.condition, rate, steps_of)


def adam(gradient: np.ndarray, state: dict[str, np.ndarray], step: int) -> np.ndarray:
    """Adam's direction, with bias correction."""
    first = state.get("first", 0) * _FIRST_DECAY + (1 - _FIRST_DECAY) * gradient
    second = state.get("second", 0) * _SECOND_DECAY + (1 - _SECOND_DECAY) * gradient**2
    state |= {"first": first, "second": second}
    size = np.sqrt(second / (1 - _SECOND_DECAY**step)) + _EPSILON
    return first / (1 - _FIRST_DECAY**step) / size


def rmsprop(gradient: np.ndarray, state: dict[str, np.ndarray], step: int) -> np.ndarray:
    """RMSprop's direction, epsilon inside the root."""
    state["second"] = state.get("second", 0) * _ROOT_DECAY + (1 - _ROOT_DECAY) * gradient**2
    return gradient / np.sqrt(state["second"] + _EPSILON)


RULES: dict[str, Rule] = {"Adam": adam, "RMSprop": rmsprop}


def best_of_grid(
    surfaces: Sequence[Surface], rule: Rule, steps: int = _STEPS
) -> list[tuple[float, float]]:
    """Of each surface the rate of the grid that takes the fewest steps, and how many.

    Steps until the distance from the minimum is a thousandth and stays so for a hundred: to pass
    the minimum on the way is not to have arrived.
    """
    hessians = np.array([surface.hessian for surface in surfaces])
    starts = np.array([surface.worst_start() - surface.minimum for surface in surfaces])
    # (surfaces, rates, weights)
    errors = np.repeat(starts[:, None], len(_RATES), axis=1)
    counted = np.full(errors.shape[:2], np.inf)
    far = np.zeros(errors.shape[:2], int)
    state: dict[str, np.ndarray] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(1, steps + 1):
            errors = errors - _RATES[:, None] * rule(errors @ hessians, state, step)
            far[~(np.square(errors).sum(axis=-1) <= SHRINKING**-2)] = step
            counted[(step - far == _STAYING) & np.isinf(counted)] = step - _STAYING + 1
    best = counted.argmin(axis=1)
    fewest = counted[np.arange(len(surfaces)), best]
    return [
        (float(_RATES[index]), float(few) if np.isfinite(few) else float("nan"))
        for index, few in zip(best, fewest, strict=True)
    ]


def _surface(seed: int, deviation: float, turn: str) -> Surface:
    raw, targets = features.draw(seed, "optimizers", (1.0, deviation))
    return quadratic.of_features(raw @ _TURNS[turn], targets, bias=False)
