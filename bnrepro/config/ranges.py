"""Which numbers a field of the config takes."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`, with or without these; never one that is not finite."""

    low: float
    high: float
    with_low: bool
    with_high: bool

    def holds(self, value: float) -> bool:
        """Whether a number lies in the range."""
        above = value >= self.low if self.with_low else value > self.low
        below = value <= self.high if self.with_high else value < self.high
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        """The range in words: `a number above 0`, `a number from 0 to 1`."""
        at_least = f"of at least {self.low:,}" if self.with_low else f"above {self.low:,}"
        if math.isinf(self.high):
            return f"a finite number {at_least}"
        if not self.with_high:
            return f"a number {at_least} and below {self.high:,}"
        if self.with_low:
            return f"a number from {self.low:,} to {self.high:,}"
        return f"a number {at_least} and at most {self.high:,}"


def at_least(low: float, at_most: float = math.inf) -> Range:
    """The numbers from `low` on, up to `at_most`."""
    return Range(low, at_most, with_low=True, with_high=True)


def above(low: float, at_most: float = math.inf) -> Range:
    """The numbers above `low`, up to `at_most`."""
    return Range(low, at_most, with_low=False, with_high=True)


def share_below_one() -> Range:
    """The numbers of a share: one of exactly 1 drops every unit, or never learns."""
    return Range(0, 1, with_low=True, with_high=False)
