"""Derivatives and compiled programs of a probe under JAX."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax

from bnrepro.engine.probe import Function


class JaxCalculus:
    """See `engine.probe.Calculus`."""

    def __init__(self, loops: bool) -> None:
        """`loops`: whether a compiled loop is quick, as it is not for convolutions on a CPU."""
        self._loops = loops

    def value_and_gradient(self, function: Function, point: Any) -> tuple[Any, Any]:
        return jax.value_and_grad(function)(point)

    def hessian_product(self, function: Function, point: Any, direction: Any) -> Any:
        return jax.jvp(jax.grad(function), (point,), (direction,))[1]

    def each(self, program: Callable[..., Any]) -> Callable[..., Any]:
        if self._loops:
            return jax.jit(lambda rows, shared: lax.map(lambda row: program(*row, *shared), rows))
        one = jax.jit(program)

        def over_rows(rows: tuple[Any, ...], shared: tuple[Any, ...]) -> Any:
            answers = [one(*row, *shared) for row in zip(*rows, strict=True)]
            return jax.tree.map(lambda *values: jax.numpy.stack(values), *answers)

        return over_rows
