"""Section 4.2.2 (C13 to C16): the claims about figures 2 and 3, from the records of `figure_2`."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bnrepro.config import ConfigError, first_few
from bnrepro.drawing.style import LINES
from bnrepro.exhibits.figure_2.figure import REFERENCE
from bnrepro.statistics import crossings, extend_diverged, judged, pair, speedup_to_best
from bnrepro.verdicts.comparison import Comparison, judge_seeds, nothing, of_steps, of_values
from bnrepro.verdicts.criteria import EARLY_SHARE, FIGURE_2, SEEDS
from bnrepro.verdicts.verdict import Verdict

COLUMNS = ("claim", "verdict", "measured", "criterion")


def figure_2_verdicts(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The verdicts on figure 2, columns `COLUMNS`.

    `runs` and `curves` are frames of `load_runs` and `load_curves` for one scale; runs of other
    experiments are ignored. Where records are missing, a verdict is inconclusive and says so.

    Raises:
        ConfigError: if the runs are of several data sets.
    """
    records = Records(runs, curves)
    rows = []
    for key in FIGURE_2:
        verdict = records.verdict(key)
        criterion = SEEDS[key]
        measured = verdict.measured.removeprefix(f"{criterion.sentence}: ")
        rows.append((criterion.sentence, verdict.verdict, measured, verdict.criterion))
    return pd.DataFrame(rows, columns=list(COLUMNS))


@dataclass(frozen=True)
class Records:
    """The finished Inception networks of one scale."""

    runs: pd.DataFrame
    curves: pd.DataFrame

    def verdict(self, key: str, setting: str = "") -> Verdict:
        """The verdict by one of the criteria of C13 to C16 and of figure 2."""
        return judge_seeds(key, *self._comparisons(key), setting=setting)

    @cached_property
    def _results(self) -> pd.DataFrame:
        if self.runs.empty:
            return self.runs.assign(label=[], seed=[])
        results = judged(self.runs[self.runs["label"].isin(LINES)])
        if results["data.sha256"].nunique() > 1:
            names = first_few(sorted(results["name"].unique()))
            raise ConfigError(
                f"verdicts over {names}: expected runs of one data set; choose those of one scale"
            )
        return results

    @cached_property
    def _extended_curves(self) -> pd.DataFrame:
        own = self.curves.merge(self._results[["name", "seed"]])
        return extend_diverged(own, self._results)

    def _comparisons(self, key: str) -> list[Comparison]:
        match key:
            case "C13.steps" | "figure_2.baseline":
                return [self._steps(REFERENCE, "bn_baseline")]
            case "figure_2.x5":
                return [self._steps(slower, "bn_x5") for slower in (REFERENCE, "bn_baseline")]
            case "figure_2.x30":
                others = (REFERENCE, "bn_baseline", "bn_x5", "bn_x5_sigmoid")
                return [self._difference("bn_x30", other) for other in others]
            case "C14.inception_x5":
                return [self._difference(REFERENCE, "inception_x5")]
            case "C14.x5_end":
                return [self._difference("bn_x5", "bn_baseline")]
            case "C15.first":
                return [self._steps("bn_x30", "bn_x5", EARLY_SHARE)]
            case "C15.end":
                return [self._difference("bn_x30", "bn_x5")]
        return [self._share(_SHARES[key])]

    def _steps(self, reference: str, experiment: str, share: float = 1.0) -> Comparison:
        """Ratio of the steps to a share of Inception's median best accuracy."""
        for label in (REFERENCE, reference, experiment):
            if not self._has(label):
                return nothing(LINES[label].label)
        curves = self._extended_curves
        slow, fast = (curves[curves["label"] == label] for label in (reference, experiment))
        of_target = self._results[self._results["label"] == REFERENCE]
        best = of_target.set_index("seed")["best_accuracy"]
        target = share * best.median()
        return of_steps(
            f"{LINES[reference].label} over {LINES[experiment].label} to {100 * target:.1f} %:",
            crossings(slow, target),
            crossings(fast, target),
            speedup_to_best(slow, fast, best, share),
        )

    def _difference(self, first: str, second: str) -> Comparison:
        """The difference of the best accuracies, on the seeds that both have."""
        for label in (first, second):
            if not self._has(label):
                return nothing(LINES[label].label)
        pairs = pair(self._results, first, second, "judged_best")
        name = f"{LINES[first].label} minus {LINES[second].label}:"
        return of_values(name, pairs["first"] - pairs["second"], points=True)

    def _share(self, label: str) -> Comparison:
        """How far the best accuracy has come from chance to Inception's, on each seed."""
        for needed in (REFERENCE, label):
            if not self._has(needed):
                return nothing(LINES[needed].label)
        pairs = pair(self._results, label, REFERENCE, "judged_best")
        chance = self._results["chance"].iloc[0]
        way = pairs["second"] - chance
        # An Inception at chance itself is no way to go: no share follows.
        shares = (pairs["first"] - chance) / way.where(way > 0)
        return of_values(f"{LINES[label].label}, on each seed:", shares)

    def _has(self, label: str) -> bool:
        return bool((self._results["label"] == label).any())


# Criteria on the share of the way from chance to Inception's accuracy, and whose it is.
_SHARES = {
    "C14.x5": "bn_x5",
    "C14.x30": "bn_x30",
    "C16.sigmoid": "bn_x5_sigmoid",
    "C16.inception_sigmoid": "inception_sigmoid",
}
