"""A total split among changes that help or hinder each other, without an order among them."""

from collections.abc import Mapping, Sequence
from itertools import permutations


def contributions(
    values: Mapping[frozenset[str], float], changes: Sequence[str]
) -> dict[str, list[float]]:
    """What each change adds in each of the orders in which they can be made.

    `values` has the value of every set of changes, the empty one included. Shapley's value of a
    change (1953) is the mean of its list; over all changes these means add up to the value of all
    changes minus that of none.

    Raises:
        KeyError: if a set of changes has no value.
    """
    added: dict[str, list[float]] = {change: [] for change in changes}
    for order in permutations(changes):
        made: frozenset[str] = frozenset()
        for change in order:
            longer = made | {change}
            added[change].append(values[longer] - values[made])
            made = longer
    return added
