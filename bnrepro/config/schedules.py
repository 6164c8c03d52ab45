"""The learning rate of every step. Without Keras, so that what reads records can ask for it too."""

from collections.abc import Callable

import numpy as np

from bnrepro.config import Recipe, ScheduleConfig


def learning_rates(config: Recipe, start: int, stop: int) -> np.ndarray:
    """The learning rates of updates number `start + 1` to `stop`, (stop - start,).

    The peak rate (base times multiplier) times the schedule, in double precision, then cast to
    `config.dtype`.
    """
    steps = np.arange(start, stop, dtype=np.float64)
    factors = _SCHEDULES[config.schedule.name](config.schedule, steps)
    return (config.peak_learning_rate * factors).astype(config.dtype)


def _constant(_: ScheduleConfig, steps: np.ndarray) -> np.ndarray:
    """1 at every step."""
    return np.ones_like(steps)


def _exponential(config: ScheduleConfig, steps: np.ndarray) -> np.ndarray:
    """`decay_rate ^ (step / decay_steps)`."""
    return config.decay_rate ** (steps / config.decay_steps)


def _inverse_time(config: ScheduleConfig, steps: np.ndarray) -> np.ndarray:
    """`1 / (1 + decay_rate * step / decay_steps)`."""
    return 1 / (1 + config.decay_rate * steps / config.decay_steps)


def _step(config: ScheduleConfig, steps: np.ndarray) -> np.ndarray:
    """`decay_rate ^ floor(step / decay_steps)`."""
    return config.decay_rate ** np.floor(steps / config.decay_steps)


def _cosine(config: ScheduleConfig, steps: np.ndarray) -> np.ndarray:
    """`decay_rate + (1 - decay_rate) * (1 + cos(pi * step / decay_steps)) / 2`, then decay_rate."""
    share = np.minimum(steps / config.decay_steps, 1)
    return config.decay_rate + (1 - config.decay_rate) * (1 + np.cos(np.pi * share)) / 2


_SCHEDULES: dict[str, Callable[[ScheduleConfig, np.ndarray], np.ndarray]] = {
    "constant": _constant,
    "exponential": _exponential,
    "inverse_time": _inverse_time,
    "step": _step,
    "cosine": _cosine,
}
