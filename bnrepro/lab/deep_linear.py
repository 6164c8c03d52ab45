"""A3 where all is computed at once: internal covariate shift by gradients in a deep linear network.

Santurkar et al. 2018 (https://arxiv.org/abs/1805.11604), section 2.2 and figure 3: 25 layers of
10 x 10 weights, examples x ~ N(0, I), the loss |W_25 ... W_1 x - A x|^2 with a Gaussian A, descent
on all 1,000 examples, Glorot's initial weights; with and without batch normalization after all but
the last layer. G_i is the gradient for W_i, G'_i the same after the layers before it made their
step.

Paper: whether the loss is summed or averaged over the examples, and the scale of A, is not said.
Ours: summed; entries of variance 1. Averaged, rates would be a thousand times as large.

All seeds are one computation: arrays begin with an axis of seeds.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.config.randomness import generator
from bnrepro.lab.tables import write_table
from bnrepro.measures.covariate_shift import compared
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "By how much does a layer's gradient change when the layers before it make their step, in a "
    "deep linear network with and without batch normalization?"
)
DEPTH, SIZE, EXAMPLES, EPSILON = 25, 10, 1000, 1e-5
LAYERS = (9, 17)
RATES = (1e-7, 1e-6)
NETWORKS = ("without BN", "with BN")
_SEEDS = {PUBLISHED_SCALE: tuple(range(6)), SMOKE: (0, 1)}
_STEPS = {PUBLISHED_SCALE: 1500, SMOKE: 60}
_MEASUREMENTS = 30


@dataclass(frozen=True)
class Network:
    """The weights, or a gradient for them; gammas and betas are of all but the last layer.

    They are empty without batch normalization.
    """

    weights: list[np.ndarray]  # (seeds, inputs, outputs) each
    gammas: list[np.ndarray]  # (seeds, outputs) each
    betas: list[np.ndarray]

    def stepped(self, gradient: "Network", rate: float, layers: int | None = None) -> "Network":
        """After a step of descent of the first `layers`, of all without a number."""

        def moved(values: list[np.ndarray], slopes: list[np.ndarray]) -> list[np.ndarray]:
            count = len(values) if layers is None else min(layers, len(values))
            pairs = zip(values[:count], slopes[:count], strict=True)
            return [value - rate * slope for value, slope in pairs] + values[count:]

        return Network(
            moved(self.weights, gradient.weights),
            moved(self.gammas, gradient.gammas),
            moved(self.betas, gradient.betas),
        )


class Loss(NamedTuple):
    """Of one network per seed, with its gradient."""

    value: np.ndarray  # (seeds,)
    gradient: Network


class Normalized(NamedTuple):
    """Values (seeds, examples, size) without their mean, times the scale (seeds, 1, size).

    `along` says how the scale moves with the values: a gradient `inner` for what is normalized is
    `scale * (inner - mean(inner) - along * mean(inner * standard))` for the values.
    """

    standard: np.ndarray
    scale: np.ndarray
    along: np.ndarray


Normalize = Callable[[np.ndarray], Normalized]


def by_deviation(values: np.ndarray) -> Normalized:
    """Batch normalization."""
    mean, variance = values.mean(1, keepdims=True), values.var(1, keepdims=True)
    scale = 1 / np.sqrt(variance + EPSILON)
    standard = (values - mean) * scale
    return Normalized(standard, scale, standard)


def loss(
    network: Network,
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    normalize: Normalize = by_deviation,
) -> Loss:
    """The squared error summed over examples; inputs and targets are (seeds, examples, size)."""
    seen, normalized = [], []
    values = inputs
    for layer, weights in enumerate(network.weights):
        seen.append(values)
        values = values @ weights
        if layer < len(network.gammas):
            normalized.append(normalize(values))
            values = (
                normalized[-1].standard * network.gammas[layer][:, None]
                + network.betas[layer][:, None]
            )
    errors = values - targets
    return Loss((errors**2).sum((1, 2)), _backward(network, seen, normalized, 2 * errors))


def _backward(
    network: Network,
    seen: Sequence[np.ndarray],
    normalized: Sequence[Normalized],
    upstream: np.ndarray,
) -> Network:
    """The gradient, from that of the outputs; through batch normalization as in its section 3."""
    weights, gammas, betas = [], [], []
    for layer in reversed(range(len(network.weights))):
        if layer < len(network.gammas):
            standard, scale, slope = normalized[layer]
            gammas.append((upstream * standard).sum(1))
            betas.append(upstream.sum(1))
            inner = upstream * network.gammas[layer][:, None]
            along = slope * (inner * standard).mean(1, keepdims=True)
            upstream = scale * (inner - inner.mean(1, keepdims=True) - along)
        weights.append(seen[layer].swapaxes(1, 2) @ upstream)
        upstream = upstream @ network.weights[layer].swapaxes(1, 2)
    return Network(weights[::-1], gammas[::-1], betas[::-1])


def draw(
    seeds: Sequence[int], is_normalized: bool, depth: int = DEPTH, size: int = SIZE
) -> tuple[Network, np.ndarray, np.ndarray]:
    """Networks with Glorot's uniform weights, inputs and targets; the same with and without."""

    def stacked(purpose: str, *shape: int) -> np.ndarray:
        return np.stack(
            [generator(s, f"deep linear/{purpose}").standard_normal(shape) for s in seeds]
        )

    end = np.sqrt(6 / (size + size))
    weights = [
        np.stack(
            [
                generator(s, f"deep linear/weights {n}").uniform(-end, end, (size, size))
                for s in seeds
            ]
        )
        for n in range(depth)
    ]
    inputs = stacked("inputs", EXAMPLES, size)
    targets = inputs @ stacked("map", size, size)
    hidden = depth - 1 if is_normalized else 0
    ones, zeros = np.ones((len(seeds), size)), np.zeros((len(seeds), size))
    return Network(weights, [ones] * hidden, [zeros] * hidden), inputs, targets


class Step(NamedTuple):
    """Where the networks of all seeds stand."""

    step: int
    loss: np.ndarray  # (seeds,)
    shifts: dict[int, tuple[np.ndarray, np.ndarray]]  # by layer from 1 on, G and G'


def descend(
    start: tuple[Network, np.ndarray, np.ndarray],
    rate: float,
    steps: int,
    layers: Sequence[int] = LAYERS,
) -> Iterator[Step]:
    """Full-batch descent, looked at in steps of equal distance."""
    network, *examples = start
    every = max(1, steps // _MEASUREMENTS)
    for step in range(steps + 1):
        here = loss(network, *examples)
        if step % every == 0:
            shifts = {}
            for layer in layers:
                before = network.stepped(here.gradient, rate, layer - 1)
                after = loss(before, *examples).gradient.weights[layer - 1]
                shifts[layer] = here.gradient.weights[layer - 1], after
            yield Step(step, here.value, shifts)
        network = network.stepped(here.gradient, rate)


class LossRow(NamedTuple):
    """One network at one step."""

    rate: float
    network: str
    seed: int
    step: int
    loss: float


class ShiftRow(NamedTuple):
    """One layer of it: the norm of G, that of G - G', the same over the former, and the cosine."""

    rate: float
    network: str
    layer: int
    seed: int
    step: int
    gradient_norm: float
    difference: float
    relative: float
    cosine: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave the tables `losses` and `shifts` in `folder`."""
    seeds, steps = _SEEDS[scale], _STEPS[scale]
    losses: list[LossRow] = []
    shifts: list[ShiftRow] = []
    with np.errstate(all="ignore"):  # a network that diverges is a result
        for rate in RATES:
            for name in NETWORKS:
                for at in descend(draw(seeds, name == "with BN"), rate, steps):
                    values = zip(seeds, at.loss.tolist(), strict=True)
                    losses += [LossRow(rate, name, seed, at.step, value) for seed, value in values]
                    for layer, pair in at.shifts.items():
                        rows = zip(seeds, *pair, strict=True)
                        shifts += [
                            ShiftRow(rate, name, layer, seed, at.step, *compared(before, after))
                            for seed, before, after in rows
                        ]
    write_table(folder / "losses.csv", LossRow._fields, losses)
    write_table(folder / "shifts.csv", ShiftRow._fields, shifts)
