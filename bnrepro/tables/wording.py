"""What must be said above and below a table: data, size and grid; censoring, intervals, gaps."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bnrepro import paper
from bnrepro.config import ConfigError, first_few, model_word
from bnrepro.config.own import shortened
from bnrepro.experiments import EXPERIMENTS
from bnrepro.records.again import command
from bnrepro.records.record import read_record
from bnrepro.records.stretches import not_in_one
from bnrepro.screen import count, percent
from bnrepro.statistics import Interval
from bnrepro.tables.data_sets import OneDataSet
from bnrepro.tables.references import OPTIONS, is_plain
from bnrepro.tables.rows import TableRow

# Behind the words of a name that is too long for all of them.
_DIGEST = re.compile(r"-[0-9a-f]{8}$")


def header(one: OneDataSet, rows: Sequence[TableRow], *, given: bool) -> list[str]:
    """The setting, so that nobody takes a small data set for ImageNet, and the target.

    `given` says that the target was, and not taken from a reference.
    """
    targets = {row.target for row in rows if row.target is not None}
    if not targets:
        return [_setting(one)]
    if given:
        return [_setting(one), f"target accuracy: {percent(targets.pop())}"]
    references = _references(rows)
    if len(references) > 1:
        rule = "the best of each reference, the median over its seeds, for it and what stands below"
        return [_setting(one), f"target accuracy: {rule}"]
    (reference,) = references
    rule = f"the best of {reference.experiment}"
    if reference.n > 1:
        rule += f", the median over its {reference.n} seeds"
    return [_setting(one), f"target accuracy: {percent(targets.pop())}, {rule}"]


def notes(one: OneDataSet, rows: Sequence[TableRow], *, given: bool) -> list[str]:
    """What the numbers leave out, and how they are meant; `given` is that of `header`."""
    return [
        *_variants(one.results),
        *left_out(one.others),
        *_not_in_one_environment(one.results),
        *_divergences(rows),
        *_compared(rows),
        *([] if given else _near_chance(one.results, rows)),
        *_without_reference(one.results, rows, given=given),
        *(_different_grids(one.results) if any(row.steps for row in rows) else []),
        *_unpaired_seeds(rows),
        *([_STEPS] if any(row.steps for row in rows) else []),
        *_intervals(rows, given=given),
        *_paper_columns(rows),
    ]


_STEPS = (
    "steps: first evaluation at or above the target, Kaplan-Meier median over seeds; a run that "
    "never gets there or diverges is censored; sustained: the accuracy stays there to the end"
)


def _references(rows: Iterable[TableRow]) -> list[TableRow]:
    return [row for row in rows if row.experiment == row.reference]


def _setting(one: OneDataSet) -> str:
    results, first = one.results, one.results.iloc[0]
    further = f", {one.further}" if one.further else ""
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
            f"({first['data.num_evaluation']:,} images){further}",
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
    """What sets runs apart that are one experiment with different values: `learning_rate=0.02`.

    Where a name ends with a digest its words do not say everything: there it is what sets the run
    apart from any other of its network.
    """
    firsts = results.drop_duplicates("label").sort_values("label", kind="stable")
    firsts = firsts.assign(base=firsts.apply(_base, axis="columns"))
    lines = []
    for _, variants in firsts.groupby("base"):
        varied = _varied(variants)
        for run in variants.to_dict("records") if varied else ():
            network = firsts[firsts["config.model.name"] == run["config.model.name"]]
            told = _varied(network) if _DIGEST.search(str(run["name"])) else varied
            each = (f"{key.removeprefix('config.')}={_written(run[key])}" for key in told)
            lines.append(f"{run['label']}: {', '.join(each)}")
    return lines


def _varied(firsts: pd.DataFrame) -> list[str]:
    """The keys of the config in which some runs differ, but for the seed."""
    keys = [str(key) for key in firsts if str(key).startswith("config.") and key != "config.seed"]
    return [key for key in keys if firsts[key].map(str).nunique() > 1]


def _written(value: Any) -> str:
    return "null" if isinstance(value, float) and math.isnan(value) else shortened(value)


def _base(run: "pd.Series[Any]") -> str:
    """The name of which a run is a variant: what stands before the words for its differences."""
    parts = str(run["name"]).split("-")
    network = [*model_word(run["config.model.name"]).split("-"), run["data.name"]]
    if parts[: len(network)] == network:
        return "-".join(parts[: len(network) + 1])
    return "-".join(parts[: 2 if isinstance(run["scale"], str) else 1])


def left_out(runs: pd.DataFrame) -> list[str]:
    """Which of the runs have not finished, in at most one line."""
    others = runs.sort_values(["label", "seed"]).to_dict("records")
    names = [f"{run['label']} seed {run['seed']} ({_how_far(run)})" for run in others]
    return [f"not counted: {first_few(names)}"] if names else []


def _not_in_one_environment(results: pd.DataFrame) -> list[str]:
    """Which runs went on under other code, versions, machine or variables than they began with."""
    first, earlier = (
        results.get(key, pd.Series(None, results.index))
        for key in ("environment.from_step", "earlier_environments")
    )
    mixed = results[first.fillna(0).gt(0) | earlier.map(bool)]
    names = [
        f"{run['label']} seed {run['seed']} ({not_in_one(read_record(Path(run['directory'])))})"
        for run in mixed.sort_values(["label", "seed"]).to_dict("records")
    ]
    return [f"not trained in one environment: {first_few(names)}"] if names else []


def _how_far(run: Mapping[Any, Any]) -> str:
    """`failed`, or where a run stands that goes on or can be gone on with."""
    status = str(run["status"])
    return status if status == "failed" else f"{status} at step {run['train_steps']:,}"


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


def _compared(rows: Sequence[TableRow]) -> list[str]:
    """What was compared with what, where that is more than one thing."""
    references = _references(rows)
    if len(references) < 2:
        return []
    each = []
    for reference in references:
        names = [row.experiment for row in rows if row.reference == reference.experiment]
        each.append(f"{first_few(names[1:])} with {reference.experiment}")
    return [f"compared with the otherwise equal run without normalization: {first_few(each, '; ')}"]


def _near_chance(results: pd.DataFrame, rows: Sequence[TableRow]) -> list[str]:
    """The references that have not learned: anything is quick to what they reach."""
    chance = 1 / results["data.num_classes"].iloc[0]
    names = [row.experiment for row in _references(rows) if (row.target or 1) < 1.5 * chance]
    if not names:
        return []
    return [
        f"{first_few(names)}: hardly above chance, {percent(chance)}, so that steps to it say "
        "little; train longer, or give --target"
    ]


def _without_reference(
    results: pd.DataFrame, rows: Sequence[TableRow], *, given: bool
) -> list[str]:
    """What has no steps or no speed-up, and which command makes what it would be compared with."""
    firsts = {run["label"]: run for run in results.drop_duplicates("label").to_dict("records")}
    alone = [row.experiment for row in rows if row.reference is None]
    lacking = [label for label in alone if not is_plain(firsts[label])]
    absent = "no speed-up" if given else "no steps to a target"
    remedy = "--reference NAME" if given else "--target 0.9 or --reference NAME"
    if not lacking:
        # Networks without normalization, and nothing that is compared with them.
        nothing = f"{absent}: nothing to compare with; {remedy} gives one"
        return [nothing] if len(alone) == len(rows) else []
    of_command: dict[str, list[str]] = {}
    for label in lacking:
        of_command.setdefault(_command_of_reference(results, label), []).append(label)
    made_with, names = next(iter(of_command.items()))
    more = f" and {len(lacking) - len(names):,} more" if len(of_command) > 1 else ""
    command = f" (of the first with: {made_with})" if more else f" (made with: {made_with})"
    return [
        f"{absent} for {first_few(names)}{more}: there is no otherwise equal run without "
        f"normalization{command if made_with else ''}; {remedy} gives one"
    ]


def _command_of_reference(results: pd.DataFrame, label: str) -> str:
    """The command that makes what an experiment would be compared with, on the same seeds.

    Empty where its config is none that can be composed here.
    """
    runs = results[results["label"] == label]
    directory = Path(runs["directory"].iloc[0])
    plain = {"placement": "none", "normalization": None, "learning_rate_multiplier": 1.0}
    config = {**read_record(directory).config, **plain, "accelerate": [], "save_predictions": False}
    # Options of a normalization that is not there: each has its default.
    kept = {key: value for key, value in config.items() if key not in OPTIONS}
    try:
        return command(kept, runs["seed"], directory.parents[2])
    except ConfigError:
        return ""


def _unpaired_seeds(rows: Sequence[TableRow]) -> list[str]:
    available = {row.experiment: row.n for row in rows}
    experiments: dict[tuple[int, ...], list[str]] = {}
    for row in rows:
        most = max(row.n, available.get(row.reference or "", 0))
        if row.speedup and len(row.speedup.seeds) < most:
            experiments.setdefault(row.speedup.seeds, []).append(row.experiment)
    return [
        f"{first_few(names)}: speed-up over the seeds that both have: "
        + (", ".join(map(str, seeds)) or "none")
        for seeds, names in experiments.items()
    ]


def _intervals(rows: Sequence[TableRow], *, given: bool) -> list[str]:
    medians = _coverages((row.n, row.best_accuracy_interval) for row in rows)
    if not medians:
        return []
    line = f"in brackets: order-statistic interval of the median ({medians}; + is an open end)"
    speedups = _coverages(
        (len(row.speedup.seeds), row.speedup.interval)
        for row in rows
        if row.speedup and row.experiment != row.reference
    )
    if speedups:
        line += f"; of the speed-up: paired bootstrap over seeds ({speedups})"
        if not given:
            # Else the upper end would look like a finding.
            whose = [row.experiment for row in _references(rows)]
            of = whose[0] if len(whose) == 1 else "each reference"
            line += f", the target drawn with them: by definition half of {of} reach it"
    return [line]


def _coverages(intervals: Iterable[tuple[int, Interval]]) -> str:
    """How often intervals over so many seeds hold what they are of."""
    known = {n: interval.coverage_percent for n, interval in intervals}
    each = ", ".join(
        f"{percent} % at n = {n}" for n, percent in sorted(known.items()) if percent is not None
    )
    return each and f"coverage {each}"


def _paper_columns(rows: Iterable[TableRow]) -> list[str]:
    if not any(EXPERIMENTS[row.paper_experiment].paper_row for row in rows):
        return []
    target = f"{100 * paper.TARGET_ACCURACY:.1f} %"
    return [f"paper: figure 3, steps to {target} and best accuracy on ImageNet"]


def span(numbers: Iterable[int]) -> str:
    """`6`, or `3 to 6`."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
