"""What a table holds: experiments over their seeds, as typed rows and as the contract's columns.

Never reached is absent, never 0. Accuracies are fractions; percent is for the printed page.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bnrepro import paper
from bnrepro.statistics import Interval, Speedup

# The columns of `bnrepro table --format csv`: a contract, changed only with an entry in
# CHANGELOG.md.
COLUMNS: dict[str, Any] = {
    "experiment": str,
    "n": int,
    "reached": "Int64",
    "steps_to_target": "Int64",
    "steps_low": "Int64",
    "steps_high": "Int64",
    "speedup": float,
    "best_accuracy": float,
    "best_accuracy_low": float,
    "best_accuracy_high": float,
    "diverged": int,
    "paper_steps": "Int64",
    "paper_best_accuracy": float,
}


@dataclass(frozen=True)
class Steps:
    """Steps to the target over the seeds of one experiment.

    `median` is the Kaplan-Meier median, None where it is censored: above `last`, the last
    evaluated step.
    """

    reached: int
    median: float | None
    interval: Interval
    last: int


@dataclass(frozen=True)
class TableRow:
    """One experiment over its seeds.

    `best_accuracy` is the median over seeds, with its order-statistic interval: one diverged seed
    would drag a mean, and the interval of a mean, away from what was seen. `diverged_at` is the
    step by seed. `steps` counts first crossings, `sustained` those after which the accuracy stays;
    both are None without a target, `speedup` without a reference.
    """

    experiment: str
    n: int
    best_accuracy: float
    best_accuracy_interval: Interval
    diverged_at: dict[int, int]
    steps: Steps | None
    sustained: Steps | None
    speedup: Speedup | None

    def contract(self) -> tuple[object, ...]:
        """The values of `COLUMNS`."""
        steps, faster, printed = self.steps, self.speedup, paper.row(self.experiment)
        return (
            self.experiment,
            self.n,
            steps.reached if steps else None,
            steps.median if steps else None,
            steps.interval.low if steps else None,
            steps.interval.high if steps else None,
            # A bound is not the ratio: only the printed table can say "> 3.2".
            faster.value if faster and faster.relation == "=" else None,
            self.best_accuracy,
            self.best_accuracy_interval.low,
            self.best_accuracy_interval.high,
            len(self.diverged_at),
            printed.steps_to_target if printed else None,
            paper.best_accuracy(self.experiment),
        )


@dataclass(frozen=True)
class Table:
    """Experiments on one data set, with the lines that belong above (`header`) and below them."""

    rows: tuple[TableRow, ...]
    header: tuple[str, ...]
    notes: tuple[str, ...]
    target: float | None
    reference: str | None

    @property
    def frame(self) -> pd.DataFrame:
        """The rows with the columns of `COLUMNS`; what is absent is missing (NA)."""
        values = [row.contract() for row in self.rows]
        return pd.DataFrame(values, columns=list(COLUMNS)).astype(COLUMNS)
