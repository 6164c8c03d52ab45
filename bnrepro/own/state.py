"""What a part remembers from one call to the next, in variables and beside them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import keras
import numpy as np

from bnrepro.config.randomness import generator

Values = list[np.ndarray]

# Of the largest value: what two ways to compute the same may differ by, and one way twice.
_ROUNDING, _REPEATED = 1e-2, 1e-5
_EXAMPLES = 6


def values_of(variables: Sequence[Any]) -> Values:
    """Copies of what the variables hold."""
    return [np.array(keras.ops.convert_to_numpy(each.value)) for each in variables]


def some_numbers(shape: Sequence[int | None], place: int = 0) -> Any:
    """A tensor of that shape with numbers around 0.5, the same each time; None is a few."""
    random = generator(place, "own")
    numbers = random.normal(0.5, 2.0, [_EXAMPLES if size is None else size for size in shape])
    return keras.ops.convert_to_tensor(numbers, keras.config.floatx())


def put_back(variables: Sequence[Any], values: Values) -> None:
    """Give the variables what `values_of` copied."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def remembered_beside(owner: Any, of_every: Any) -> dict[str, Any]:
    """What its attributes hold that is no variable, as values that can be compared.

    `of_every` is an object that has what the library itself keeps in each of its kind.
    """
    own = {name: value for name, value in vars(owner).items() if name not in vars(of_every)}
    return {name: [_comparable(leaf) for leaf in _leaves(value)] for name, value in own.items()}


def changed_names(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The attributes that are not what they were."""
    return [name for name in after if name not in before or not _same(before[name], after[name])]


def repeats(one: Any, other: Any) -> bool:
    """Whether a computation gave the same twice."""
    return _close(one, other, _REPEATED)


def agree(one: Any, other: Any) -> bool:
    """Whether two ways to compute the same agree, but for rounding."""
    return _close(one, other, _ROUNDING)


def _close(one: Any, other: Any, tolerance: float) -> bool:
    one, other = (np.asarray(keras.ops.convert_to_numpy(each), "float64") for each in (one, other))
    if one.shape != other.shape:
        return False
    largest = np.max(np.abs(one), initial=0.0, where=np.isfinite(one))
    return bool(np.allclose(one, other, rtol=0, atol=tolerance * largest, equal_nan=True))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in [key, *_leaves(item)]]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def _comparable(leaf: Any) -> Any:
    """Plain values and numbers as they are now; anything else is only the same or another."""
    if isinstance(leaf, str | bool | int | float | complex | bytes | None):
        return leaf
    is_tensor = keras.ops.is_tensor(leaf) and not isinstance(leaf, keras.Variable)
    if isinstance(leaf, np.ndarray) or is_tensor:
        with suppress(Exception):  # a symbol of a program that was being traced has no numbers
            return np.array(keras.ops.convert_to_numpy(leaf)).tolist()
    return id(leaf)


def _same(one: list[Any], other: list[Any]) -> bool:
    return repr(one) == repr(other)
