"""C25, smoothness and not covariate shift: by the criteria of A2 and A3, from the same records."""

from collections.abc import Iterator
from dataclasses import replace

from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.smoothness import covariate_shift_claims, landscape_claims
from bnrepro.exhibits.smoothness.networks import STUDY
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

_PARTS = (covariate_shift_claims, landscape_claims)

CRITERIA: dict[str, SeedCriterion] = {
    f"C25.{key.partition('.')[2]}": replace(criterion, claim="C25")
    for part in _PARTS
    for key, criterion in part.CRITERIA.items()
}


def _verdicts(chosen: Selection) -> Iterator[Verdict]:
    found = [verdict for part in _PARTS for verdict in part.verdicts(chosen)]
    for criterion, verdict in zip(CRITERIA.values(), found, strict=True):
        yield replace(verdict, claim=criterion.claim, group=criterion.group)


CLAIMS = {"C25": JudgedClaim((STUDY,), tuple(CRITERIA), lambda _, chosen: list(_verdicts(chosen)))}
