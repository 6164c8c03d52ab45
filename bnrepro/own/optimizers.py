"""The contract of an update rule of one's own, tried on two weights before anything trains."""

import inspect
from typing import Any

import keras

from bnrepro.config.backend import no_further_framework
from bnrepro.own.faults import Part
from bnrepro.own.state import (
    Values,
    changed_names,
    put_back,
    remembered_beside,
    repeats,
    some_numbers,
    values_of,
)

_SHAPES = ((3, 2), (2,))
_RATES = 0.1, 0.2


def build(part: Part, options: dict[str, Any]) -> keras.optimizers.Optimizer:
    """The rule with learning rate 0 and those of the options that it takes.

    Raises:
        ConfigError: if it is no class of optimizers, or does not keep to its contract.
    """
    kind = part.object
    if not (isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)):
        raise part.fault(f"expected a class of keras.optimizers.Optimizer, got {part.kind}")
    with no_further_framework():
        _check(part, options)
        return _made(part, options)


def _made(part: Part, options: dict[str, Any]) -> keras.optimizers.Optimizer:
    named = inspect.signature(part.object).parameters
    taken = {key: value for key, value in options.items() if key in named}
    with part.trying(
        f"cannot be made with learning_rate, name and {', '.join(taken) or 'no more'}"
    ):
        rule: keras.optimizers.Optimizer = part.object(learning_rate=0.0, name="own", **taken)
        return rule


def _check(part: Part, options: dict[str, Any]) -> None:
    rule = _made(part, options)
    weights = [
        keras.Variable(some_numbers(shape), name=f"weight_{place}")
        for place, shape in enumerate(_SHAPES)
    ]
    with part.trying("its update failed on two weights"):
        rule.build(weights)
        variables = [*weights, *rule.variables]
        start = values_of(variables)
        slow = _after_two_steps(rule, weights, _RATES[0])
        put_back(variables, start)
        before = remembered_beside(rule, keras.optimizers.SGD())
        again = _after_two_steps(rule, weights, _RATES[0])
        changed = changed_names(before, remembered_beside(rule, keras.optimizers.SGD()))
        put_back(variables, start)
        quick = _after_two_steps(rule, weights, _RATES[1])
    if changed:
        raise part.fault(
            f"its update changes {', '.join(changed)}, which is no variable: a compiled step and a "
            "checkpoint would lose it; keep it by self.add_variable_from_reference in build"
        )
    if not _same(slow, again):
        raise part.fault(
            "the same gradients gave other weights the second time: it draws at random outside of "
            "the seeds, or keeps something outside of its variables; keep all of it in variables"
        )
    if _same(slow, quick):
        raise part.fault(
            "another learning rate gave the same weights; multiply the step by the learning_rate "
            "that update_step is given"
        )


def _after_two_steps(rule: keras.optimizers.Optimizer, weights: list[Any], rate: float) -> Values:
    rule.learning_rate = rate
    for _ in range(2):
        rule.apply([some_numbers(weight.shape) for weight in weights], weights)
    return values_of(weights)


def _same(one: Values, other: Values) -> bool:
    return all(repeats(a, b) for a, b in zip(one, other, strict=True))
