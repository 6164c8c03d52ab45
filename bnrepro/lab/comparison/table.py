"""`comparison.csv`: everything about one normalization in one row."""

import math
from pathlib import Path
from typing import Any

from bnrepro.lab.comparison.findings import PROPERTIES
from bnrepro.lab.comparison.plan import Candidate
from bnrepro.lab.comparison.rows import CardRow
from bnrepro.lab.comparison.summary import Comparison, Spread
from bnrepro.records.record import write_rows

_MEASURES = ("rate", "initial scale", "batch size", "depth")
NETWORKS = ("inception", "mlp")


def write(comparison: Comparison, path: Path) -> None:
    """Write a row a normalization; a cell is empty where nothing could be measured."""
    rows = [_row(comparison, candidate) for candidate in comparison.candidates]
    cells = [["" if cell is None else cell for cell in row.values()] for row in rows]
    write_rows(path, tuple(rows[0]), cells)


def _row(comparison: Comparison, candidate: Candidate) -> dict[str, Any]:
    cells: dict[str, Any] = {"normalization": candidate.word}
    for each in PROPERTIES:
        cells[each.name] = finding(comparison.card.get((candidate.word, each.name), []))
    for row in comparison.plan.rows:
        cells |= _spread(f"{row}_best_accuracy", comparison.best(candidate, "row", row))
        cells |= _spread(f"{row}_steps_to_90", comparison.steps(candidate, row))
    for measure in _MEASURES:
        found, name = comparison.trains(candidate, measure), measure.replace(" ", "_")
        cells[f"lowest_{name}_that_trains"] = found[0] if found else None
        cells[f"highest_{name}_that_trains"] = found[-1] if found else None
        cells[f"{name}s_that_train"] = None if found is None else len(found)
    for network in NETWORKS:
        cost = comparison.costs.get((candidate.word, network))
        cells[f"{network}_milliseconds_per_step"] = cost and cost.milliseconds_per_step
        cells[f"{network}_times_none"] = cost and cost.times_none
        cells[f"{network}_parameters"] = cost and cost.parameters
        cells[f"{network}_state"] = cost and cost.state
    return cells


def _spread(name: str, found: Spread | None) -> dict[str, Any]:
    values = (found.middle, found.low, found.high) if found else (None, None, None)
    finite = [None if value is None or math.isinf(value) else value for value in values]
    return dict(zip((name, f"{name}_low", f"{name}_high"), finite, strict=True))


def finding(rows: list[CardRow]) -> str:
    """One answer of the card, said once where it is the same on vectors and on feature maps."""
    texts = {row.inputs: row.finding for row in rows}
    if len(set(texts.values())) <= 1:
        return next(iter(texts.values()), "")
    return "; ".join(f"{text} ({inputs})" for inputs, text in texts.items())
