"""`bnrepro table --best-of learning_rate`: the best value of a key for each variant, beside all."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bnrepro.config import (
    KEYS,
    NOT_IDENTITY,
    ConfigError,
    absent_values,
    did_you_mean,
    first_few,
    flatten,
)
from bnrepro.config.overrides.values import spell
from bnrepro.records.record import read_record
from bnrepro.screen import percent
from bnrepro.statistics import judged
from bnrepro.tables.data_sets import OneDataSet, by_data_set
from bnrepro.tables.latex import latex_table
from bnrepro.tables.markdown import markdown_table
from bnrepro.tables.rendering import PROSE, aligned, wrapped

# The columns of `bnrepro table --best-of KEY --format csv`; the value stands under `value`.
BEST_COLUMNS = (
    "variant",
    "key",
    "value",
    "n",
    "best_accuracy",
    "lowest",
    "highest",
    "diverged",
    "best",
    "data",
)
_DASH = "\N{EN DASH}"
_MARK = "*"
_TEST = "test"


@dataclass(frozen=True)
class Tried:
    """A variant with one value of the key: best accuracies over its seeds, chance if diverged."""

    value: Any
    n: int
    median: float
    lowest: float
    highest: float
    diverged: int


@dataclass(frozen=True)
class Variant:
    """Runs that differ in nothing but the key and the seed; `best` has the highest median."""

    name: str
    tried: tuple[Tried, ...]

    @property
    def best(self) -> Tried:
        """The first of the highest."""
        return max(self.tried, key=lambda one: one.median)


@dataclass(frozen=True)
class BestTable:
    """The variants on one data set."""

    key: str
    variants: tuple[Variant, ...]
    header: tuple[str, ...]
    notes: tuple[str, ...]
    data: str

    @property
    def values(self) -> list[Any]:
        """All values that were tried, in their order."""
        found = {one.value for variant in self.variants for one in variant.tried}
        return sorted(found, key=lambda value: (not isinstance(value, int | float), value))


def tabulate_best(runs: pd.DataFrame, key: str) -> list[BestTable]:
    """The best value of `key` for each variant, with every value that was tried.

    `runs` is a frame of `loading.load_runs`. What counts is the median over seeds of the best
    accuracy; a diverged run counts as chance.

    Raises:
        ConfigError: if there is no such key of a run's identity, it takes lists, or no variant has
            two values of it.
    """
    _check_key(key)
    if not len(runs):
        raise ConfigError("no completed run to tabulate; `bnrepro run` makes one")
    made = [_table(one, key) for one in by_data_set(runs)]
    if not any(len(variant.tried) > 1 for table in made for variant in table.variants):
        raise ConfigError(
            f"--best-of {key}: no two runs differ in nothing else; train some, such as "
            f"`bnrepro sweep '{key}=logspace(1e-3,1,7)' data.evaluation_split=tuning`"
            if KEYS[key].allowed is not None
            else f"--best-of {key}: no two runs differ in nothing else"
        )
    return made


def _check_key(key: str) -> None:
    known = [name for name in KEYS if name not in NOT_IDENTITY]
    if key not in known:
        raise ConfigError(
            f"--best-of {key}: expected a key of which a run's name speaks, such as learning_rate"
            f"{did_you_mean(key, known)}"
        )


def _table(one: OneDataSet, key: str) -> BestTable:
    variants = sorted(_variants(one, key), key=lambda variant: -variant.best.median)
    split = str(one.results["config.data.evaluation_split"].iloc[0])
    size = int(one.results["data.num_evaluation"].iloc[0])
    header = (
        f"{one.data}: best accuracy on the {size:,} images of the {split} split, the median over "
        f"seeds, by {key}; {_MARK} the best of each variant",
    )
    return BestTable(key, tuple(variants), header, tuple(_notes(variants, key, split)), one.data)


def _variants(one: OneDataSet, key: str) -> Iterator[Variant]:
    results = judged(one.results)
    groups: dict[str, list[tuple[Any, str]]] = {}
    for label, own in results.groupby("label", sort=False):
        config = _config(own)
        value = config.pop(key, None)
        if isinstance(value, list):
            raise ConfigError(f"--best-of {key}: expected a key that takes one value, not a list")
        groups.setdefault(repr(sorted(config.items())), []).append((value, str(label)))
    for members in groups.values():
        tried = [
            _tried(value, results[results["label"] == label])
            for value, label in sorted(members, key=lambda member: (member[0] is None, member[0]))
        ]
        yield Variant(_common_name([label for _, label in members]), tuple(tried))


def _config(runs: pd.DataFrame) -> dict[str, Any]:
    """What is computed by all runs of a label, but for the seed."""
    recorded = flatten(read_record(Path(runs["directory"].iloc[0])).config)
    values = {**absent_values(), **recorded}
    return {key: value for key, value in values.items() if key not in NOT_IDENTITY}


def _tried(value: Any, runs: pd.DataFrame) -> Tried:
    accuracies = runs["judged_best"]
    diverged = int((runs["status"] == "diverged").sum())
    median, lowest, highest = map(float, accuracies.quantile([0.5, 0.0, 1.0]))
    return Tried(value, len(runs), median, lowest, highest, diverged)


def _common_name(labels: Sequence[str]) -> str:
    """The words that all the names have, in the order of the first."""
    parts = [label.split("-") for label in labels]
    common = set.intersection(*map(set, parts))
    return "-".join(part for part in parts[0] if part in common) or labels[0]


def _notes(variants: Sequence[Variant], key: str, split: str) -> Iterator[str]:
    edges = [
        variant.name
        for variant in variants
        if len(variant.tried) > 1 and variant.best in (variant.tried[0], variant.tried[-1])
    ]
    if edges:
        yield (
            f"{first_few(edges)}: the best {key} is the lowest or the highest that was tried, so "
            "that a better one may lie beyond"
        )
    if split == _TEST:
        yield (
            "chosen on the test images, whose accuracy is then no fair estimate; choose with "
            "data.evaluation_split=tuning, which holds images of the training set out"
        )
    diverged = [
        f"{variant.name} at {spell(one.value)} ({one.diverged} of {one.n})"
        for variant in variants
        for one in variant.tried
        if one.diverged
    ]
    if diverged:
        yield f"diverged, and counted as chance: {first_few(diverged)}"
    sizes = sorted({one.n for variant in variants for one in variant.tried})
    yield "n = " + (f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}")


def best_rendered(tables: Sequence[BestTable], form: str, width: int | None = None) -> str:
    """The tables as `text` (so wide), `csv`, `markdown` or `latex`."""
    if form == "csv":
        frame = pd.DataFrame(_rows(tables), columns=list(BEST_COLUMNS))
        return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    renderers: Mapping[str, Any] = {
        "text": partial(_text, width=width),
        "markdown": _markdown,
        "latex": _latex,
    }
    return "\n\n".join(renderers[form](table) + "\n" for table in tables)


def _rows(tables: Sequence[BestTable]) -> Iterator[tuple[Any, ...]]:
    for table in tables:
        for variant in table.variants:
            for one in variant.tried:
                counted = (one.n, one.median, one.lowest, one.highest, one.diverged)
                marked = one == variant.best
                yield (variant.name, table.key, spell(one.value), *counted, marked, table.data)


def _text(table: BestTable, width: int | None) -> str:
    prose = partial(wrapped, width=width or PROSE)
    lines = [*prose(table.header), "", *aligned(_lines(table), width), "", *prose(table.notes)]
    return "\n".join(lines)


def _markdown(table: BestTable) -> str:
    titles, *lines = _lines(table)
    listed = "\n".join(f"- {note}" for note in table.notes)
    return "\n\n".join([*table.header, markdown_table(titles, lines), listed])


def _latex(table: BestTable) -> str:
    titles, *lines = _lines(table)
    return latex_table(titles, lines, [*table.header, *table.notes])


def _lines(table: BestTable) -> list[list[str]]:
    lines = [["variant", *(spell(value) for value in table.values)]]
    for variant in table.variants:
        of_value = {one.value: one for one in variant.tried}
        cells = [_cell(of_value.get(value), variant.best) for value in table.values]
        lines.append([variant.name, *cells])
    return lines


def _cell(one: Tried | None, best: Tried) -> str:
    if one is None or math.isnan(one.median):
        return _DASH
    return percent(one.median) + (_MARK if one == best else "")
