"""A claim held against its criterion."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bnrepro.paper.criteria import EXACT

Outcome = Literal["reproduced", "not reproduced", "inconclusive"]


@dataclass(frozen=True)
class Verdict:
    """One line of `bnrepro claims`: what was measured, by which criterion, and what follows."""

    claim: str
    section: str
    measured: str
    criterion: str
    verdict: Outcome


# The order of a verdict's fields wherever it is printed or written.
COLUMNS = ("claim", "section", "measured", "criterion", "verdict")


def judge(key: str, value: float, detail: str = "") -> Verdict:
    """The verdict on one number, by the criterion called `key` in `paper.criteria.EXACT`."""
    criterion = EXACT[key]
    outcome: Outcome = "reproduced" if criterion.holds(value) else "not reproduced"
    # What is only rounding differs from processor to processor, and is 0 on some.
    is_rounding = criterion.relation == "at most" and abs(value) < criterion.rounding
    number = f"below {criterion.rounding:g}" if is_rounding else f"{value:.3g}"
    measured = f"{criterion.measure}: {number}" + (f" ({detail})" if detail else "")
    return Verdict(criterion.claim, criterion.section, measured, criterion.text, outcome)


def all_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Of a claim with several parts: reproduced if all are, not reproduced if one is not."""
    parts: Sequence[Outcome] = list(outcomes)
    if "not reproduced" in parts:
        return "not reproduced"
    if not parts or "inconclusive" in parts:
        return "inconclusive"
    return "reproduced"
