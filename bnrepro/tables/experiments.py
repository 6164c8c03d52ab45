"""From records and curves to the rows of a table."""

import fnmatch
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from bnrepro.config import ConfigError, did_you_mean, first_few
from bnrepro.experiments import EXPERIMENTS
from bnrepro.records.record import RecordError
from bnrepro.statistics import (
    Speedup,
    crossings,
    extend_diverged,
    interval_of_median,
    kaplan_meier_median,
    speedup,
    speedup_to_best,
)
from bnrepro.tables.data_sets import OneDataSet, by_data_set
from bnrepro.tables.references import named_reference, no_such_reference, references
from bnrepro.tables.rows import Steps, Table, TableRow
from bnrepro.tables.wording import header, left_out, notes


def select(runs: pd.DataFrame, patterns: Sequence[str]) -> pd.DataFrame:
    """The runs whose experiment or name matches one of the patterns (`bn_*`); all without patterns.

    Raises:
        ConfigError: if a pattern matches no run.
    """
    if not patterns:
        return runs
    known = sorted({*runs["label"], *runs["name"]}) if len(runs) else []
    chosen: set[str] = set()
    for pattern in patterns:
        found = [name for name in known if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            expected = first_few(sorted(set(runs["label"]))) if known else "none yet"
            raise ConfigError(
                f"{pattern}: no run of that name; expected one of {expected}"
                f"{did_you_mean(pattern, known)}"
            )
        chosen.update(found)
    return runs[runs["label"].isin(chosen) | runs["name"].isin(chosen)]


def tabulate(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    *,
    target: float | None = None,
    reference: str | None = None,
) -> list[Table]:
    """Steps to the target and best accuracy of every experiment over its seeds, a table a data set.

    `runs` and `curves` are frames of `loading.load_runs` and `load_curves`; other runs' curves are
    ignored. An experiment's target is `target`, else the median over its reference's seeds of their
    best accuracy, which each resample of a speed-up's interval takes of its own seeds. Its
    reference is `reference` in the table that has it, else that of `references.references`; with
    neither target nor reference it has no steps.

    Raises:
        ConfigError: if no run is finished, or the target or reference is not one.
        RecordError: if the curve of a run is missing.
    """
    _check_target(target)
    sets = list(by_data_set(runs)) if len(runs) else []
    if not sets:
        begun = "".join(f" ({line})" for line in left_out(runs)) if len(runs) else ""
        raise ConfigError(f"no completed run to tabulate{begun}; `bnrepro run` makes one")
    named = [named_reference(one.results, reference) if reference else None for one in sets]
    if reference is not None and not any(named):
        raise no_such_reference(pd.concat([one.results for one in sets]), reference)
    return [_table(one, curves, target, name) for one, name in zip(sets, named, strict=True)]


def table(runs: pd.DataFrame, curves: pd.DataFrame) -> Table:
    """The table of `tabulate` for runs on one data set.

    Raises:
        ConfigError: as `tabulate`, or if the runs are on several data sets.
        RecordError: as `tabulate`.
    """
    made, *others = tabulate(runs, curves)
    if others:
        every = first_few(one.data for one in [made, *others])
        raise ConfigError(f"expected runs on one data set, received some on each of {every}")
    return made


def _check_target(target: float | None) -> None:
    if target is None or 0 < target <= 1:
        return
    hint = f"; did you mean {target / 100:g}?" if 1 < target <= 100 else ""
    raise ConfigError(f"target {target:g}: expected an accuracy above 0 and up to 1{hint}")


def _table(
    one: OneDataSet, curves: pd.DataFrame, target: float | None, reference: str | None
) -> Table:
    results = one.results
    labels = _in_order(results)
    of_label = dict.fromkeys(labels, reference) if reference else references(results)
    own = _curves_of(results, curves)
    rows: list[TableRow] = []
    for against in [*filter(of_label.__contains__, labels)]:
        members = [label for label in labels if of_label.get(label) == against]
        # Its reference comes first, then what is compared with it.
        members.sort(key=lambda label: label != against)
        rows += _rows(results, own, members, against, target)
    rows += _rows(results, own, [label for label in labels if label not in of_label], None, target)
    return Table(
        tuple(rows),
        tuple(header(one, rows, given=target is not None)),
        tuple(notes(one, rows, given=target is not None)),
        one.data,
    )


def _rows(
    results: pd.DataFrame,
    curves: pd.DataFrame,
    labels: list[str],
    reference: str | None,
    target: float | None,
) -> Iterable[TableRow]:
    """The rows of the experiments that are compared with one reference, or with none."""
    own = results[results["label"].isin(labels)]
    best = _best_accuracies(own[own["label"] == reference])
    if target is None and best.isna().all():
        reference = None
    goal = float(best.median()) if target is None and reference else target
    of_label = _by_label(curves)
    crossed = curves[curves["label"].isin(labels)]
    firsts, sustained = _crossings(crossed, goal)
    for label in labels:
        faster = None
        if reference is not None and target is not None:
            faster = speedup(firsts[reference], firsts[label])
        elif reference is not None:
            faster = speedup_to_best(of_label[reference], of_label[label], best)
        runs = own[own["label"] == label]
        yield _row(runs, reference, goal, firsts.get(label), sustained.get(label), faster)


def _best_accuracies(runs: pd.DataFrame) -> pd.Series:
    """Of one experiment by seed; one that never had a finite score has chance, if another had."""
    best = runs.set_index("seed")["best_accuracy"].astype(float)
    chance = 1 / runs.set_index("seed")["data.num_classes"].astype(float)
    return best if best.isna().all() else best.fillna(chance)


def _crossings(
    curves: pd.DataFrame, target: float | None
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """First and sustained crossings, by experiment; none without a target."""
    if target is None:
        return {}, {}
    firsts, sustained = (crossings(curves, target, sustained=stays) for stays in (False, True))
    return _by_label(firsts), _by_label(sustained)


def _by_label(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(label): rows for label, rows in frame.groupby("label")}


def _curves_of(results: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The curves of the runs under their labels, those of diverged runs carried on."""
    wanted = results[["name", "seed", "label"]]
    own = curves.drop(columns="label").merge(wanted) if len(curves) else wanted.iloc[:0]
    absent = sorted(
        {*wanted[["name", "seed"]].itertuples(index=False, name=None)}
        - {*own[["name", "seed"]].itertuples(index=False, name=None)}
    )
    if absent:
        name, seed = absent[0]
        raise RecordError(f"the curve of {name}, seed {seed}, has no rows; run it again")
    return extend_diverged(own, results)


def _row(
    runs: pd.DataFrame,
    reference: str | None,
    target: float | None,
    firsts: pd.DataFrame | None,
    sustained: pd.DataFrame | None,
    faster: Speedup | None,
) -> TableRow:
    """Of the runs of one experiment."""
    first = runs.iloc[0]
    best = _best_accuracies(runs).dropna().to_numpy()
    diverged = runs[runs["status"] == "diverged"].sort_values("seed", kind="stable")
    return TableRow(
        experiment=str(first["label"]),
        paper_experiment=str(first["experiment"]),
        n=len(runs),
        reference=reference,
        target=target,
        best_accuracy=float(np.median(best)) if len(best) else None,
        best_accuracy_interval=interval_of_median(best),
        diverged_at={
            int(seed): int(step) for seed, step in diverged[["seed", "diverged_at_step"]].to_numpy()
        },
        steps=None if firsts is None else _steps(firsts),
        sustained=None if sustained is None else _steps(sustained),
        speedup=faster,
    )


def _steps(crossed: pd.DataFrame) -> Steps:
    steps, reached = crossed["steps"], crossed["reached"]
    return Steps(
        int(reached.sum()),
        kaplan_meier_median(steps, reached),
        interval_of_median(steps, reached),
        int(crossed["last"].max()),
    )


def _in_order(results: pd.DataFrame) -> list[str]:
    """The labels: the paper's networks first, as it has them, then by name."""
    order = [name for name, one in EXPERIMENTS.items() if one.paper_series]
    of_label = results.drop_duplicates("label")[["label", "experiment"]].to_numpy()
    places = {
        str(label): order.index(experiment) if experiment in order else len(order)
        for label, experiment in of_label
    }
    return sorted(places, key=lambda label: (places[label], label))
