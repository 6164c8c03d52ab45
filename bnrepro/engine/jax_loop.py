"""Many steps as one loop under JAX, and what a step goes from and to."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from bnrepro.config import Recipe

# (trainable, non-trainable, optimizer) variables, each a list of arrays.
State = tuple[list[Any], list[Any], list[Any]]


class Constants(NamedTuple):
    """The numbers of a recipe that stand in its program, which a group's program is given."""

    l2: Any
    momentum: Any

    @classmethod
    def of(cls, config: Recipe) -> "Constants":
        """Those of `config`."""
        return cls(config.l2, config.optimizer.momentum)


def repeat(
    advance: Callable[..., tuple[State, Any, Any]], state: State, rows: Any, steps: Any
) -> tuple[State, Any, Any]:
    """A loop of `steps` updates, each of them with its row of `rows`; all losses and hits.

    They have a place for each row, whatever `steps` is.
    """
    length = len(rows[0])
    _, *numbers = jax.eval_shape(advance, state, *_at(rows, 0))
    empty = [jnp.zeros((length, *one.shape), one.dtype) for one in numbers]

    def body(step: Any, carry: tuple[State, Any, Any]) -> tuple[State, Any, Any]:
        state, losses, corrects = carry
        state, loss, correct = advance(state, *_at(rows, step))
        return state, losses.at[step].set(loss), corrects.at[step].set(correct)

    return lax.fori_loop(0, steps, body, (state, *empty))


def _at(rows: Any, step: Any) -> Any:
    return jax.tree.map(lambda values: values[step], rows)


@jax.jit
def all_finite(weights: list[Any]) -> Any:
    """Whether every number of the weights is finite."""
    return jnp.stack([jnp.isfinite(weight).all() for weight in weights]).all()


@jax.jit
def copied(state: State) -> State:
    """The same numbers in buffers of their own."""
    return jax.tree.map(jnp.copy, state)
