"""When a claim counts as reproduced: what is measured and the bound it is held against.

A `Criterion` judges one computed number; a `SeedCriterion` judges one number per seed, where every
seed, or the whole interval of their median, must lie on the bound's side. They stand beside
what measures them: in `lab/<experiment>.py` and in `exhibits/<question>/claims.py`.

What is measured and the bounds were committed before the first record of any study, but for what
says `after_records`. Later than the records, and only so that less is claimed: that fewer than
`VERDICT_SEEDS` seeds give a hint instead of a verdict; that Inception's accuracy, where it is the
target, is drawn with the seeds in an interval; that a share of the way to it is taken on each seed;
that six networks of one ensemble have no interval; and which criteria ask for more than the paper
claims (`beyond`).
"""

from dataclasses import dataclass
from typing import Literal

from bnrepro.paper.claims import LABORATORY, claim

# What a verdict rests on, so that each kind is counted by itself.
Group = Literal[
    "exact experiment", "training", "laboratory", "beyond the claim", "after the records"
]

# Where nothing differs, n seeds lie on one side with a chance of 1 in 2**n: at 3 that is 12.5 % a
# side, a hint; at 6 it is 1.6 %, a verdict. Fewer than 3 give neither.
HINT_SEEDS = 3
VERDICT_SEEDS = 6
# A number of double precision below this is 0 but for rounding.
ROUNDING = 1e-12
# The bound on what would be 0 in exact numbers: rounding in double precision, with three digits to
# spare for sums over a batch.
ROUNDING_BOUND = 1e-9


@dataclass(frozen=True)
class Criterion:
    """A bound on one computed number; `beyond` says in what it asks for more than the paper."""

    claim: str
    measure: str
    relation: Literal["at least", "at most", "exactly"]
    bound: float
    # Below this the number is 0 but for rounding, and its digits differ between processors.
    rounding: float = ROUNDING
    beyond: str = ""

    @property
    def section(self) -> str:
        """The section in which the paper makes the claim."""
        return claim(self.claim).section

    @property
    def group(self) -> Group:
        """What a verdict by it rests on."""
        return "beyond the claim" if self.beyond else "exact experiment"

    @property
    def text(self) -> str:
        """The criterion in words."""
        bound = f"{self.relation} {self.bound:g}"
        return f"{bound}; beyond the claim: {self.beyond}" if self.beyond else bound

    def holds(self, value: float) -> bool:
        """Whether the number is on the claim's side of the bound; NaN never is."""
        if self.relation == "exactly":
            return value == self.bound
        return value >= self.bound if self.relation == "at least" else value <= self.bound


@dataclass(frozen=True)
class SeedCriterion:
    """A bound on a number that every seed has, or every network of one ensemble (`each`).

    "within" a bound are numbers at most so many times larger or smaller than 1.
    `after_records`: it was written when the records that it judges had been seen.
    """

    claim: str
    sentence: str
    measure: str
    relation: Literal["above", "below", "within"]
    bound: float
    each: Literal["seed", "network"] = "seed"
    after_records: bool = False

    @property
    def section(self) -> str:
        """The section in which the paper makes the claim."""
        return claim(self.claim).section

    @property
    def group(self) -> Group:
        """What a verdict by it rests on."""
        if self.after_records:
            return "after the records"
        return "laboratory" if claim(self.claim) in LABORATORY else "training"

    @property
    def text(self) -> str:
        """The criterion in words."""
        bound = f"1/{self.bound:g} to {self.bound:g}" if self.relation == "within" else self.bound
        rule = f"{self.measure}: {self.relation} {bound} for every {self.each}"
        if self.each == "seed":
            rule += f", or by the interval of the median; below {VERDICT_SEEDS} seeds a hint"
        return f"{rule}; written after the records were seen" if self.after_records else rule
