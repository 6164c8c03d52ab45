"""Spectral normalization, `W / s(W)`, with s by power iteration (Miyato et al. 2018).

`u <- W v / |W v|`, `v <- W^T u / |W^T u|`, `s = u.W v`, u and v being constants of the gradient.
"""

from typing import Any

import numpy as np
from keras import ops

from bnrepro.lab.laws.calculus import gradient
from bnrepro.lab.setting import random
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    # An error falls by (s_2 / s_1)^2 an iteration: slowly where both are close.
    "X14.norm": Criterion(
        "X14", "largest singular value after 50 iterations: |s - 1|", "at most", 0.01
    ),
    "X14.gradient": Criterion(
        "X14", "gradient by W against the formula: relative error", "at most", ROUNDING_BOUND
    ),
    "X14.convolution": Criterion(
        "X14",
        "3 x 3 kernel as a matrix (9 inputs, outputs), likewise: |s - 1|",
        "at most",
        0.01,
    ),
}

_ITERATIONS, _SHAPE = 50, (40, 20)
_KERNEL_SHAPE = (3, 3, 8, 16)


def verdicts() -> list[Verdict]:
    """X14."""
    matrix = random("law: matrix", *_SHAPE)
    kernel = random("law: 3 x 3 kernel", *_KERNEL_SHAPE).reshape(-1, _KERNEL_SHAPE[-1])
    largest, of_kernel = (
        float(np.linalg.norm(np.asarray(normalized(each, *iterate(each))), ord=2))
        for each in (matrix, kernel)
    )
    before = np.linalg.norm(matrix, ord=2)
    return [
        judge(CRITERIA["X14.norm"], abs(largest - 1), f"{before:.3g} before"),
        judge(CRITERIA["X14.gradient"], gradient_error(matrix)),
        judge(CRITERIA["X14.convolution"], abs(of_kernel - 1)),
    ]


def iterate(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u, (rows,), and v, (columns,), after the power iteration from a random v."""
    v = random("law: v of a matrix", matrix.shape[1])
    for _ in range(_ITERATIONS):
        u = matrix @ v
        u /= np.linalg.norm(u)
        v = matrix.T @ u
        v /= np.linalg.norm(v)
    return u, v


def normalized(matrix: Any, u: np.ndarray, v: np.ndarray) -> Any:
    """W / (u.W v), differentiable by W."""
    return matrix / ops.sum(matrix * np.outer(u, v))


def gradient_error(matrix: np.ndarray) -> float:
    """Relative error of the formula `(dL/dW_bar - <dL/dW_bar, W_bar> u v^T) / s`."""
    u, v = iterate(matrix)
    direction = random("law: upstream of a matrix", *_SHAPE)
    found = gradient(lambda W: ops.sum(ops.tanh(normalized(W, u, v)) * direction), matrix)
    scale = u @ matrix @ v
    unit = matrix / scale
    upstream = direction / np.cosh(unit) ** 2
    expected = (upstream - (upstream * unit).sum() * np.outer(u, v)) / scale
    return float(np.abs(found - expected).max() / np.abs(expected).max())
