"""From records and curves to the rows of a table."""

import fnmatch
from collections.abc import Sequence

import numpy as np
import pandas as pd

from bnrepro import paper
from bnrepro.config import ConfigError, did_you_mean
from bnrepro.records.record import RecordError
from bnrepro.statistics import (
    Speedup,
    counted,
    crossings,
    extend_diverged,
    interval_of_median,
    kaplan_meier_median,
    speedup,
    speedup_to_best,
)
from bnrepro.tables.rows import Steps, Table, TableRow
from bnrepro.tables.wording import header, notes

# Paper: the target of figure 3 is the best accuracy of Inception.
DEFAULT_REFERENCE = "inception"


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
            raise ConfigError(
                f"{pattern}: no run of that name; expected one of {', '.join(known) or 'none yet'}"
                f"{did_you_mean(pattern, known)}"
            )
        chosen.update(found)
    return runs[runs["label"].isin(chosen) | runs["name"].isin(chosen)]


def table(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    *,
    target: float | None = None,
    reference: str | None = None,
) -> Table:
    """Steps to the target and best accuracy of every experiment (`label`) over its seeds.

    `runs` and `curves` are frames of `record.load_runs` and `load_curves`; curves of other runs are
    ignored. The target is `target`, else the median over the reference's seeds of their best
    accuracy, which each resample of a speed-up's interval takes of its own seeds. The reference,
    also of the speed-ups, is `reference`, else `inception` where there is one; with neither target
    nor reference the columns of steps stay empty.

    Raises:
        ConfigError: if the runs cannot stand in one table, or the target or reference is not one.
        RecordError: if the curve of a run is missing.
    """
    if runs.empty or counted(runs).empty:
        raise ConfigError("no completed run to tabulate; `bnrepro run` makes one")
    results = counted(runs)
    _check_data(results)
    _check_names(results)
    chosen = _reference(results, reference)
    goal = _target(results, target, chosen)
    target_from = chosen if target is None else None
    own = None if goal is None else extend_diverged(_curves_of(results, curves), results)
    firsts, sustained = _crossings(own, goal)
    speedups = _speedups(results, own, firsts, chosen, target_from)
    rows = tuple(
        _row(label, results, firsts.get(label), sustained.get(label), speedups.get(label))
        for label in sorted(results["label"].unique(), key=_paper_order)
    )
    return Table(
        rows,
        tuple(header(results, goal, target_from)),
        tuple(notes(runs, results, rows, chosen, target_from)),
        goal,
        chosen,
    )


def _check_data(results: pd.DataFrame) -> None:
    keys = ["data.name", "config.data.evaluation_split", "data.sha256"]
    groups = list(results.groupby(keys, dropna=False))
    if len(groups) > 1:
        sets = "; ".join(
            f"{name} {split} {str(digest)[:8]}: {', '.join(sorted(runs['label'].unique()))}"
            for (name, split, digest), runs in groups
        )
        raise ConfigError(
            f"a table is over one data set, and these runs are over {len(groups)} ({sets}); "
            "name the experiments to tabulate (`bnrepro table inception 'bn_*'`), or a study=NAME"
        )


def _check_names(results: pd.DataFrame) -> None:
    for label, runs in results.groupby("label"):
        names = sorted(runs["name"].unique())
        if len(names) > 1:
            raise ConfigError(
                f"{label} was run as {', '.join(names)}, which are not the same experiment; "
                f"name the runs to tabulate (`bnrepro table {names[0]}`)"
            )
        if runs["seed"].duplicated().any():
            raise ConfigError(f"{names[0]}: a seed stands twice in the frame; pass each run once")


def _reference(results: pd.DataFrame, reference: str | None) -> str | None:
    wanted = reference or DEFAULT_REFERENCE
    matching = results["label"][(results["label"] == wanted) | (results["name"] == wanted)]
    if len(matching):
        return str(matching.iloc[0])
    if reference is None:
        return None
    known = sorted(results["label"].unique())
    raise ConfigError(
        f"reference {reference}: no completed run of that name; expected one of "
        f"{', '.join(known)}{did_you_mean(reference, known)}"
    )


def _target(results: pd.DataFrame, target: float | None, reference: str | None) -> float | None:
    if target is None:
        best = results["best_accuracy"][results["label"] == reference]
        return float(best.median()) if reference else None
    if not 0 < target <= 1:
        hint = f"; did you mean {target / 100:g}?" if 1 < target <= 100 else ""
        raise ConfigError(f"target {target:g}: expected an accuracy above 0 and up to 1{hint}")
    return target


def _crossings(
    curves: pd.DataFrame | None, target: float | None
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """First and sustained crossings, by experiment; none without a target."""
    if curves is None or target is None:
        return {}, {}
    firsts, sustained = (crossings(curves, target, sustained=stays) for stays in (False, True))
    return _by_label(firsts), _by_label(sustained)


def _speedups(
    results: pd.DataFrame,
    curves: pd.DataFrame | None,
    firsts: dict[str, pd.DataFrame],
    reference: str | None,
    target_from: str | None,
) -> dict[str, Speedup]:
    """Of every experiment over the reference; `target_from` has the target of its own seeds."""
    if reference is None or curves is None:
        return {}
    if target_from is None:
        return {label: speedup(firsts[reference], of) for label, of in firsts.items()}
    best = results[results["label"] == target_from].set_index("seed")["best_accuracy"]
    of_label = _by_label(curves)
    return {label: speedup_to_best(of_label[reference], of, best) for label, of in of_label.items()}


def _by_label(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(label): rows for label, rows in frame.groupby("label")}


def _curves_of(results: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    wanted = results[["name", "seed"]]
    own = curves.merge(wanted) if len(curves) else wanted.iloc[:0]
    absent = sorted(
        {*wanted.itertuples(index=False, name=None)}
        - {*own[["name", "seed"]].itertuples(index=False, name=None)}
    )
    if absent:
        name, seed = absent[0]
        raise RecordError(f"the curve of {name}, seed {seed}, has no rows; run it again")
    return own


def _row(
    label: str,
    results: pd.DataFrame,
    firsts: pd.DataFrame | None,
    sustained: pd.DataFrame | None,
    faster: Speedup | None,
) -> TableRow:
    runs = results[results["label"] == label]
    best = runs["best_accuracy"].to_numpy(float)
    diverged = runs[runs["status"] == "diverged"].sort_values("seed", kind="stable")
    return TableRow(
        label,
        len(runs),
        float(np.median(best)),
        interval_of_median(best),
        {int(seed): int(step) for seed, step in diverged[["seed", "diverged_at_step"]].to_numpy()},
        None if firsts is None else _steps(firsts),
        None if sustained is None else _steps(sustained),
        faster,
    )


def _steps(crossed: pd.DataFrame) -> Steps:
    steps, reached = crossed["steps"], crossed["reached"]
    return Steps(
        int(reached.sum()),
        kaplan_meier_median(steps, reached),
        interval_of_median(steps, reached),
        int(crossed["last"].max()),
    )


def _paper_order(label: str) -> tuple[int, str]:
    order = list(paper.LABELS)
    return (order.index(label) if label in order else len(order)), label
