"""What a table holds: experiments over their seeds, as typed rows and as the contract's columns.

Never reached is absent, never 0. Accuracies are fractions; percent is for the printed page.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bnrepro.experiments import EXPERIMENTS
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
    "target": float,
    "reference": object,
    "data": str,
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
    would drag a mean, and the interval of a mean, away from what was seen. A seed that never had a
    finite score counts as chance; None where no seed had one. `diverged_at` is the
    step by seed. `steps` counts first crossings of `target`, `sustained` those after which the
    accuracy stays; all three are None without a target, `speedup` without a `reference`, which is
    the experiment that it is over. `paper_experiment` is what stands beside the paper's row.
    """

    experiment: str
    paper_experiment: str
    n: int
    reference: str | None
    target: float | None
    best_accuracy: float | None
    best_accuracy_interval: Interval
    diverged_at: dict[int, int]
    steps: Steps | None
    sustained: Steps | None
    speedup: Speedup | None

    def contract(self, data: str) -> tuple[object, ...]:
        """The values of `COLUMNS`."""
        steps, faster, known = self.steps, self.speedup, EXPERIMENTS[self.paper_experiment]
        printed = known.paper_row
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
            known.paper_best_accuracy,
            self.target,
            self.reference,
            data,
        )


@dataclass(frozen=True)
class Table:
    """Experiments on one data set, with the lines that belong above (`header`) and below them."""

    rows: tuple[TableRow, ...]
    header: tuple[str, ...]
    notes: tuple[str, ...]
    data: str

    @property
    def frame(self) -> pd.DataFrame:
        """The rows with the columns of `COLUMNS`; what is absent is missing (NA)."""
        values = [row.contract(self.data) for row in self.rows]
        return pd.DataFrame(values, columns=list(COLUMNS)).astype(COLUMNS)
