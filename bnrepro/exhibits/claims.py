"""The verdicts that follow from the records of studies; never loads TensorFlow."""

import sys
from collections.abc import Iterable, Iterator

from bnrepro.config import ConfigError, study
from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.exhibits.adaptation import claims as adaptation
from bnrepro.exhibits.depth import claims as depth
from bnrepro.exhibits.depth_by_scale import claims as depth_by_scale
from bnrepro.exhibits.descent_by_batch import claims as descent_by_batch
from bnrepro.exhibits.dropout import claims as dropout
from bnrepro.exhibits.effective_rate import claims as effective_rate
from bnrepro.exhibits.error_surface import claims as error_surface
from bnrepro.exhibits.figure_1 import claims as figure_1
from bnrepro.exhibits.figure_2 import claims as figure_2
from bnrepro.exhibits.figure_2 import proportional, proportional_claims
from bnrepro.exhibits.figure_4 import claims as figure_4
from bnrepro.exhibits.ghost_batches import claims as ghost_batches
from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.large_rates import claims as large_rates
from bnrepro.exhibits.last_layer import claims as last_layer
from bnrepro.exhibits.linear_unit import claims as linear_unit
from bnrepro.exhibits.lp_norms import claims as lp_norms
from bnrepro.exhibits.lp_norms import vgg_claims
from bnrepro.exhibits.moving_averages import claims as moving_averages
from bnrepro.exhibits.placement import claims as placement
from bnrepro.exhibits.rate_decay import claims as rate_decay
from bnrepro.exhibits.rate_sensitivity import claims as rate_sensitivity
from bnrepro.exhibits.recurrent import claims as recurrent
from bnrepro.exhibits.residual_networks import claims as residual_networks
from bnrepro.exhibits.selection import select_optional
from bnrepro.exhibits.sharpness import claims as sharpness
from bnrepro.exhibits.small_batches import claims as small_batches
from bnrepro.exhibits.smoothness import (
    covariate_shift_claims,
    distributions_claims,
    explanation_claims,
    landscape_claims,
)
from bnrepro.exhibits.surfaces import claims as surfaces
from bnrepro.exhibits.training_path import claims as training_path
from bnrepro.exhibits.weight_normalization import claims as weight_normalization
from bnrepro.records import laboratory, study_records
from bnrepro.records.loading import read_runs
from bnrepro.records.study_records import RESULTS
from bnrepro.verdicts.comparison import without_records
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.verdict import Verdict

# In the order in which a claim's verdicts are told: in the paper's proportions before short ones.
_JUDGED = (
    figure_1.CLAIMS,
    proportional_claims.CLAIMS,
    figure_2.CLAIMS,
    figure_4.CLAIMS,
    placement.CLAIMS,
    distributions_claims.CLAIMS,
    covariate_shift_claims.CLAIMS,
    landscape_claims.CLAIMS,
    vgg_claims.CLAIMS,
    explanation_claims.CLAIMS,
    weight_normalization.CLAIMS,
)
# Some claims are judged by the records of several studies, each by criteria of its own.
STUDIES: dict[str, list[JudgedClaim]] = {}
for _claims in _JUDGED:
    for _name, _claim in _claims.items():
        STUDIES.setdefault(_name, []).append(_claim)
_QUESTIONS = (
    figure_1,
    proportional,
    figure_2,
    figure_4,
    placement,
    distributions_claims,
    covariate_shift_claims,
    landscape_claims,
    vgg_claims,
    explanation_claims,
    weight_normalization,
)
CRITERIA: dict[str, SeedCriterion] = {
    key: criterion for question in _QUESTIONS for key, criterion in question.CRITERIA.items()
}
_COMPUTED = (
    error_surface.JUDGED,
    covariate_shift_claims.LINEAR,
    lp_norms.JUDGED,
    rate_sensitivity.JUDGED,
    depth_by_scale.JUDGED,
    descent_by_batch.JUDGED,
    rate_decay.JUDGED,
    small_batches.JUDGED,
    moving_averages.JUDGED,
    effective_rate.JUDGED,
    depth.JUDGED,
    residual_networks.JUDGED,
    large_rates.JUDGED,
    dropout.JUDGED,
    ghost_batches.JUDGED,
    last_layer.JUDGED,
    last_layer.BY_HEART,
    linear_unit.JUDGED,
    recurrent.JUDGED,
    adaptation.JUDGED,
    surfaces.JUDGED,
    sharpness.JUDGED,
    training_path.JUDGED,
)
# Claims that are judged by what the laboratory has computed, and by which study's tables.
LABORATORY = {claim: study for study in _COMPUTED for claim in study.claims}
# The smallest scale at which the Inception networks are evidence; smoke is none.
_SCALES = ("cpu", "gpu", "paper")


def run(name: str, results_dir: str) -> list[Verdict]:
    """The verdicts on a claim, from the records below `results_dir`; or how to make them.

    Raises:
        RecordError: if a record, a curve, percentiles or predictions cannot be read.
    """
    trained = STUDIES.get(name, [])
    found = [verdict for claim in trained for verdict in _verdicts(claim, results_dir)]
    computed = LABORATORY.get(name)
    return found + (computed.verdicts_on(name, results_dir) if computed else [])


def _verdicts(claim: JudgedClaim, results_dir: str) -> list[Verdict]:
    has_scales = any("scale" in study.load(each).required for each in claim.studies)
    settings = [(f"scale={scale}",) for scale in _scales(results_dir)] if has_scales else [()]
    found = [verdict for words in settings for verdict in _judged(claim, results_dir, words)]
    return found or _without(claim, results_dir, (f"scale={_SCALES[0]}",) if has_scales else ())


def folder_to_read(claims: Iterable[str]) -> str:
    """The folder whose records are read for some claims where no folder is named.

    It is a person's own where the claims need no records, or where there are none to read. For
    claims of the laboratory alone it is the published one unless their study was computed.

    Raises:
        RecordError: if a record cannot be read.
    """
    asked = list(claims)
    computed = [
        LABORATORY[claim].study for claim in asked if claim in LABORATORY and claim not in STUDIES
    ]
    if computed and len(computed) == len(asked):
        return laboratory.folder_to_read(computed)
    scales = list(_scales(RESULTS)) or [DEFAULT_SCALE]
    judged = [each for claim in asked for each in STUDIES.get(claim, ())]
    studies: list[tuple[str, list[str]]] = []
    for name in dict.fromkeys(name for claim in judged for name in claim.studies):
        scaled = "scale" in study.load(name).required
        studies += [(name, [f"scale={scale}"]) for scale in scales] if scaled else [(name, [])]
    if not studies:
        return RESULTS
    try:
        return study_records.folder_to_read(studies)
    except ConfigError as error:
        # The exact experiments need no records, and the other verdicts say that there are none.
        print(error, file=sys.stderr)
        return RESULTS


def _judged(claim: JudgedClaim, results_dir: str, overrides: tuple[str, ...]) -> list[Verdict]:
    """The verdicts by the records of one scale; none where a study has no finished run."""
    chosen = [select_optional(name, results_dir, overrides)[0] for name in claim.studies]
    if any(selection is None for selection in chosen):
        return []
    return claim.judge("".join(f"{each}: " for each in overrides), *chosen)


def _scales(results_dir: str) -> Iterator[str]:
    """The scales of which there are records at all."""
    runs = read_runs(results_dir)
    there = set() if runs.empty else set(runs["scale"])
    return filter(there.__contains__, _SCALES)


def _without(claim: JudgedClaim, results_dir: str, overrides: tuple[str, ...]) -> list[Verdict]:
    """What makes the records of the first study that has none."""
    absent = [
        name for name in claim.studies if select_optional(name, results_dir, overrides)[0] is None
    ]
    command = study.command((absent or claim.studies)[0], overrides, results_dir)
    return [without_records(CRITERIA[key], command) for key in claim.keys]
