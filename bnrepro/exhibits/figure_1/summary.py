"""What figure 1 comes to in numbers, beside what was expected and what the paper's curves show."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from bnrepro import paper, statistics
from bnrepro.exhibits.exhibit import Table
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import points
from bnrepro.experiments import EXPERIMENTS

PLAIN, NORMALIZED = "figure_1_plain", "figure_1_bn"
PERCENTILE_CURVES = {PLAIN: "fig1b_without_bn", NORMALIZED: "fig1c_with_bn"}
TARGETS = (0.90, 0.95)
# The paper's curves begin at about 3,600 steps, where the one without BN is nearly vertical.
COMPARED_FROM = 5_000
_GAP_NAME, _RATIO_NAME = "final gap", "steps to {:.2f}: how many times fewer"
_INITIAL_NAME, _WIDENING_NAME = "initial spread", "largest over smallest spread"
_DISTANCE_NAME = f"root-mean-square distance to the paper's curve from step {COMPARED_FROM}"
COLUMNS = (
    "quantity",
    "experiment",
    "unit",
    "n",
    "measured",
    "measured_low",
    "measured_high",
    "coverage_percent",
    "expected",
    "as_expected",
    "paper",
)


@dataclass(frozen=True)
class Range:
    """What a quantity is expected to be; an end is infinite where it is open."""

    low: float = -math.inf
    high: float = math.inf

    def __str__(self) -> str:
        if math.isinf(self.low):
            return f"up to {self.high:g}"
        return f"above {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


# Fixed before the final runs, from the paper's curves.
_DISTANCE, _GAP = Range(high=0.010), Range(low=0.0)
_INITIAL_SPREAD = {(PLAIN, "0"): Range(high=0.15), (NORMALIZED, "mean"): Range(2, 3)}
_FINAL_SPREAD = {(NORMALIZED, "mean"): Range(3, 5)}
_EXTREME_MEDIAN = {(PLAIN, "mean"): Range(low=0.3), (NORMALIZED, "mean"): Range(high=0.1)}


@dataclass(frozen=True)
class Quantity:
    """One row of the summary; `paper` is a number, or words where only a bound was drawn."""

    name: str
    experiment: str
    n: int
    measured: float | None
    low: float | None = None
    high: float | None = None
    coverage: int | None = None
    unit: str = ""
    expected: Range | None = None
    paper: float | str | None = None

    @property
    def row(self) -> list[Any]:
        """The cells of a table's row, in the order of `COLUMNS`."""
        expected = None if self.expected is None else str(self.expected)
        return [
            *(self.name, self.experiment, self.unit or None, self.n),
            *(self.measured, self.low, self.high, self.coverage),
            *(expected, self._as_expected(), self.paper),
        ]

    def _as_expected(self) -> str | None:
        if self.expected is None or self.measured is None:
            return None
        return "yes" if self.expected.low <= self.measured <= self.expected.high else "no"


def summary(chosen: Selection, mean: pd.DataFrame, percentiles: pd.DataFrame) -> Table:
    """Over the seeds: medians with their intervals; `mean` is that of `statistics.mean_curves`."""
    quantities = [
        *_accuracies(chosen, mean),
        *_steps(chosen),
        *_of_percentiles(percentiles),
    ]
    caption = (
        "What was measured beside what was expected and the paper: medians over seeds with "
        "order-statistic intervals, ratios with those of a paired bootstrap, each with its "
        "coverage, the bootstrap's in a simulation. The p-value describes the difference and "
        "decides nothing. Spread: 85th minus 15th percentile of the sigmoid's input. The "
        "paper's numbers are read off its curves, of one unit and one run."
    )
    return Table("summary", COLUMNS, [quantity.row for quantity in quantities], caption)


def findings(table: Table) -> list[str]:
    """The summary's gap and ratio, distances to the paper, and spreads, a sentence each."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table.rows]
    by_name = {row["quantity"]: row for row in rows}
    sentences = []
    if _GAP_NAME in by_name:
        sentences.append(
            _gap_in_words(by_name[_GAP_NAME], by_name[_RATIO_NAME.format(TARGETS[-1])])
        )
    distances = {
        row["experiment"]: row["measured"] for row in rows if row["quantity"] == _DISTANCE_NAME
    }
    if len(distances) == 2:
        sentences.append(
            f"Root-mean-square distance to the paper's curves from step {COMPARED_FROM:,} on: "
            f"{distances[NORMALIZED]:.4f} with and {distances[PLAIN]:.4f} without batch "
            "normalization."
        )
    return [*sentences, *_spread_in_words(rows)]


def title_of(table: Table) -> str:
    """How much sooner and how much higher, for the figure's title."""
    measured = {row[0]: row[COLUMNS.index("measured")] for row in table.rows}
    ratio, gap = measured.get(_RATIO_NAME.format(TARGETS[-1])), measured.get(_GAP_NAME)
    said = []
    if ratio is not None:
        said.append(f"{ratio:.1f} times fewer steps to {100 * TARGETS[-1]:.0f} %")
    if gap is not None:
        said.append(f"{points(gap, 2)} points at the end")
    return f"With batch normalization: {', '.join(said)}" if said else "Test accuracy"


def _spread_in_words(rows: list[dict[str, Any]]) -> Iterator[str]:
    """How nearly constant the plain network's input begins, and what that makes of its widening."""
    of_unit = {(row["quantity"], row["experiment"]): row for row in rows if row["unit"] == "0"}
    initial = of_unit.get((_INITIAL_NAME, PLAIN))
    widening = [of_unit.get((_WIDENING_NAME, experiment)) for experiment in (PLAIN, NORMALIZED)]
    if initial is None or None in widening:
        return
    plain, normalized = ((row["measured"], row["paper"]) for row in widening if row)
    yield (
        "Without batch normalization the spread of a sigmoid's input (unit 0, 85th minus 15th "
        f"percentile) begins at {initial['measured']:.3f}, in the paper at {initial['paper']:.3f}. "
        f"So its largest is {plain[0]:.0f} times its smallest here and {plain[1]:.0f} times in the "
        f"paper; with batch normalization {normalized[0]:.1f} and {normalized[1]:.1f} times."
    )


def _gap_in_words(gap: dict[str, Any], ratio: dict[str, Any]) -> str:
    sentence = (
        f"With batch normalization the MNIST network ends higher by {_between(gap, '.2f', 100)} "
        f"points; in the paper {100 * gap['paper']:.1f}."
    )
    if ratio["measured"] is not None:
        sentence += (
            f" How many times fewer steps it needs to {100 * TARGETS[-1]:.0f} %: "
            f"{_between(ratio, '.1f')}; in the paper {ratio['paper']}."
        )
    return sentence


def _between(row: dict[str, Any], form: str, factor: float = 1) -> str:
    """A median with its interval and how often such an interval holds it."""
    low, high = row["measured_low"], row["measured_high"]
    text = f"{factor * row['measured']:{form}}"
    if low is None or high is None:
        return text
    ends = f"{factor * low:{form}} to {factor * high:{form}}"
    return f"{text} ({ends}, coverage {row['coverage_percent']} %)"


def _over_seeds(values: pd.Series) -> dict[str, Any]:
    median, low, high = statistics.median_with_interval(values)
    coverage = statistics.coverage_of_median(len(values))
    return {"n": len(values), "measured": median, "low": low, "high": high, "coverage": coverage}


def _accuracies(chosen: Selection, mean: pd.DataFrame) -> Iterator[Quantity]:
    for experiment in chosen.labels:
        final = chosen.runs["judged_final"][chosen.runs["label"] == experiment]
        drawn, ours = EXPERIMENTS[experiment].paper_curve, mean[mean["experiment"] == experiment]
        end = None if drawn is None else float(drawn["value"].iloc[-1])
        yield Quantity("final accuracy", experiment, **_over_seeds(final), paper=end)
        if drawn is not None and ours["step"].max() >= COMPARED_FROM:
            distance = statistics.root_mean_square_distance(ours, drawn, COMPARED_FROM)
            n = chosen.num_seeds(experiment)
            yield Quantity(_DISTANCE_NAME, experiment, n, distance, expected=_DISTANCE)
    pairs = statistics.pair(chosen.runs, PLAIN, NORMALIZED, "judged_final")
    if len(pairs):
        gaps, both = pairs["second"] - pairs["first"], f"{NORMALIZED} - {PLAIN}"
        yield Quantity(_GAP_NAME, both, **_over_seeds(gaps), expected=_GAP, paper=_paper_gap())
        p_value = statistics.sign_flip_test(gaps.to_numpy())
        yield Quantity("p-value of the final difference (sign flips)", both, len(gaps), p_value)


def _paper_gap() -> float:
    ends = [EXPERIMENTS[experiment].paper_curve for experiment in (PLAIN, NORMALIZED)]
    plain, normalized = (float(end["value"].iloc[-1]) for end in ends if end is not None)
    return normalized - plain


def _steps(chosen: Selection) -> Iterator[Quantity]:
    for target in TARGETS:
        crossings = statistics.crossings(chosen.curves, target)
        of = {label: crossings[crossings["label"] == label] for label in chosen.labels}
        for experiment, runs in of.items():
            interval = statistics.interval_of_median(runs["steps"], runs["reached"])
            yield Quantity(
                f"steps to {target:.2f}",
                experiment,
                len(runs),
                statistics.kaplan_meier_median(runs["steps"], runs["reached"]),
                interval.low,
                interval.high,
                interval.coverage_percent,
                paper=_paper_steps(experiment, target),
            )
        if PLAIN in of and NORMALIZED in of:
            yield _ratio(target, of[PLAIN], of[NORMALIZED])


def _ratio(target: float, plain: pd.DataFrame, normalized: pd.DataFrame) -> Quantity:
    faster = statistics.speedup(plain, normalized)
    return Quantity(
        _RATIO_NAME.format(target),
        NORMALIZED,
        len(faster.seeds),
        faster.value if faster.relation == "=" else None,
        faster.interval.low,
        faster.interval.high,
        faster.interval.coverage_percent,
        paper=_paper_ratio(target),
    )


def _paper_crossing(experiment: str, target: float) -> tuple[float, bool]:
    """The first drawn step at or above the target, and whether it is where the curve begins."""
    drawn = EXPERIMENTS[experiment].paper_curve
    if drawn is None:
        raise KeyError(f"{experiment}: the paper drew no curve of it")
    first = int((drawn["value"] >= target).to_numpy().argmax())
    return float(drawn["step"].iloc[first]), first == 0


def _paper_steps(experiment: str, target: float) -> float | str:
    step, at_begin = _paper_crossing(experiment, target)
    return f"up to {step:.0f}" if at_begin else step


def _paper_ratio(target: float) -> str:
    plain, _ = _paper_crossing(PLAIN, target)
    normalized, at_begin = _paper_crossing(NORMALIZED, target)
    return ("at least " if at_begin else "") + f"{plain / normalized:.1f}"


def _of_percentiles(percentiles: pd.DataFrame) -> Iterator[Quantity]:
    spread = percentiles.assign(spread=percentiles["p85"] - percentiles["p15"])
    for experiment, unit in product((PLAIN, NORMALIZED), ("0", "mean")):
        rows = spread[(spread["experiment"] == experiment) & (spread["unit"] == unit)]
        if rows.empty:
            continue
        of_seeds = rows.sort_values("step", kind="stable").groupby("seed")
        drawn = _paper_percentiles(experiment) if unit == "0" else {}
        for name, values, expected in (
            (_INITIAL_NAME, of_seeds["spread"].first(), _INITIAL_SPREAD),
            ("final spread", of_seeds["spread"].last(), _FINAL_SPREAD),
            (_WIDENING_NAME, of_seeds["spread"].max() / of_seeds["spread"].min(), {}),
            (
                "extreme of the median",
                of_seeds["p50"].apply(lambda p50: p50.abs().max()),
                _EXTREME_MEDIAN,
            ),
        ):
            yield Quantity(
                name,
                experiment,
                **_over_seeds(values),
                unit=unit,
                expected=expected.get((experiment, unit)),
                paper=drawn.get(name),
            )


def _paper_percentiles(experiment: str) -> dict[str, float]:
    median, spread = paper.curve(PERCENTILE_CURVES[experiment], "p50"), paper_spread(experiment)
    return {
        _INITIAL_NAME: float(spread[0]),
        "final spread": float(spread[-1]),
        _WIDENING_NAME: float(spread.max() / spread.min()),
        "extreme of the median": float(median["value"].abs().max()),
    }


def paper_spread(experiment: str) -> np.ndarray:
    """The 85th minus the 15th percentile of the paper's unit, wherever one of them was drawn."""
    low, high = (paper.curve(PERCENTILE_CURVES[experiment], name) for name in ("p15", "p85"))
    steps = np.union1d(low["step"], high["step"])
    drawn = [np.interp(steps, curve["step"], curve["value"]) for curve in (low, high)]
    return drawn[1] - drawn[0]
