"""A4 and A5: l_p norms in place of the deviation, in the deep linear network of `deep_linear`.

Santurkar et al. 2018 (https://arxiv.org/abs/1805.11604), section 3.3 and figures 5, 10 and 12:
`y = gamma * (x - mean) / sqrt(s_p^2 + epsilon) + beta` with s_p the average size of the values
before their mean is taken, as `normalization.lp_norm` has it. Along the gradient g, at steps of
1/100 to 30 times the rate, on all examples: the losses, the change of the gradient, and
`beta = max |g(w - a g) - g| / (a |g|)`; the same at steps that are an equal share of the weights'
norm, where no scale of weights or loss counts.

All seeds are one computation.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.lab.deep_linear import (
    EPSILON,
    Network,
    Normalize,
    Normalized,
    by_deviation,
    draw,
    loss,
)
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "Must it be the deviation: how do a deep linear network's loss and gradient behave where "
    "values are divided by an l_p norm?"
)
RATE = 1e-7
# In shares of the rate, and of the weights' norm.
STEPS_ALONG, SHARES = np.geomspace(0.01, 30, 8), (1e-3, 1e-2, 1e-1)
_SEEDS = {PUBLISHED_SCALE: tuple(range(6)), SMOKE: (0, 1)}
_STEPS = {PUBLISHED_SCALE: 500, SMOKE: 30}
_MEASUREMENTS, _EVERY = 12, 10


def by_norm(values: np.ndarray, name: str) -> Normalized:
    """By the norm called l1, l2 or linf."""
    sizes, count = np.abs(values), values.shape[1]
    if name == "l1":
        size, slope = sizes.mean(1, keepdims=True), np.sign(values)
    elif name == "l2":
        size = np.sqrt((values**2).mean(1, keepdims=True))
        slope = values / size
    else:
        size = sizes.max(1, keepdims=True)
        largest = sizes == size
        slope = count * np.sign(values) * largest / largest.sum(1, keepdims=True)
    scale = 1 / np.sqrt(size**2 + EPSILON)
    standard = (values - values.mean(1, keepdims=True)) * scale
    return Normalized(standard, scale, size * scale * slope)


# What values are divided by, by network; nothing where it is None.
NETWORKS: dict[str, Normalize | None] = {
    "without": None,
    "deviation (BN)": by_deviation,
    "l1": partial(by_norm, name="l1"),
    "l2": partial(by_norm, name="l2"),
    "linf": partial(by_norm, name="linf"),
}
At = Callable[[Network], tuple[np.ndarray, Network]]


class LossRow(NamedTuple):
    """One network at one step."""

    network: str
    seed: int
    step: int
    loss: float


class AlongRow(NamedTuple):
    """What changes along the gradient, at steps of shares of the rate; `relative` of the norm.

    The last: the change of the gradient over the gradient, at steps of 0.1, 1 and 10 % of the
    weights' norm.
    """

    network: str
    seed: int
    step: int
    loss: float
    gradient_norm: float
    lowest_loss: float
    highest_loss: float
    least_change: float
    greatest_change: float
    beta: float
    relative_0001: float
    relative_001: float
    relative_01: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave the tables `losses` and `along` in `folder`."""
    with np.errstate(all="ignore"):  # a network that diverges is a result
        rows = [row for name in NETWORKS for row in descend(name, _SEEDS[scale], _STEPS[scale])]
    losses = [row for row in rows if isinstance(row, LossRow)]
    along = [row for row in rows if isinstance(row, AlongRow)]
    write_table(folder / "losses.csv", LossRow._fields, losses)
    write_table(folder / "along.csv", AlongRow._fields, along)


def descend(name: str, seeds: Sequence[int], steps: int) -> Iterator[LossRow | AlongRow]:
    """Full-batch descent of one network; looked along the gradient at steps of equal ratios."""
    normalize = NETWORKS[name]
    network, *examples = draw(seeds, normalize is not None)

    def at(point: Network) -> tuple[np.ndarray, Network]:
        return loss(point, *examples, normalize=normalize or by_deviation)

    looked = {0, *(int(step) for step in np.geomspace(1, steps, _MEASUREMENTS).round())}
    for step in range(steps + 1):
        value, gradient = at(network)
        if step % _EVERY == 0:
            yield from (
                LossRow(name, seed, step, own)
                for seed, own in zip(seeds, value.tolist(), strict=True)
            )
        if step in looked:
            found = along_gradient(network, value, gradient, at)
            yield from (
                AlongRow(name, seed, step, *own)
                for seed, own in zip(seeds, found.tolist(), strict=True)
            )
        network = network.stepped(gradient, RATE)


def along_gradient(network: Network, value: np.ndarray, gradient: Network, at: At) -> np.ndarray:
    """The columns of an `AlongRow` from its loss on, (seeds, columns)."""
    length = norm(gradient)
    losses, changes = [], []
    for share in STEPS_ALONG:
        moved = at(network.stepped(gradient, share * RATE))
        losses.append(moved[0])
        changes.append(norm(difference(moved[1], gradient)))
    betas = [
        change / (share * RATE * length) for share, change in zip(STEPS_ALONG, changes, strict=True)
    ]
    relative = []
    for share in SHARES:
        moved = at(scaled_step(network, gradient, share * norm(network) / length))
        relative.append(norm(difference(moved[1], gradient)) / length)
    columns = [
        value, length, np.min(losses, 0), np.max(losses, 0), np.min(changes, 0),
        np.max(changes, 0), np.max(betas, 0), *relative,
    ]  # fmt: skip
    return np.stack(columns, axis=1)


def norm(of: Network) -> np.ndarray:
    """Of all parameters of each seed, (seeds,)."""
    squares = [(each**2).reshape(len(each), -1).sum(1) for each in parts(of)]
    return np.asarray(np.sqrt(sum(squares)))


def parts(of: Network) -> list[np.ndarray]:
    """Weights, gammas and betas."""
    return [*of.weights, *of.gammas, *of.betas]


def difference(one: Network, other: Network) -> Network:
    """Of two gradients."""
    return one.stepped(other, 1.0)


def scaled_step(network: Network, gradient: Network, rates: np.ndarray) -> Network:
    """A step of a length of its own for each seed; rates are (seeds,)."""

    def scaled(slopes: list[np.ndarray]) -> list[np.ndarray]:
        return [each * rates.reshape(-1, *(1,) * (each.ndim - 1)) for each in slopes]

    own = Network(scaled(gradient.weights), scaled(gradient.gammas), scaled(gradient.betas))
    return network.stepped(own, 1.0)
