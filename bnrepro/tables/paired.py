"""`bnrepro table A B --paired`: differences on the same seed, and what of the configs differs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from bnrepro.config import NOT_IDENTITY, ConfigError, absent_values, first_few, flatten
from bnrepro.config.overrides.values import spell
from bnrepro.records.record import read_record
from bnrepro.screen import percent
from bnrepro.statistics import (
    Interval,
    crossings,
    holm,
    interval_of_median,
    judged,
    pair,
    paired_effect_size,
    sign_flip_test,
)
from bnrepro.statistics.paired import MAX_PAIRS
from bnrepro.tables.data_sets import OneDataSet, by_data_set
from bnrepro.tables.experiments import tabulate
from bnrepro.tables.references import named_reference, no_such_reference
from bnrepro.tables.rows import Table

# The columns of `bnrepro table --paired --format csv`.
PAIRED_COLUMNS = (
    "experiment",
    "reference",
    "measure",
    "n",
    "difference",
    "difference_low",
    "difference_high",
    "coverage_percent",
    "effect_size",
    "p_value",
    "p_value_holm",
    "data",
)
_STEPS = "steps"
_MEASURES = {"best accuracy": "judged_best", "final accuracy": "judged_final"}


@dataclass(frozen=True)
class PairedDifference:
    """The difference of one measure between two experiments, over the seeds that both have.

    `difference` is the median over seeds of the experiment's minus the reference's, a fraction for
    an accuracy, with its order-statistic interval. `effect_size` is None where it has no scale,
    `p_value` (sign flips) where there are too many seeds to enumerate; `p_value_holm` is corrected
    for all p-values of the table.
    """

    experiment: str
    measure: str
    n: int
    difference: float
    interval: Interval
    effect_size: float | None
    p_value: float | None
    p_value_holm: float | None = None


@dataclass(frozen=True)
class PairedTable:
    """Experiments on one data set, each minus the `reference`.

    `differs` says of each experiment which values of its config are not the reference's, in words.
    """

    reference: str
    rows: tuple[PairedDifference, ...]
    differs: dict[str, str]
    header: tuple[str, ...]
    notes: tuple[str, ...]
    data: str

    @property
    def frame(self) -> pd.DataFrame:
        """The rows with the columns of `PAIRED_COLUMNS`; what is absent is missing (NaN)."""
        values = [
            (
                *(row.experiment, self.reference, row.measure, row.n, row.difference),
                *(row.interval.low, row.interval.high, row.interval.coverage_percent),
                *(row.effect_size, row.p_value, row.p_value_holm, self.data),
            )
            for row in self.rows
        ]
        return pd.DataFrame(values, columns=list(PAIRED_COLUMNS))


def tabulate_paired(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    *,
    target: float | None = None,
    reference: str | None = None,
    patterns: Sequence[str] = (),
) -> list[PairedTable]:
    """Every experiment minus the reference on the same seed, a table a data set.

    `runs`, `curves` and `target` are those of `tables.tabulate`. The reference is the experiment or
    run of that name, else the first one that the first of the `patterns` names, else the first row
    of the table. A diverged run counts as chance.

    Raises:
        ConfigError: as `tabulate`, or if there are no two experiments that share a seed.
        RecordError: as `tabulate`.
    """
    tables = tabulate(runs, curves, target=target)
    chosen = [
        (one, table, name)
        for one, table in zip(by_data_set(runs), tables, strict=True)
        if (name := _reference(one, table, reference, patterns)) is not None
    ]
    if not chosen:
        raise no_such_reference(runs, str(reference))
    made = [_paired(one, table, curves, name, target) for one, table, name in chosen]
    kept = [one for one in made if one.rows]
    if not kept:
        raise ConfigError(
            "no two experiments that were scored on the same images share a seed; name two, such "
            "as `bnrepro table A B --paired`, that were trained with the same seeds"
        )
    return kept


def _reference(
    one: OneDataSet, table: Table, reference: str | None, patterns: Sequence[str]
) -> str | None:
    if reference is not None:
        return named_reference(one.results, reference)
    labels = [row.experiment for row in table.rows]
    names = one.results.drop_duplicates("label").set_index("label")[["name", "experiment"]]
    for pattern in patterns:
        for label in labels:
            called = (label, *names.loc[label])
            if any(isinstance(name, str) and fnmatchcase(name, pattern) for name in called):
                return label
    return labels[0]


def _paired(
    one: OneDataSet, table: Table, curves: pd.DataFrame, reference: str, target: float | None
) -> PairedTable:
    results = judged(one.results)
    others = [row.experiment for row in table.rows if row.experiment != reference]
    rows = [
        _difference(label, measure, pair(results, label, reference, column))
        for label in others
        for measure, column in _MEASURES.items()
        if _shared(results, label, reference)
    ]
    unreached = []
    if target is not None:
        steps = _steps(one, curves, target)
        for label in others:
            pairs = pair(steps, label, reference, "steps")
            if len(pairs) and pairs[["first", "second"]].notna().all(axis=None):
                rows.append(_difference(label, f"{_STEPS} to {percent(target)}", pairs))
            elif len(pairs):
                unreached.append(label)
    rows.sort(key=lambda row: others.index(row.experiment))
    rows = _corrected(rows)
    return PairedTable(
        reference,
        tuple(rows),
        {label: _differs(results, label, reference) for label in others},
        (table.header[0], f"each minus {reference}, on the same seed"),
        tuple(_notes(results, reference, others, rows, unreached, target)),
        one.data,
    )


def is_of_steps(measure: str) -> bool:
    """Whether a measure is in steps; all others are accuracies."""
    return measure.startswith(_STEPS)


def _shared(results: pd.DataFrame, label: str, reference: str) -> list[int]:
    seeds = [set(results.loc[results["label"] == name, "seed"]) for name in (label, reference)]
    return sorted(map(int, set.intersection(*seeds)))


def _steps(one: OneDataSet, curves: pd.DataFrame, target: float) -> pd.DataFrame:
    """Steps to the target of every run under its label; missing where it is not reached."""
    own = curves.drop(columns="label").merge(one.results[["name", "seed", "label"]])
    crossed = crossings(own, target)
    return crossed.assign(steps=crossed["steps"].where(crossed["reached"]))


def _difference(label: str, measure: str, pairs: pd.DataFrame) -> PairedDifference:
    gap = (pairs["first"] - pairs["second"]).to_numpy(float)
    return PairedDifference(
        label,
        measure,
        len(gap),
        float(pd.Series(gap).median()),
        interval_of_median(gap),
        paired_effect_size(gap),
        sign_flip_test(gap) if len(gap) <= MAX_PAIRS else None,
    )


def _corrected(rows: Sequence[PairedDifference]) -> list[PairedDifference]:
    corrected = iter(holm([row.p_value for row in rows if row.p_value is not None]))
    return [
        row if row.p_value is None else replace(row, p_value_holm=next(corrected)) for row in rows
    ]


def _differs(results: pd.DataFrame, label: str, reference: str) -> str:
    """`placement before (none), normalization batch (null)`: its values, and the reference's."""
    own, other = (
        {**absent_values(), **flatten(read_record(Path(directory)).config)}
        for directory in (
            results.loc[results["label"] == name, "directory"].iloc[0]
            for name in (label, reference)
        )
    )
    changed = [
        f"{key} {spell(value)} ({spell(other.get(key))})"
        for key, value in own.items()
        if key not in NOT_IDENTITY and value != other.get(key)
    ]
    return ", ".join(changed) or "nothing"


def _notes(
    results: pd.DataFrame,
    reference: str,
    others: Sequence[str],
    rows: Sequence[PairedDifference],
    unreached: Sequence[str],
    target: float | None,
) -> Iterator[str]:
    lacking = [label for label in others if not _shared(results, label, reference)]
    if lacking:
        yield f"left out: {first_few(lacking)}, which share no seed with {reference}"
    if unreached and target is not None:
        yield (
            f"no difference of steps for {first_few(unreached)}: not every run reaches "
            f"{percent(target)}; the table without --paired counts those that do not"
        )
    if not rows:
        return
    sizes = sorted({row.n for row in rows})
    covered = {row.n: row.interval.coverage_percent for row in rows}
    coverage = ", ".join(f"{covered[n]} % at n = {n}" for n in sizes if covered[n] is not None)
    yield (
        "difference: median over the seeds that both have"
        + (f", in brackets its order-statistic interval (coverage {coverage})" if coverage else "")
        + "; a run that diverged counts as chance"
    )
    yield "effect: mean of the differences over their standard deviation (Cohen's d_z)"
    least = ", ".join(f"{2 / 2**n:.2g} at n = {n}" for n in sizes if n <= MAX_PAIRS)
    tests = sum(row.p_value is not None for row in rows)
    yield (
        f"p: exact sign-flip test, two-sided, which cannot be below {least}; p (Holm): corrected "
        f"for the {tests} tests of this table"
        if tests > 1
        else f"p: exact sign-flip test, two-sided, which cannot be below {least}"
    )
    if any(row.p_value is None for row in rows):
        yield f"no p above {MAX_PAIRS} seeds, whose signs are too many to enumerate"
