"""Least squares through batch normalization (Kohler et al. 2019).

    min over gamma of E (gamma BN(w.x) - y)^2 / 2 = E y^2 / 2 - (u.w)^2 / (2 w.S w)

for centred x and y, u = E[y x], S = E[x x^T]. What is left to minimize does not see the scale of w,
and its minimum is S^-1 u. At the best gain the gradient is orthogonal to the normalized values, so
that what batch normalization takes out of it is 0.
"""

import numpy as np
from keras import ops

from bnrepro.engine.probe import Function
from bnrepro.lab.laws.calculus import gradient, in_training
from bnrepro.lab.setting import batch_normalization, random
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "X15.reduced": Criterion(
        "X15",
        "loss through the layer at its best gain against the reduced one: relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X15.scale": Criterion(
        "X15", "weights times 10: relative change of the loss", "at most", ROUNDING_BOUND
    ),
    "X15.gradient": Criterion(
        "X15",
        "gradient through the layer at its best gain against the reduced loss's: relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X15.minimum": Criterion(
        "X15",
        "loss at S^-1 u against that of ordinary least squares: relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X15.others": Criterion(
        "X15", "1,000 other directions: their smallest loss over that", "at least", 1
    ),
}

_EXAMPLES, _FEATURES, _DIRECTIONS = 200, 5, 1_000


def verdicts() -> list[Verdict]:
    """X15; kernels are (features, units), each unit a network of its own."""
    inputs, targets = data()
    u, S = inputs.T @ targets / _EXAMPLES, inputs.T @ inputs / _EXAMPLES
    others = random("law: w", _FEATURES, _DIRECTIONS)
    direct, scaled = (best_loss(w, inputs, targets) for w in (others, 10 * others))
    share = u.T @ others / (others * (S @ others)).sum(axis=0)
    reduced = (targets**2).mean() / 2 - share * (u.T @ others) / 2
    reduced_slope = share**2 * (S @ others) - share * u
    error = np.abs(slope(others, inputs, targets) - reduced_slope).max()
    minimum = np.linalg.solve(S, u)
    rest = targets - inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0]
    least, loss = (rest**2).mean() / 2, best_loss(minimum, inputs, targets)[0]
    return [
        judge(CRITERIA["X15.reduced"], np.abs(reduced / direct - 1).max()),
        judge(CRITERIA["X15.scale"], np.abs(scaled / direct - 1).max()),
        judge(CRITERIA["X15.gradient"], error / np.abs(reduced_slope).max()),
        judge(CRITERIA["X15.minimum"], abs(loss / least - 1)),
        judge(CRITERIA["X15.others"], direct.min() / loss),
    ]


def data() -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, (examples, features), and targets, (examples, 1), centred both."""
    mixing = np.eye(_FEATURES) + random("law: mixing of features", _FEATURES, _FEATURES) / 3
    inputs = random("law: features", _EXAMPLES, _FEATURES) @ mixing
    noise = random("law: noise of y", _EXAMPLES, 1)
    targets = inputs @ random("law: true w", _FEATURES, 1) + noise
    return inputs - inputs.mean(axis=0), targets - targets.mean()


def normalize(inputs: np.ndarray, units: int) -> Function:
    """w -> BN(w.x) by the project's layer, (examples, units)."""
    layer = batch_normalization()
    layer.build((None, units))
    outputs = in_training(layer)
    return lambda w: outputs(ops.matmul(inputs, w))


def best_gain(w: np.ndarray, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The gamma of least loss of each unit, (units,)."""
    seen = np.asarray(normalize(inputs, w.shape[1])(w))
    return (seen * targets).sum(axis=0) / (seen**2).sum(axis=0)


def best_loss(w: np.ndarray, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The least loss over all gains of each unit, (units,)."""
    seen = np.asarray(normalize(inputs, w.shape[1])(w))
    return ((best_gain(w, inputs, targets) * seen - targets) ** 2).mean(axis=0) / 2


def slope(w: np.ndarray, inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The gradient of the least loss by w, which is that at the best gain, (features, units)."""
    outputs, gain = normalize(inputs, w.shape[1]), best_gain(w, inputs, targets)
    return gradient(
        lambda each: ops.sum((gain * outputs(each) - targets) ** 2) / (2 * _EXAMPLES), w
    )
