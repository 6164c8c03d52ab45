"""A claim held against its criterion, and verdicts counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from bnrepro.verdicts.criteria import Criterion

Outcome = Literal[
    "reproduced",
    "not reproduced",
    "hint: holds",
    "hint: does not hold",
    "inconclusive",
    "no verdict",
]


@dataclass(frozen=True)
class Verdict:
    """One line of `bnrepro claims`: what was measured, by which criterion, and what follows."""

    claim: str
    section: str
    group: str
    measured: str
    criterion: str
    verdict: Outcome


# The order of a verdict's fields wherever it is printed or written.
COLUMNS = ("claim", "section", "group", "measured", "criterion", "verdict")
# The outcome and the group of a claim that is not tested.
UNTESTED: Literal["no verdict"] = "no verdict"
# What verdicts rest on (`verdicts.criteria.Group`), in words, in the order of their counts.
_GROUPS = {
    "exact experiment": "identities and small exact experiments",
    "training": "what trainings show",
    "laboratory": "what the laboratory shows",
    "beyond the claim": "beyond what the paper claims",
    "after the records": "by a criterion that was written after the records were seen",
    UNTESTED: "without a verdict",
}
# A claim with several parts has the first of these outcomes that one of its parts has.
_DECIDING: tuple[Outcome, ...] = (
    "not reproduced",
    "hint: does not hold",
    "inconclusive",
    "hint: holds",
    "reproduced",
)


def judge(criterion: Criterion, value: float, detail: str = "") -> Verdict:
    """The verdict on one number."""
    outcome: Outcome = "reproduced" if criterion.holds(value) else "not reproduced"
    # What is only rounding differs from processor to processor, and is 0 on some.
    is_rounding = criterion.relation == "at most" and abs(value) < criterion.rounding
    number = f"below {criterion.rounding:g}" if is_rounding else f"{value:.3g}"
    measured = f"{criterion.measure}: {number}" + (f" ({detail})" if detail else "")
    return Verdict(
        criterion.claim, criterion.section, criterion.group, measured, criterion.text, outcome
    )


def all_of(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a claim with several parts: that of the part that speaks against it most."""
    parts = set(outcomes)
    return next((outcome for outcome in _DECIDING if outcome in parts), "inconclusive")


def count_outcomes(verdicts: Iterable[tuple[str, str, str]]) -> list[str]:
    """Lines that say how many verdicts of each group have each outcome.

    `verdicts` are (claim, group, outcome).
    Identities and toy experiments are counted apart from what trainings show: they would drown it.
    """
    rows = list(verdicts)
    lines = []
    for group, title in _GROUPS.items():
        own = [(claim, outcome) for claim, of_group, outcome in rows if of_group == group]
        if not own:
            continue
        if group == UNTESTED:
            said = ", ".join(dict.fromkeys(claim for claim, _ in own))
        else:
            counts = Counter(outcome for _, outcome in own)
            said = ", ".join(f"{counts[kind]} {kind}" for kind in get_args(Outcome) if counts[kind])
        lines.append(f"{title}: {said}")
    return lines
