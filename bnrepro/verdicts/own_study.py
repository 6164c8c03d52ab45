"""The criteria of a study's file, held against its records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from bnrepro.config import ConfigError, first_few
from bnrepro.config.study_file import StudyCriterion
from bnrepro.statistics import crossings, extend_diverged, judged, pair, speedup
from bnrepro.verdicts.comparison import Comparison, nothing, of_steps, of_values
from bnrepro.verdicts.criteria import HINT_SEEDS, VERDICT_SEEDS, SeedCriterion

# A person's own claim is nobody's to be reproduced.
_IN_WORDS = {"reproduced": "holds", "not reproduced": "does not hold"}
_COLUMNS = {"best accuracy": "judged_best", "final accuracy": "judged_final"}


@dataclass(frozen=True)
class OwnVerdict:
    """A claim, what follows for it, what was measured, and the criterion in words."""

    claim: str
    outcome: str
    measured: str
    criterion: str

    @property
    def line(self) -> str:
        """All of it in a line."""
        return f"{self.outcome}: {self.claim} {self.measured}; {self.criterion}"


def judge_study(
    criteria: Sequence[StudyCriterion], runs: pd.DataFrame, curves: pd.DataFrame
) -> list[OwnVerdict]:
    """The verdicts on a study's claims; frames of `loading.load_runs` and `load_curves`.

    As for the paper's claims: from `VERDICT_SEEDS` seeds on a verdict, from `HINT_SEEDS` on a hint.

    Raises:
        ConfigError: if a name of a criterion is that of several experiments.
    """
    return [_judge(criterion, runs, curves) for criterion in criteria]


def _judge(criterion: StudyCriterion, runs: pd.DataFrame, curves: pd.DataFrame) -> OwnVerdict:
    rule = SeedCriterion(
        "", criterion.claim, criterion.measure, criterion.relation, criterion.bound
    )
    compared = compare(criterion, runs, curves)
    outcome = compared.outcome(rule)
    said = f"{criterion.relation} {criterion.bound:g} for every seed, or by the interval"
    return OwnVerdict(
        criterion.claim.strip(),
        _IN_WORDS.get(outcome, outcome),
        str(compared),
        f"expected {said}; a verdict from {VERDICT_SEEDS} seeds on, a hint from {HINT_SEEDS}",
    )


def compare(criterion: StudyCriterion, runs: pd.DataFrame, curves: pd.DataFrame) -> Comparison:
    """What a study's criterion is about, by seed; frames of `loading.load_runs` and `load_curves`.

    Raises:
        ConfigError: if a name of the criterion is that of several experiments.
    """
    results = judged(runs) if len(runs) else runs
    labels = [_label(pattern, results) for pattern in (criterion.of, criterion.against)]
    for pattern, label in zip((criterion.of, criterion.against), labels, strict=True):
        if label is None:
            return nothing(pattern)
    first, second = map(str, labels)
    if criterion.target is None:
        name = f"{criterion.measure}, {first} minus {second}"
        pairs = pair(results, first, second, _COLUMNS[criterion.measure])
        return of_values(name, pairs["first"] - pairs["second"], points=True)
    crossed = crossings(extend_diverged(curves, results), criterion.target)
    experiment, reference = (crossed[crossed["label"] == label] for label in (first, second))
    name = f"{criterion.measure}, {second} over {first}"
    return of_steps(name, reference, experiment, speedup(reference, experiment))


def _label(pattern: str, results: pd.DataFrame) -> str | None:
    """The label of the experiment that the pattern names; None where no run has finished."""
    if not len(results):
        return None
    called = [
        label
        for label, name in zip(results["label"], results["name"], strict=True)
        if fnmatchcase(label, pattern) or fnmatchcase(name, pattern)
    ]
    found = list(dict.fromkeys(called))
    if len(found) > 1:
        raise ConfigError(
            f"criteria: {pattern}: expected one experiment, and these are called so: "
            f"{first_few(found)}"
        )
    return found[0] if found else None


def lines_of(study: str, verdicts: Iterable[OwnVerdict]) -> list[str]:
    """A heading and a line a verdict; nothing without any."""
    lines = [verdict.line for verdict in verdicts]
    return [f"criteria of study={study}", *lines] if lines else []
