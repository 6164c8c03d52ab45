"""What must be said above and below a table: data, size and grid; censoring, intervals, gaps."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from bnrepro import paper
from bnrepro.records.record import FINISHED
from bnrepro.statistics import Interval
from bnrepro.tables.rows import TableRow


def header(results: pd.DataFrame, target: float | None, reference: str | None) -> list[str]:
    """The setting, so that nobody takes a small data set for ImageNet, and the target.

    `reference` is the experiment that the target was taken from, None where it was given.
    """
    if target is None:
        return [_setting(results)]
    if reference is None:
        return [_setting(results), f"target accuracy: {percent(target)}"]
    n = int((results["label"] == reference).sum())
    rule = f"the best of {reference}" + (f", the median over its {n} seeds" if n > 1 else "")
    return [_setting(results), f"target accuracy: {percent(target)}, {rule}"]


def notes(
    runs: pd.DataFrame,
    results: pd.DataFrame,
    rows: Sequence[TableRow],
    reference: str | None,
    target_from: str | None,
) -> list[str]:
    """What the numbers leave out, and how they are meant; `target_from` is that of `header`."""
    lines = [*_variants(results), *_left_out(runs), *_divergences(rows)]
    if rows[0].steps is None:
        lines.append(
            "no steps to a target: none was given, and there is no run of inception to take it "
            "from; --target 0.9 or --reference NAME gives one"
        )
    else:
        lines += [*_different_grids(results), *_unpaired_seeds(rows, reference), _STEPS]
    return [*lines, *_intervals(rows, reference, target_from), *_paper_columns(rows)]


_STEPS = (
    "steps: first evaluation at or above the target, Kaplan-Meier median over seeds; a run that "
    "never gets there or diverges is censored; sustained: the accuracy stays there to the end"
)


def _setting(results: pd.DataFrame) -> str:
    first = results.iloc[0]
    models = sorted(
        {
            f"{name}, width {width:g}"
            for name, width in results[["config.model.name", "config.model.width"]].to_numpy()
        }
    )
    devices = sorted(
        {
            f"{device}, {count(threads, 'thread')}"
            for device, threads in results[["environment.device", "environment.threads"]].to_numpy()
        }
    )
    return " · ".join(
        [
            f"{first['data.name']}, {first['config.data.evaluation_split']} split "
            f"({first['data.num_evaluation']:,} images)",
            " and ".join(models),
            f"{span(results['config.train_steps'])} steps",
            f"n = {span(results.groupby('label').size())}",
            " and ".join(_grids(results)),
            " and ".join(devices),
        ]
    )


def _grids(results: pd.DataFrame) -> list[str]:
    keys = ["config.evaluate_every", "config.evaluate_every_early", "config.early_steps"]
    return sorted({_grid(*grid) for grid in results[keys].drop_duplicates().to_numpy(int)})


def _grid(every: int, early: int, early_steps: int) -> str:
    if early_steps == 0 or early == every:
        return f"evaluated every {every:,} steps"
    return f"evaluated every {early:,} steps to {early_steps:,}, then every {every:,}"


def _variants(results: pd.DataFrame) -> list[str]:
    """What sets runs apart that are one experiment with different values: `learning_rate=0.02`."""
    keys = [key for key in results if str(key).startswith("config.") and key != "config.seed"]
    firsts = results.drop_duplicates("label").sort_values("label")
    lines = []
    for _, variants in firsts.groupby(firsts.apply(_base, axis="columns")):
        varied = [key for key in keys if variants[key].map(str).nunique() > 1]
        lines += [
            f"{run['label']}: "
            + ", ".join(f"{str(key).removeprefix('config.')}={run[key]}" for key in varied)
            for run in variants.to_dict("records")
            if varied
        ]
    return lines


def _base(run: "pd.Series[Any]") -> str:
    """The name of which a run is a variant: what stands before the words for its differences."""
    parts = str(run["name"]).split("-")
    if parts[:2] == [run["config.model.name"], run["data.name"]]:
        return "-".join(parts[:3])
    return "-".join(parts[: 2 if isinstance(run["scale"], str) else 1])


def _left_out(runs: pd.DataFrame) -> list[str]:
    others = runs[~runs["status"].isin(FINISHED)].sort_values(["label", "seed"])
    names = [
        f"{run['label']} seed {run['seed']} ({run['status']})" for run in others.to_dict("records")
    ]
    return [f"not counted: {', '.join(names)}"] if names else []


def _divergences(rows: Iterable[TableRow]) -> list[str]:
    return [
        f"{row.experiment}: diverged at step "
        + ", ".join(f"{step:,} (seed {seed})" for seed, step in row.diverged_at.items())
        for row in rows
        if row.diverged_at
    ]


def _different_grids(results: pd.DataFrame) -> list[str]:
    if len(_grids(results)) == 1:
        return []
    return ["the grids of evaluations differ: a finer one meets the target sooner"]


def _unpaired_seeds(rows: Sequence[TableRow], reference: str | None) -> list[str]:
    available = max((row.n for row in rows if row.experiment == reference), default=0)
    experiments: dict[tuple[int, ...], list[str]] = {}
    for row in rows:
        if row.speedup and len(row.speedup.seeds) < max(row.n, available):
            experiments.setdefault(row.speedup.seeds, []).append(row.experiment)
    return [
        f"{', '.join(names)}: speed-up over the seeds that both have: "
        + (", ".join(map(str, seeds)) or "none")
        for seeds, names in experiments.items()
    ]


def _intervals(
    rows: Iterable[TableRow], reference: str | None, target_from: str | None
) -> list[str]:
    medians = _coverages((row.n, row.best_accuracy_interval) for row in rows)
    if not medians:
        return []
    line = f"in brackets: order-statistic interval of the median ({medians}; + is an open end)"
    speedups = _coverages(
        (len(row.speedup.seeds), row.speedup.interval)
        for row in rows
        if row.speedup and row.experiment != reference
    )
    if speedups:
        line += f"; of the speed-up: paired bootstrap over seeds ({speedups})"
        if target_from:
            # Else the upper end would look like a finding.
            line += f", the target drawn with them: by definition half of {target_from} reach it"
    return [line]


def _coverages(intervals: Iterable[tuple[int, Interval]]) -> str:
    """How often intervals over so many seeds hold what they are of."""
    known = {n: interval.coverage_percent for n, interval in intervals}
    each = ", ".join(
        f"{percent} % at n = {n}" for n, percent in sorted(known.items()) if percent is not None
    )
    return each and f"coverage {each}"


def _paper_columns(rows: Iterable[TableRow]) -> list[str]:
    if not any(paper.row(row.experiment) for row in rows):
        return []
    target = f"{100 * paper.TARGET_ACCURACY:.1f} %"
    return [f"paper: figure 3, steps to {target} and best accuracy on ImageNet"]


def span(numbers: Iterable[int]) -> str:
    """`6`, or `3 to 6`."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def percent(fraction: float) -> str:
    """`72.20 %`."""
    return f"{100 * fraction:.2f} %"


def count(number: int, noun: str) -> str:
    """`1 step`, `2,000 steps`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
