"""The claims without a verdict, and why there is none."""

from bnrepro.paper import claim
from bnrepro.verdicts.verdict import UNTESTED, Verdict

REASONS = {
    "C18": (
        "the study one_change takes the changes back one at a time in BN-x5, on three seeds and as "
        "a hint, without a criterion (bnrepro figure one_change)"
    ),
}


def without_verdict(identifier: str) -> Verdict:
    """The line of a claim that is not tested: the reason in the place of what was measured."""
    section = claim(identifier).section
    return Verdict(identifier, section, UNTESTED, REASONS[identifier], "", UNTESTED)
