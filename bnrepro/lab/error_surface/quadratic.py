"""The error surface of a linear unit, and what is known of gradient descent on it in closed form.

With `L(w, b) = 1/(2N) sum (w x + b - y)^2` the Hessian is `H = 1/N [X 1]^T [X 1]`, whatever the
targets are. Along an eigenvector of H a step of rate eta multiplies the error by
`1 - eta lambda`: LeCun, Bottou, Orr and Mueller, Efficient BackProp (1998), section 5.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# Steps are counted until the distance from the minimum is a thousandth of what it was.
SHRINKING = 1e3
_DECIMALS = 9


@dataclass(frozen=True)
class Surface:
    """A quadratic loss with a Hessian (weights, weights) and a minimum (weights,)."""

    hessian: np.ndarray
    minimum: np.ndarray

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """In ascending order, (weights,)."""
        return np.linalg.eigvalsh(self.hessian)

    @property
    def condition(self) -> float:
        """The largest eigenvalue over the smallest."""
        return float(self.eigenvalues[-1] / self.eigenvalues[0])

    @property
    def best_rate(self) -> float:
        """The rate at which the slowest direction shrinks fastest, 2 / (smallest + largest)."""
        return float(2 / (self.eigenvalues[0] + self.eigenvalues[-1]))

    @property
    def largest_rate(self) -> float:
        """From this rate on descent does not converge, 2 / largest eigenvalue."""
        return float(2 / self.eigenvalues[-1])

    def gradient(self, weights: np.ndarray) -> np.ndarray:
        """At weights (..., weights)."""
        return (weights - self.minimum) @ self.hessian

    def excess(self, weights: np.ndarray) -> np.ndarray:
        """The loss at weights (..., weights) above that of the minimum, (...)."""
        return 0.5 * np.sum(self.gradient(weights) * (weights - self.minimum), axis=-1)

    def worst_start(self) -> np.ndarray:
        """Weights at distance 1 from the minimum, equally far along both extreme directions.

        At the best rate no start takes more steps.
        """
        # Rounded, so that directions which are as steep as each other are the axes.
        vectors = np.linalg.eigh(np.round(self.hessian, _DECIMALS)).eigenvectors
        # LAPACK leaves the signs open, and with them which of four starts it would be.
        signs = np.sign(0.1 ** np.arange(len(vectors)) @ vectors)
        extreme = (vectors * signs).T
        return self.minimum + (extreme[0] + extreme[-1]) / math.sqrt(2)


def of_features(features: np.ndarray, targets: np.ndarray, bias: bool = True) -> Surface:
    """The surface of a linear unit on features (examples, features) and targets (examples,).

    Without `bias` it is the surface over the weights alone, with the bias at its best everywhere.
    """
    if bias:
        inputs = np.column_stack([features, np.ones(len(features))])
    else:
        inputs, targets = features - features.mean(axis=0), targets - targets.mean()
    hessian = inputs.T @ inputs / len(inputs)
    return Surface(hessian, np.linalg.solve(hessian, inputs.T @ targets / len(inputs)))


def predicted_steps(condition: float) -> int:
    """Steps of gradient descent at its best rate until the worst start has shrunk, at least 1.

    A step shrinks it by (condition - 1) / (condition + 1).
    """
    if condition - 1 < 1e-12:
        return 1
    return max(1, math.ceil(math.log(SHRINKING) / math.log((condition + 1) / (condition - 1))))


def predicted_momentum_steps(condition: float) -> int:
    """The same with heavy-ball momentum (Polyak 1964), whose rate has roots of the condition.

    In the limit of many steps: a factor that grows with their number is left out.
    """
    return predicted_steps(math.sqrt(condition))


def descend(surface: Surface, start: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """The path of gradient descent, (steps + 1, weights)."""
    path = [start]
    for _ in range(steps):
        path.append(path[-1] - rate * surface.gradient(path[-1]))
    return np.array(path)


def count_steps(
    surface: Surface, start: np.ndarray, rate: float, momentum: float = 0.0, limit: int = 1_000_000
) -> int | None:
    """Steps of descent until the distance from the minimum has shrunk; None beyond `limit`.

    `momentum` is the heavy ball's.
    """
    weights, velocity = start, np.zeros_like(start)
    aim = np.linalg.norm(start - surface.minimum) / SHRINKING
    for step in range(1, limit + 1):
        velocity = momentum * velocity - rate * surface.gradient(weights)
        weights = weights + velocity
        if np.linalg.norm(weights - surface.minimum) <= aim:
            return step
    return None
