"""D6, told: weight normalization beside batch normalization, and what its start and a mean add."""

import pandas as pd

from bnrepro.exhibits.computed import verdict_table
from bnrepro.exhibits.exhibit import Exhibit, Table, command_at, name_at, rows_of
from bnrepro.exhibits.selection import select
from bnrepro.exhibits.weight_normalization.claims import steps_to_plain, verdicts
from bnrepro.exhibits.weight_normalization.curves import accuracies, drawing, each
from bnrepro.exhibits.weight_normalization.networks import (
    OPTIMIZERS,
    STUDY,
    at_best_rate,
    courses,
    ends,
)
from bnrepro.exhibits.wording import made_on, percent, setting
from bnrepro.verdicts.reasons import reasons_for


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """D6 from the records of the study `weight_normalization`.

    Raises:
        ConfigError: if none of the runs is there.
        RecordError: if a record or a curve cannot be read.
    """
    chosen = select(STUDY, results_dir, () if scale is None else (f"scale={scale}",))
    of_runs = ends(chosen)
    best = at_best_rate(of_runs)
    of_courses = courses(chosen, best)
    judged = verdicts(chosen)
    return Exhibit(
        name=name_at(STUDY, scale),
        title="Weight normalization",
        setting=setting(chosen.runs),
        findings=[*_findings(of_runs, best, of_courses), made_on(chosen.runs)],
        commands=[chosen.command, command_at(STUDY, scale)],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[drawing(of_runs, best, of_courses)],
        tables=[verdict_table(judged), _rates(of_runs, best)],
        series=[_losses(of_courses)],
        runs=chosen.runs,
        reasons=reasons_for(judged),
    )


def _findings(of_runs: pd.DataFrame, best: pd.DataFrame, of_courses: pd.DataFrame) -> list[str]:
    """Of each optimizer: accuracies and steps at the best rates, and how many rates train."""
    found = []
    for optimizer in OPTIMIZERS.values():
        own, tried, losses = (
            rows[rows["optimizer"] == optimizer] for rows in (best, of_runs, of_courses)
        )
        if own.empty:
            continue
        found += [
            f"With {optimizer}, each network at the rate of its least training loss, test accuracy "
            f"at the end is {accuracies(own)} (medians over the seeds).",
            f"With {optimizer} the highest test accuracy at the end at any of "
            f"{tried['rate'].nunique()} rates is {each(_highest(tried), percent)} (medians over "
            "the seeds).",
            f"Steps to the plain network's last training loss with {optimizer} (medians): "
            f"{each(steps_to_plain(losses).median(), _in_steps)}.",
            f"With {optimizer} the final accuracy is above twice that of chance, by the median "
            f"over the seeds, at so many of {tried['rate'].nunique()} rates: "
            f"{each(_trained(tried), '{:g}'.format)}.",
        ]
    return found


def _highest(tried: pd.DataFrame) -> pd.Series:
    """The highest median test accuracy of all rates, by network."""
    return tried.groupby(["network", "rate"])["accuracy"].median().groupby("network").max()


def _in_steps(steps: float) -> str:
    return f"{steps:,.0f}" if steps < float("inf") else "never"


def _trained(tried: pd.DataFrame) -> pd.Series:
    """At how many rates most seeds train, by network."""
    medians = tried.groupby(["network", "rate"])["trained"].median()
    return (medians > 1 / 2).groupby("network").sum()


def _rates(of_runs: pd.DataFrame, best: pd.DataFrame) -> Table:
    """A row for each network and rate."""
    keys = ["optimizer", "network", "rate"]
    rows = of_runs.groupby(keys, sort=False).agg(
        n=("seed", "size"),
        diverged=("diverged", "sum"),
        train_loss=("loss", "median"),
        accuracy=("accuracy", "median"),
        least_accuracy=("accuracy", "min"),
        greatest_accuracy=("accuracy", "max"),
    )
    chosen = rows.index.isin(best.set_index(keys).index)
    rows = rows.assign(best=["yes" if one else "" for one in chosen]).reset_index()
    caption = (
        "Last training loss and final test accuracy by rate: medians over the seeds. Best: the "
        "rate of the least training loss, at which networks are compared."
    )
    return Table("rates", list(rows.columns), rows_of(rows), caption)


def _losses(of_courses: pd.DataFrame) -> Table:
    """The drawn losses."""
    by_step = of_courses.groupby(["optimizer", "network", "rate", "step"], sort=False)["train_loss"]
    rows = by_step.agg(["size", "median", "min", "max"]).reset_index()
    columns = ("optimizer", "network", "rate", "step", "n", "train_loss", "least", "greatest")
    return Table("losses", columns, rows_of(rows), "Training losses at the best rates.")
