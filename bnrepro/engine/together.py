"""What is asked of a group's members between two segments: answered for all at once.

The member that asks first has one program computed over all of them; everything it finds comes to
the host in one piece, and the others find their answers there. On a CPU the program takes the
members in turn, so that each has the very numbers of a run alone; an accelerator takes them side
by side.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bnrepro.engine.jax import JaxEngine
from bnrepro.engine.jax_loop import State


def _nothing(_: JaxEngine) -> tuple[()]:
    return ()


class Question(NamedTuple):
    """What `compute(state, own, *shared)` finds, whatever the member."""

    name: Hashable  # of its program, which serves all steps
    compute: Callable[..., Any]
    shared: tuple[Any, ...] = ()  # on the device
    own: Callable[[JaxEngine], Any] = _nothing  # of each member, on the host, of the same shapes
    at: int | None = None  # the step that `own` is of


class Together:
    """The members of a group as they stand between two segments, and what was asked of them."""

    def __init__(self, on_accelerator: bool) -> None:
        self._side_by_side = on_accelerator
        self._programs: dict[Hashable, Callable[..., Any]] = {}
        self.show([])

    def show(self, engines: Sequence[JaxEngine]) -> None:
        """The members stand like this from now on: what was answered before is forgotten."""
        self._engines = list(engines)
        self._states = [engine.state for engine in engines]
        self._stacked: State | None = None
        self._answers: dict[Hashable, list[Any]] = {}

    def holds(self, state: State) -> bool:
        """Whether a member stands as it was shown; one that was changed alone is asked alone."""
        return any(shown is state for shown in self._states)

    def ask(self, state: State, question: Question) -> Any:
        """The answer for the member with that state, as arrays on the host."""
        key = question.name, question.at
        if key not in self._answers:
            self._answers[key] = self._asked(question)
        (place,) = (place for place, shown in enumerate(self._states) if shown is state)
        return self._answers[key][place]

    def _asked(self, question: Question) -> list[Any]:
        if self._stacked is None:
            self._stacked = stack(self._states)
        own = jax.tree.map(
            lambda *values: np.stack(values), *(question.own(one) for one in self._engines)
        )
        if question.name not in self._programs:
            self._programs[question.name] = jax.jit(self._of_all(question.compute))
        program = self._programs[question.name]
        answers = jax.device_get(program(self._stacked, own, *question.shared))
        count = len(self._states)
        return [jax.tree.map(lambda every, at=place: every[at], answers) for place in range(count)]

    def _of_all(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        def of_all(states: State, own: Any, *shared: Any) -> Any:
            def of_one(member: tuple[State, Any]) -> Any:
                return compute(*member, *shared)

            if self._side_by_side:
                return jax.vmap(of_one)((states, own))
            return lax.map(of_one, (states, own))

        return of_all


@jax.jit
def stack(states: list[State]) -> State:
    """One state whose arrays have a row for each member."""
    return jax.tree.map(lambda *arrays: jnp.stack(arrays), *states)
