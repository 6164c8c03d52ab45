"""The claims without a verdict, and why there is none."""

from bnrepro.paper import claim
from bnrepro.verdicts.verdict import UNTESTED, Verdict

REASONS = {
    "C3": (
        "that larger weights get smaller gradients is tested under C2; that this stabilizes the "
        "growth of the parameters would want their norms over a training at several rates, which "
        "TensorBoard shows and no record keeps"
    ),
    "C17": (
        "no study changes dropout alone: in BN-x5 and BN-x30 it is taken away together with five "
        "other changes"
    ),
    "C18": "no study makes the changes one at a time: BN-x5 and BN-x30 have them all",
    "C19": (
        "the study batch_size shows how the gap between training and test accuracy changes with "
        "the mini-batch, but rate and number of steps change with it, and no criterion was fixed "
        "before its runs"
    ),
    "C24": "named by the paper as future work; there is no second domain among the data sets",
    "C25": (
        "not the paper's claim but a later explanation; nothing here measures how smooth the loss "
        "is"
    ),
}


def without_verdict(identifier: str) -> Verdict:
    """The line of a claim that is not tested: the reason in the place of what was measured."""
    section = claim(identifier).section
    return Verdict(identifier, section, UNTESTED, REASONS[identifier], "", UNTESTED)
