"""Internal covariate shift by gradients: how a layer's gradient changes as those before it learn.

Santurkar et al. 2018 (https://arxiv.org/abs/1805.11604), definition 2.1: G_i is the gradient for
the kernel of layer i, G'_i the same on the same batch after the layers before it made their step.
Reported are |G_i - G'_i| and the cosine of both.

Paper: "parameters of previous layers". Ours: their gamma, beta and biases too; the step is plain
gradient descent's at the run's present rate, whatever the optimizer.
"""

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.config.schedules import learning_rates
from bnrepro.engine import Engine, build_probe
from bnrepro.engine.probe import Probe
from bnrepro.engine.weights import Layout, Parameter
from bnrepro.measures.geometric import GeometricMeasure, next_batch
from bnrepro.measures.measure import Rows, in_six_digits


class CovariateShift(GeometricMeasure):
    """A row for each of `watched` kernels, in mode `batch`, on the batch that comes next."""

    name = "covariate_shift"
    columns = ("kernel", "step", "gradient_norm", "difference", "relative", "cosine")
    _probe: Probe | None = None

    def prepare(self, engine: Engine) -> None:
        self.rows(engine, 0)

    def rows(self, engine: Engine, step: int) -> Rows:
        rate = float(learning_rates(engine.config, step, step + 1)[0])
        if self._probe is None:
            self._probe = build_probe(engine)
        probe, batch = self._probe, next_batch(engine, step)
        kernels, point = watched(probe.layout), probe.point.astype(np.float64)
        _, gradients = probe.gradients(point[None], batch, "batch")
        gradient = gradients[0].astype(np.float64)
        moved = [
            point - rate * gradient * probe.layout.mask(layers=range(kernel.layer))
            for kernel in kernels
        ]
        _, after = probe.gradients(np.stack(moved), batch, "batch")
        rows: Rows = []
        for kernel, each in zip(kernels, after.astype(np.float64), strict=True):
            values = compared(_part(gradient, kernel), _part(each, kernel))
            rows.append([kernel.path, step, *in_six_digits(values)])
        return rows


def watched(layout: Layout) -> list[Parameter]:
    """The kernels in the middle of the hidden layers and at their end."""
    *hidden, _ = [each for each in layout.parameters if each.kind == "kernel"]
    places = sorted({(len(hidden) + 1) // 2, len(hidden)})
    return [hidden[place - 1] for place in places]


def _part(vector: np.ndarray, kernel: Parameter) -> np.ndarray:
    return vector[kernel.start : kernel.stop]


def compared(before: np.ndarray, after: np.ndarray) -> list[float]:
    """|G|, |G - G'|, |G - G'| / |G| and the cosine of G and G'; not finite of a gradient of 0."""
    norm, difference = np.linalg.norm(before), np.linalg.norm(before - after)
    with np.errstate(all="ignore"):
        cosine = (before * after).sum() / (norm * np.linalg.norm(after))
        return [float(norm), float(difference), float(difference / norm), float(cosine)]


def build(config: RunConfig) -> CovariateShift:
    """The measure with the options of `config`."""
    return CovariateShift(config.covariate_shift.every, config.covariate_shift.measurements)
