"""Section 4.2.2 (C13 to C16), judged by the runs in the paper's proportions.

The criteria are those of `proportional`. Ratios and differences are of the same seed; a run that
diverges counts as chance.
"""

from functools import partial

import pandas as pd

from bnrepro.exhibits.figure_2.claims import COLUMNS
from bnrepro.exhibits.figure_2.findings import REFERENCE, target_accuracy
from bnrepro.exhibits.figure_2.proportional import (
    CRITERIA,
    EARLY_SHARE,
    PRIMARY_TARGET,
    paper_factor,
)
from bnrepro.exhibits.judged_claim import JudgedClaim
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import percent
from bnrepro.experiments import EXPERIMENTS
from bnrepro.statistics import Ratios, crossings, pair, ratios_of_steps
from bnrepro.verdicts.comparison import Comparison, judge_seeds, nothing, of_ratios, of_values
from bnrepro.verdicts.verdict import Verdict

_SETTING = "scale=proportional: "
# Criteria on steps and whose they are; on differences of best accuracies; on shares of the way.
_STEPS = {"baseline": "bn_baseline", "x5": "bn_x5", "x30": "bn_x30"}
_DIFFERENCES = {
    "x5_end": ("bn_x5", ("bn_baseline",)),
    "x30_end": ("bn_x30", (REFERENCE, "bn_baseline", "bn_x5", "bn_x5_sigmoid")),
    "sigmoid_end": ("bn_x5", ("bn_x5_sigmoid",)),
}
_SHARES = {"sigmoid_trains": "bn_x5_sigmoid", "inception_sigmoid": "inception_sigmoid"}


def verdicts_table(chosen: Selection) -> pd.DataFrame:
    """The verdicts by all criteria of the plan, columns `COLUMNS`."""
    rows = []
    for key, criterion in CRITERIA.items():
        verdict = _verdict(key, chosen)
        measured = verdict.measured.removeprefix(f"{criterion.sentence}: ")
        rows.append((criterion.sentence, verdict.verdict, measured, verdict.criterion))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _verdict(key: str, chosen: Selection, setting: str = "") -> Verdict:
    return judge_seeds(CRITERIA[key], *_comparisons(key, chosen), setting=setting)


def _comparisons(key: str, chosen: Selection) -> list[Comparison]:
    network, _, measure = key.partition("_")
    if key in _DIFFERENCES:
        first, others = _DIFFERENCES[key]
        return [_difference(chosen.runs, first, other) for other in others]
    if key in _SHARES:
        return [_share_of_way(chosen, _SHARES[key])]
    if key == "x30_first":
        return [_steps(chosen, "bn_x30", "bn_x5", EARLY_SHARE * PRIMARY_TARGET)]
    if key == "inception_x5":
        return [_up_to_its_end(chosen, REFERENCE, "inception_x5")]
    label = _STEPS[network]
    if measure == "size":
        return [_over_the_papers(chosen, label)]
    return [_steps(chosen, REFERENCE, label, PRIMARY_TARGET)]


def _steps(chosen: Selection, slow: str, fast: str, target: float) -> Comparison:
    ratios = _ratios(chosen, slow, fast, target)
    if ratios is None:
        return _without(chosen, slow, fast)
    words = f"{_label(slow)} over {_label(fast)} to {percent(target)}:"
    return of_ratios(words, ratios)


def _over_the_papers(chosen: Selection, label: str) -> Comparison:
    """The ratio over the paper's, at the share of Inception's median best that the target is."""
    ratios, best = _ratios(chosen, REFERENCE, label, PRIMARY_TARGET), target_accuracy(chosen.runs)
    if ratios is None or best is None:
        return _without(chosen, REFERENCE, label)
    share = PRIMARY_TARGET / best
    theirs = paper_factor(label, share)
    if theirs is None:
        return nothing(f"a factor of the paper's at {percent(share)}")
    words = (
        f"{_label(REFERENCE)} over {_label(label)} to {percent(share)} of Inception's best, over "
        f"the paper's {theirs:.1f}:"
    )
    return of_ratios(words, Ratios(ratios.low / theirs, ratios.high / theirs))


def _ratios(chosen: Selection, slow: str, fast: str, target: float) -> Ratios | None:
    if not {slow, fast} <= set(chosen.labels):
        return None
    curves = chosen.curves
    of_both = (crossings(curves[curves["label"] == label], target) for label in (slow, fast))
    return ratios_of_steps(*of_both)


def _difference(runs: pd.DataFrame, first: str, second: str) -> Comparison:
    for label in (first, second):
        if label not in set(runs["label"]):
            return nothing(_label(label))
    pairs = pair(runs, first, second, "judged_best")
    words = f"{_label(first)} minus {_label(second)}:"
    return of_values(words, pairs["first"] - pairs["second"], points=True)


def _up_to_its_end(chosen: Selection, first: str, second: str) -> Comparison:
    """The difference of the best accuracies up to the last step of the second."""
    if second not in chosen.labels:
        return nothing(_label(second))
    end = chosen.runs.loc[chosen.runs["label"] == second, "config.train_steps"].max()
    within = chosen.curves[chosen.curves["step"] <= end]
    best = within.groupby(["label", "seed"])["evaluation_accuracy"].max().rename("until")
    runs = chosen.runs.merge(best.reset_index())
    lost = runs["status"] == "diverged"
    runs["judged_best"] = runs["until"].mask(lost, runs["chance"])
    return _difference(runs, first, second)


def _share_of_way(chosen: Selection, label: str) -> Comparison:
    """How far from chance to Inception's median best the best accuracy has come, per seed."""
    best = target_accuracy(chosen.runs)
    own = chosen.runs[chosen.runs["label"] == label]
    if own.empty or best is None:
        return _without(chosen, REFERENCE, label)
    shares = (own["judged_best"] - own["chance"]) / (best - own["chance"])
    return of_values(f"{_label(label)}, on each seed:", shares)


def _without(chosen: Selection, *labels: str) -> Comparison:
    return nothing(_label(next(label for label in labels if label not in chosen.labels)))


def _label(name: str) -> str:
    return EXPERIMENTS[name].label


def _judge(keys: tuple[str, ...], _: str, chosen: Selection) -> list[Verdict]:
    return [_verdict(key, chosen, _SETTING) for key in keys]


def _keys_of(claim: str) -> tuple[str, ...]:
    return tuple(key for key, criterion in CRITERIA.items() if criterion.claim == claim)


CLAIMS = {
    claim: JudgedClaim(
        ("figure_2_proportional",), _keys_of(claim), partial(_judge, _keys_of(claim))
    )
    for claim in ("C13", "C14", "C15", "C16")
}
