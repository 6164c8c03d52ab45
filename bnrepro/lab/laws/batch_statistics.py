"""What batch normalization's statistics are: noisy, behind their time, and shifted by dropout.

Each is read off the layer that the project's networks are made of: with momentum 0 its moving mean
and variance are those of the last mini-batch.
"""

from collections.abc import Callable, Iterable

import keras
import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.lab.setting import batch_normalization
from bnrepro.models.dropout import Dropout
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

# A variance over so many units scatters by sqrt(2 / units), 1 %; of the law of the deviation, which
# is of first order in 1/M, the next order is 1 % at these M.
_UNITS, _NOISE_BOUND = 20_000, 0.05
# The variance of a moving average over as many units scatters by 1 %, too.
_AVERAGE_BOUND = 0.03
# A variance over 100,000 examples scatters by half a percent for heavy tails.
_DROPOUT_BOUND = 0.02

CRITERIA = {
    "X7.mean": Criterion(
        "X7",
        "variance of the mean, 32 normal, 256 uniform or Laplace values: largest |over the law "
        "- 1|",
        "at most",
        _NOISE_BOUND,
    ),
    "X7.deviation": Criterion(
        "X7",
        "variance of the deviation, the same: largest |over the law - 1|",
        "at most",
        _NOISE_BOUND,
    ),
    "X7.bias": Criterion(
        "X7", "mean of the variance, the same: largest |over the law - 1|", "at most", _NOISE_BOUND
    ),
    "X7.neighbours": Criterion(
        "X7",
        "feature maps that are means over 3 x 3 neighbours: |effective M over a ninth of the "
        "values - 1|",
        "at most",
        _NOISE_BOUND,
    ),
    "X8.lag": Criterion(
        "X8",
        "moving mean behind a mean that moves linearly: relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X8.noise": Criterion(
        "X8", "variance of a moving mean: |over the law - 1|", "at most", _AVERAGE_BOUND
    ),
    "X8.memory": Criterion(
        "X8",
        "what is left of the first moving variance: largest relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "X12.variance": Criterion(
        "X12",
        "moving variance behind dropout, p = 0.5 and 0.8, c = 0 and 1: largest |over the law - 1|",
        "at most",
        _DROPOUT_BOUND,
    ),
    "X12.ratio": Criterion(
        "X12",
        "mean 0: moving variance over the variance at inference, times p: |1 - the ratio|",
        "at most",
        _DROPOUT_BOUND,
    ),
    "X12.inference": Criterion(
        "X12", "variance at inference: |over v - 1|", "at most", _DROPOUT_BOUND
    ),
}

# Values of mean 0 and variance 1, by their excess kurtosis.
_Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
_VALUES: dict[str, tuple[float, _Draw]] = {
    "normal": (0.0, lambda random, shape: random.standard_normal(shape)),
    "uniform": (-1.2, lambda random, shape: random.uniform(-np.sqrt(3), np.sqrt(3), shape)),
    "Laplace": (3.0, lambda random, shape: random.laplace(0, np.sqrt(0.5), shape)),
}
_NORMAL_SIZE = 32
_MAP_SIZE, _MAP_BATCH, _MAPS = 8, 4, 4_000
_LAG_MOMENTUM, _LAG_STEPS, _SPEED = 0.9, 400, 0.25
_MEMORY_MOMENTUM, _MEMORY_STEPS = 0.99, 459
_EXAMPLES = 100_000


def noise() -> list[Verdict]:
    """X7: 20,000 units see independent values; each unit's statistics are one draw."""
    means, deviations, biases = zip(*(noise_over_law(name) for name in _VALUES), strict=True)
    ratio = effective_size() / (_MAP_BATCH * _MAP_SIZE**2 / 9)
    values = _MAP_BATCH * _MAP_SIZE**2
    return [
        judge(CRITERIA["X7.mean"], _largest(means), _listed(means)),
        judge(CRITERIA["X7.deviation"], _largest(deviations), _listed(deviations)),
        judge(CRITERIA["X7.bias"], _largest(biases), _listed(biases)),
        judge(CRITERIA["X7.neighbours"], abs(ratio - 1), f"{values * ratio / 9:.3g} of {values}"),
    ]


def noise_over_law(name: str) -> tuple[float, float, float]:
    """Var mean, Var deviation and E variance of a mini-batch's statistics, over the laws."""
    kurtosis, draw = _VALUES[name]
    # Other values than normal ones take more of them until the first order is all.
    size = _NORMAL_SIZE if name == "normal" else 256
    values = draw(generator(0, f"law: {name} values"), (size, _UNITS))
    mean, variance = statistics_of(values)
    return (
        float(mean.var() * size),
        float(np.sqrt(variance).var() * 4 * size / (kurtosis + 2)),
        float(variance.mean() * size / (size - 1)),
    )


def effective_size() -> float:
    """s^2 / Var mean of feature maps whose every value is a mean over 3 x 3 neighbours."""
    white = generator(0, "law: feature maps").standard_normal(
        (_MAP_BATCH, _MAP_SIZE, _MAP_SIZE, _MAPS)
    )
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    smooth = sum(np.roll(white, shift, axis=(1, 2)) for shift in shifts) / len(shifts)
    mean, _ = statistics_of(np.asarray(smooth))
    return float(np.asarray(smooth).var() / mean.var())


def moving_average() -> list[Verdict]:
    """X8, with momentum 0.9 and, for the memory, 0.99."""
    a = _LAG_MOMENTUM
    lag = _SPEED * _LAG_STEPS - follow_line()
    noise_left = follow_noise().var()
    memory = follow_constant()
    steps = np.arange(1, _MEMORY_STEPS + 1)
    return [
        judge(
            CRITERIA["X8.lag"], abs(lag / (_SPEED * a / (1 - a)) - 1), f"{lag / _SPEED:.3g} steps"
        ),
        judge(CRITERIA["X8.noise"], abs(noise_left / ((1 - a) / (1 + a)) - 1), f"{noise_left:.4f}"),
        judge(
            CRITERIA["X8.memory"],
            np.abs(memory / _MEMORY_MOMENTUM**steps - 1).max(),
            f"{memory[-1]:.2%} after {_MEMORY_STEPS} steps of momentum {_MEMORY_MOMENTUM}",
        ),
    ]


def follow_line() -> float:
    """The moving mean where the mini-batch's mean has been the step times a speed."""
    layer = built(1, momentum=_LAG_MOMENTUM)
    for step in range(1, _LAG_STEPS + 1):
        layer(_SPEED * step * np.ones((2, 1)), training=True)
    return float(np.asarray(layer.moving_mean)[0])


def follow_noise() -> np.ndarray:
    """The moving mean of each unit where its mini-batch's mean is noise of variance 1, (units,)."""
    layer = built(_UNITS, momentum=_LAG_MOMENTUM)
    random = generator(0, "law: noise to average")
    # What is left of the beginning: 0.9^100.
    for _ in range(100):
        layer(random.standard_normal((1, _UNITS)), training=True)
    return np.asarray(layer.moving_mean)


def follow_constant() -> np.ndarray:
    """The moving variance, 1 at first, after each step on values that do not vary, (steps,)."""
    layer, seen = built(1, momentum=_MEMORY_MOMENTUM), []
    for _ in range(_MEMORY_STEPS):
        layer(np.ones((2, 1)), training=True)
        seen.append(float(np.asarray(layer.moving_variance)[0]))
    return np.array(seen)


def dropout_before() -> list[Verdict]:
    """X12: the project's dropout, then its batch normalization."""
    found = {(p, c): training_variance(p, c) for p in (0.5, 0.8) for c in (0.0, 1.0)}
    over_law = [value / ((1 + c**2) / p - c**2) for (p, c), value in found.items()]
    ratio = found[0.5, 0.0] * 0.5
    _, at_inference = statistics_of(Dropout(0.5, 0)(examples(0.0), training=False))
    return [
        judge(CRITERIA["X12.variance"], _largest(over_law), _listed(found.values())),
        judge(CRITERIA["X12.ratio"], abs(1 - ratio)),
        judge(CRITERIA["X12.inference"], abs(float(at_inference[0]) - 1)),
    ]


def training_variance(keep: float, mean: float) -> float:
    """What batch normalization takes for the variance of values that dropout has passed."""
    passed = Dropout(1 - keep, 0)(examples(mean), training=True)
    return float(statistics_of(passed)[1][0])


def examples(mean: float) -> np.ndarray:
    """Normal values of variance 1, (examples, 1)."""
    return mean + generator(0, "law: dropout").standard_normal((_EXAMPLES, 1))


def statistics_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and biased variance that the layer finds in a mini-batch, (units,) each."""
    layer = built(values.shape[-1], momentum=0.0, rank=len(values.shape))
    layer(values, training=True)
    return np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)


def built(units: int, momentum: float, rank: int = 2) -> keras.layers.Layer:
    """A layer for that many units or feature maps."""
    layer = batch_normalization(momentum=momentum)
    layer.build((*[None] * (rank - 1), units))
    return layer


def _largest(ratios: Iterable[float]) -> float:
    return max(abs(ratio - 1) for ratio in ratios)


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
