"""The criteria of a study's file, held against its records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from bnrepro.config import ConfigError, first_few
from bnrepro.config.study import belongs
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
    criteria: Sequence[StudyCriterion],
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    nuisance: Sequence[str] = (),
) -> list[OwnVerdict]:
    """The verdicts on a study's claims; frames of `loading.load_runs` and `load_curves`.

    As for the paper's claims: from `VERDICT_SEEDS` seeds on a verdict, from `HINT_SEEDS` on a hint.
    A name of several experiments that differ in parameters in `nuisance` alone, such as the
    learning rate, stands for the best of them, of the highest median.

    Raises:
        ConfigError: if a name of a criterion is that of several that differ otherwise, or if the
            criterion is of steps.
    """
    return [_judge(criterion, runs, curves, nuisance) for criterion in criteria]


def _judge(
    criterion: StudyCriterion, runs: pd.DataFrame, curves: pd.DataFrame, nuisance: Sequence[str]
) -> OwnVerdict:
    rule = SeedCriterion(
        "", criterion.claim, criterion.measure, criterion.relation, criterion.bound
    )
    compared = compare(criterion, runs, curves, nuisance)
    outcome = compared.outcome(rule)
    said = f"{criterion.relation} {criterion.bound:g} for every seed, or by the interval"
    return OwnVerdict(
        criterion.claim.strip(),
        _IN_WORDS.get(outcome, outcome),
        str(compared),
        f"expected {said}; a verdict from {VERDICT_SEEDS} seeds on, a hint from {HINT_SEEDS}",
    )


def compare(
    criterion: StudyCriterion,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    nuisance: Sequence[str] = (),
) -> Comparison:
    """What a study's criterion is about, by seed; frames of `loading.load_runs` and `load_curves`.

    Of several experiments that differ in what is `nuisance` alone, the best one is compared.

    Raises:
        ConfigError: if a name of the criterion is that of several experiments.
    """
    results = judged(runs) if len(runs) else runs
    column = _COLUMNS.get(criterion.measure)  # none of steps
    labels = [
        _label(pattern, results, column, nuisance) for pattern in (criterion.of, criterion.against)
    ]
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


def _label(
    pattern: str, results: pd.DataFrame, column: str | None, nuisance: Sequence[str]
) -> str | None:
    """The label of the experiment that the pattern names; None where no run has finished.

    Of several that differ in `nuisance` alone, the one that is best by the column.
    """
    if not len(results):
        return None
    called = [
        label
        for label, name in zip(results["label"], results["name"], strict=True)
        if fnmatchcase(label, pattern) or fnmatchcase(name, pattern)
    ]
    found = list(dict.fromkeys(called))
    if len(found) <= 1:
        return found[0] if found else None
    several = results[results["label"].isin(found)]
    if column is None or not _varies_in(several, nuisance):
        raise ConfigError(
            f"criteria: {pattern}: expected one experiment, and these are called so: "
            f"{first_few(found)}"
        )
    return str(several.groupby("label", sort=False)[column].median().idxmax())


def _varies_in(runs: pd.DataFrame, nuisance: Sequence[str]) -> bool:
    """Whether the runs' configs differ in seeds and these parameters alone."""
    keys = [name.removeprefix("config.") for name in runs.columns if name.startswith("config.")]
    varying = [key for key in keys if runs[f"config.{key}"].astype(str).nunique() > 1]
    return all(belongs(key, ["seed", *nuisance]) for key in varying)


def lines_of(study: str, verdicts: Iterable[OwnVerdict]) -> list[str]:
    """A heading and a line a verdict; nothing without any."""
    lines = [verdict.line for verdict in verdicts]
    return [f"criteria of study={study}", *lines] if lines else []
