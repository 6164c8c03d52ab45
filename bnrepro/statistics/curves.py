"""What curves say in steps: crossings of a target, mean curves over seeds, slope, distance.

A curve is a data frame with one row per evaluation, `step` and `evaluation_accuracy`, in any order
of rows. Runs are judged afterwards, so that another target needs no other run; the grid of
evaluations is the resolution. An accuracy that is not a number never reaches a target.
"""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
import pandas as pd

from bnrepro.records.record import FINISHED
from bnrepro.statistics.medians import interval_of_median, kaplan_meier_median


def counted(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs that are results: those that completed or diverged."""
    return runs[runs["status"].isin(FINISHED)]


def steps_to_target(curve: pd.DataFrame, target: float) -> int | None:
    """The first evaluated step with an accuracy of at least `target`; None if there is none."""
    steps, accuracies = _ordered(curve)
    return _first(steps, accuracies >= target)


def sustained_steps_to_target(
    curve: pd.DataFrame, target: float, num_evaluations: int | None = None
) -> int | None:
    """The first evaluated step from which the accuracy stays at or above `target`.

    It must stay for `num_evaluations` evaluations in a row, that step's included, or, where None is
    given, for all that are left. None if it never does.
    """
    steps, accuracies = _ordered(curve)
    return _first(steps, _stay(accuracies >= target, num_evaluations))


def crossings(curves: pd.DataFrame, target: float, *, sustained: bool = False) -> pd.DataFrame:
    """The step at which each run reached `target`, or at which it is right-censored.

    Columns `label`, `seed`, `steps`, `reached`, `last`: `steps` is the first crossing (with
    `sustained`, the one after which the accuracy stays) where `reached`, else `last`, the last
    evaluated step. A diverged run is censored whatever it reached before: its network is lost.
    Pass the curves through `extend_diverged` first, so that it is censored where its training was
    planned to end, not where it broke off.
    """
    steps = curves["step"].to_numpy()
    hits = (curves["evaluation_accuracy"].to_numpy(float) >= target) & (
        curves["status"] != "diverged"
    ).to_numpy()
    rows = []
    of_run = cast("dict[tuple[str, int], np.ndarray]", curves.groupby(["label", "seed"]).indices)
    for (label, seed), places in sorted(of_run.items()):
        ordered = places[np.argsort(steps[places], kind="stable")]
        run_hits = _stay(hits[ordered], None) if sustained else hits[ordered]
        first, last = _first(steps[ordered], run_hits), int(steps[ordered[-1]])
        rows.append((label, seed, last if first is None else first, first is not None, last))
    return pd.DataFrame(rows, columns=["label", "seed", "steps", "reached", "last"])


def crossings_of_targets(
    curves: pd.DataFrame, seeds: Sequence[int], targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`steps` and `reached` as in `crossings`, of one experiment for many targets at once.

    Both are (targets, seeds).
    """
    steps = np.empty((len(targets), len(seeds)))
    reached = np.empty(steps.shape, dtype=bool)
    runs = dict(iter(curves.groupby("seed")))
    for column, seed in enumerate(seeds):
        run_steps, accuracies = _ordered(runs[seed])
        known = np.isfinite(accuracies) & (runs[seed]["status"].iloc[0] != "diverged")
        highest = np.maximum.accumulate(np.where(known, accuracies, -np.inf))
        places = np.searchsorted(highest, targets)
        reached[:, column] = places < len(highest)
        steps[:, column] = run_steps[np.minimum(places, len(highest) - 1)]
    return steps, reached


def steps_against_target(curves: pd.DataFrame, targets: Iterable[float]) -> pd.DataFrame:
    """The whole curve of steps against target, over the seeds of every label.

    Columns `label`, `target`, `n`, `reached`, `steps` (Kaplan-Meier median), `steps_low`,
    `steps_high` and `coverage_percent` (`interval_of_median`); NaN where censored.
    """
    targets = list(targets)
    experiments = {
        str(label): crossings_of_targets(of, sorted(of["seed"].unique()), np.array(targets))
        for label, of in curves.groupby("label", sort=True)
    }
    rows = []
    for position, target in enumerate(targets):
        for label, (all_steps, all_reached) in experiments.items():
            steps, reached = all_steps[position], all_reached[position]
            interval = interval_of_median(steps, reached)
            median = kaplan_meier_median(steps, reached)
            measured = (median, interval.low, interval.high, interval.coverage_percent)
            rows.append((label, target, len(steps), reached.sum(), *measured))
    floats = dict.fromkeys(["steps", "steps_low", "steps_high"], float)
    columns = ["label", "target", "n", "reached", *floats, "coverage_percent"]
    frame = pd.DataFrame(rows, columns=columns).astype(floats)
    return frame.astype({"coverage_percent": "Int64"})


def extend_diverged(curves: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The curves, those of diverged runs carried on with NaN to the end that was planned.

    `runs` is a frame of `loading.load_runs`; the steps are those at which its config evaluates.
    """
    longer = [curves]
    diverged = runs[runs["status"] == "diverged"]
    for run in diverged.to_dict("records"):
        curve = curves[(curves["name"] == run["name"]) & (curves["seed"] == run["seed"])]
        if curve.empty:
            continue
        grid = evaluation_grid(
            run["config.train_steps"],
            run["config.evaluate_every"],
            run["config.evaluate_every_early"],
            run["config.early_steps"],
        )
        missing = pd.DataFrame({"step": grid[grid > curve["step"].max()]})
        for key in ("label", "name", "seed", "status", "diverged_at_step"):
            missing[key] = curve[key].iloc[0]
        longer.append(missing)
    return pd.concat(longer, ignore_index=True) if len(longer) > 1 else curves


def evaluation_grid(train_steps: int, every: int, every_early: int, early_steps: int) -> np.ndarray:
    """The steps at which a run evaluates, as `RunConfig.next_evaluation` gives them."""
    early = np.arange(0, min(early_steps, train_steps) + 1, every_early)
    late = np.arange((early_steps // every + 1) * every, train_steps + 1, every)
    return np.unique(np.concatenate([early, late, [train_steps]]))


def mean_curves(curves: pd.DataFrame, num_classes: int) -> pd.DataFrame:
    """Mean accuracy over the seeds of every label, on the steps that all its seeds have.

    Columns `experiment`, `step`, `accuracy_mean`, `accuracy_low`, `accuracy_high`, `n`; the band is
    from the lowest to the highest seed. An accuracy that is not a number counts as chance,
    1 / `num_classes`: pass the curves through `extend_diverged` first, so that a diverged run
    counts as chance afterwards instead of dropping out of the mean.
    """
    frame = curves.assign(accuracy=curves["evaluation_accuracy"].fillna(1 / num_classes))
    means = frame.groupby(["label", "step"])["accuracy"].agg(["mean", "min", "max", "count"])
    means = means.reset_index()
    means.columns = pd.Index(
        ["experiment", "step", "accuracy_mean", "accuracy_low", "accuracy_high", "n"]
    )
    num_seeds = frame.groupby("label")["seed"].nunique()
    common = means["n"] == means["experiment"].map(num_seeds)
    return means[common].reset_index(drop=True)


def mean_losses(curves: pd.DataFrame) -> pd.DataFrame:
    """Mean loss on the evaluation split over the seeds of every label, where all of them have one.

    Columns `experiment`, `step`, `loss_mean`, `loss_low`, `loss_high`, `n`, as in `mean_curves`; a
    loss that is not finite is none.
    """
    frame = curves[np.isfinite(curves["evaluation_loss"].to_numpy(float))]
    means = frame.groupby(["label", "step"])["evaluation_loss"].agg(["mean", "min", "max", "count"])
    means = means.reset_index()
    means.columns = pd.Index(["experiment", "step", "loss_mean", "loss_low", "loss_high", "n"])
    num_seeds = curves.groupby("label")["seed"].nunique()
    return means[means["n"] == means["experiment"].map(num_seeds)].reset_index(drop=True)


def slope_of_last_fifth(curve: pd.DataFrame) -> float:
    """Least-squares slope of the accuracy over the last fifth of the steps, per 1,000 steps.

    NaN where fewer than two evaluations lie there.
    """
    steps, accuracies = _ordered(curve)
    late = (steps >= 0.8 * steps.max(initial=0)) & np.isfinite(accuracies)
    if late.sum() < 2:
        return math.nan
    centred = steps[late] - steps[late].mean()
    return float(1_000 * centred @ accuracies[late] / (centred @ centred))


def root_mean_square_distance(
    ours: pd.DataFrame, paper: pd.DataFrame, from_step: float = 0
) -> float:
    """Root-mean-square difference of accuracy between a mean curve and a digitised one.

    `ours` has the columns of `mean_curves`, `paper` those of `paper.curve`. Compared at our steps
    from `from_step` on, as far as the paper's curve was drawn, which is linear between its points.

    Raises:
        ValueError: if no step of ours lies there.
    """
    first, last = max(paper["step"].min(), from_step), paper["step"].max()
    inside = ours[ours["step"].between(first, last)]
    if inside.empty:
        raise ValueError(
            f"no step between {first:g} and {last:g}, where the paper's curve is drawn"
        )
    drawn = np.interp(inside["step"], paper["step"], paper["value"])
    return float(np.sqrt(((inside["accuracy_mean"] - drawn) ** 2).mean()))


def _ordered(curve: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Steps and accuracies, each (evaluations,), by increasing step."""
    steps = curve["step"].to_numpy()
    order = np.argsort(steps, kind="stable")
    return steps[order], curve["evaluation_accuracy"].to_numpy(float)[order]


def _first(steps: np.ndarray, hits: np.ndarray) -> int | None:
    return int(steps[hits.argmax()]) if hits.any() else None


def _stay(hits: np.ndarray, num_evaluations: int | None) -> np.ndarray:
    """Whether hits that last `num_evaluations`, or to the end, begin at each step of `hits`."""
    if num_evaluations is None:
        return np.logical_and.accumulate(hits[::-1])[::-1]
    counts = np.concatenate([[0], np.cumsum(hits)])
    return counts[num_evaluations:] - counts[:-num_evaluations] == num_evaluations
