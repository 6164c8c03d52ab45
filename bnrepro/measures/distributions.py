"""How distributions of a unit's values move: in one step, and since the training began.

Santurkar et al. 2018 (https://arxiv.org/abs/1805.11604), sections 2.1 and appendix A (figures 2 and
8): mean and variance of the inputs of activations over fixed images, at a step and the next one,
and histograms. As in training: the mini-batch's own statistics, and noise where there is some.
"""

from collections.abc import Sequence

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.config.randomness import generator
from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images
from bnrepro.measures.geometric import GeometricMeasure, geometric_steps
from bnrepro.measures.measure import Rows, in_six_digits

BINS = 24


class Distributions(GeometricMeasure):
    """A row for each of `watched` layers; due at geometric steps, each with the one after it.

    Mean, variance and histogram are of unit 0; `mean_change` and `variance_change` are medians over
    all units of the absolute difference from the step before, nan where that was not measured;
    `mean_drift` likewise from step 0. The images are as many training images as a mini-batch has,
    drawn by the seed.
    """

    name = "distributions"
    columns = (
        "layer",
        "step",
        "mean",
        "variance",
        "mean_change",
        "variance_change",
        "mean_drift",
        "low",
        "high",
        *(f"bin_{number}" for number in range(BINS)),
    )

    def __init__(self, every: int, measurements: int) -> None:
        super().__init__(every, measurements)
        # (mean or variance, units) by layer, and the step they were measured at.
        self._last: dict[str, np.ndarray] = {}
        self._first: dict[str, np.ndarray] = {}
        self._last_step = -1

    def next_due(self, step: int, config: RunConfig) -> int:
        is_on_grid = self.every > 0 and step % self.every == 0
        return step + 1 if is_on_grid else super().next_due(step, config)

    def due_steps(self, config: RunConfig) -> list[int]:
        steps = geometric_steps(self._measurements, config.train_steps)
        both = {at for step in steps for at in (step, step + 1)}
        return sorted(at for at in both if at <= config.train_steps)

    def prepare(self, engine: Engine) -> None:
        engine.pre_activations(self._images(engine))

    def rows(self, engine: Engine, step: int) -> Rows:
        values = engine.pre_activations(self._images(engine))
        rows = [
            [layer, step, *self._row(layer, _flat(values[layer]), step)]
            for layer in watched(list(values))
        ]
        self._last_step = step
        return rows

    def state(self) -> dict[str, np.ndarray]:
        kept = {f"last/{layer}": value for layer, value in self._last.items()}
        kept |= {f"first/{layer}": value for layer, value in self._first.items()}
        return kept | {"last_step": np.array(self._last_step)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        self._last_step = int(state.get("last_step", -1))
        for name, value in state.items():
            kind, _, layer = name.partition("/")
            if layer:
                {"last": self._last, "first": self._first}[kind][layer] = value

    def _row(self, layer: str, values: np.ndarray, step: int) -> list[float]:
        moments = np.stack([values.mean(axis=0), values.var(axis=0)])
        first = self._first.setdefault(layer, moments)
        before = self._last.get(layer) if self._last_step == step - 1 else None
        self._last[layer] = moments
        changes = _distance(moments, before) if before is not None else (np.nan, np.nan)
        counts, edges = _histogram(values[:, 0])
        ends = edges[0], edges[-1]
        own = (*moments[:, 0], *changes, _distance(moments, first)[0], *ends)
        return [*in_six_digits(own), *map(int, counts)]

    def _images(self, engine: Engine) -> np.ndarray:
        split = engine.dataset.train
        random = generator(engine.config.seed, "distributions")
        rows = random.choice(len(split.labels), engine.order.batch_size, replace=False)
        return read_images(split, rows)


def watched(layers: Sequence[str]) -> list[str]:
    """The first of some layers, the one in the middle and the last."""
    return list(dict.fromkeys([layers[0], layers[len(layers) // 2], layers[-1]]))


def _flat(values: np.ndarray) -> np.ndarray:
    """(values, units), in double precision."""
    return values.reshape(-1, values.shape[-1]).astype(np.float64)


def _distance(moments: np.ndarray, others: np.ndarray) -> tuple[float, float]:
    """The medians over units of the absolute differences of means and of variances."""
    mean, variance = np.median(np.abs(moments - others), axis=1)
    return float(mean), float(variance)


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not np.isfinite(values).all():
        return np.zeros(BINS, int), np.full(BINS + 1, np.nan)
    return np.histogram(values, BINS)


def build(config: RunConfig) -> Distributions:
    """The measure with the options of `config`."""
    return Distributions(config.distributions.every, config.distributions.measurements)
