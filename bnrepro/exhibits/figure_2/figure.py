"""Figure 2 (section 4.2.2): accuracy of the Inception networks against steps, at a smaller scale.

In the paper's proportions of lengths, schedule and weights per image, and, as what a shorter
training shows, at a scale that is named.
"""

from collections.abc import Iterator

import pandas as pd

from bnrepro import statistics
from bnrepro.config import study
from bnrepro.exhibits.exhibit import Exhibit, Table, folder, rows_of
from bnrepro.exhibits.figure_2 import curves, doubled, factors, rate_edge
from bnrepro.exhibits.figure_2.differences import differences
from bnrepro.exhibits.figure_2.findings import REFERENCE, findings, pinned, target_accuracy
from bnrepro.exhibits.figure_2.proportional import PRIMARY_TARGET, SHOWN_SHARES
from bnrepro.exhibits.figure_2.tables import equal_steps, fixed_targets, paired
from bnrepro.exhibits.selection import Selection, select, select_optional
from bnrepro.exhibits.wording import made_on, percent, setting


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """Figure 2 from the records of the study `figure_2` at `scale`; without it, in proportion.

    Raises:
        ConfigError: if the scale is refused or none of the runs is there.
        RecordError: if a record or a curve cannot be read.
    """
    return _in_proportion(results_dir) if scale is None else _at_scale(results_dir, scale)


def _at_scale(results_dir: str, scale: str) -> Exhibit:
    words = (f"scale={scale}",)
    chosen = select("figure_2", results_dir, words)
    mean = statistics.mean_curves(chosen.curves, chosen.num_classes)
    against = curves.steps_against_target(chosen)
    target = target_accuracy(chosen.runs)
    fixed = fixed_targets(chosen)
    rows = factors.factors(chosen, SHOWN_SHARES)
    drawn = factors.factors(chosen, factors.DRAWN_SHARES)
    return Exhibit(
        name=folder("figure_2", scale),
        title="Figure 2",
        setting=setting(chosen.runs),
        findings=[
            *findings(chosen, target, fixed),
            *differences(chosen, study.planned_runs("figure_2", words), target),
            *factors.at_share(rows, factors.USUAL_SHARE),
            *factors.along_shares(rows),
            made_on(chosen.runs),
        ],
        commands=[chosen.command, f"bnrepro figure 2 scale={scale}"],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[
            curves.curves(chosen, mean),
            curves.targets(against),
            factors.drawing(rows, drawn, factors.USUAL_SHARE),
        ],
        tables=[fixed, equal_steps(chosen), paired(chosen), factors.table(rows)],
        series=_series(mean, against, drawn),
        runs=chosen.runs,
    )


def _in_proportion(results_dir: str) -> Exhibit:
    chosen = select("figure_2_proportional", results_dir)
    edges, without_edges = select_optional("rate_edge", results_dir)
    longer, without_longer = select_optional("figure_2_doubled", results_dir)
    beside = {"rate_edge": edges, "figure_2_doubled": longer}
    mean = statistics.mean_curves(chosen.curves, chosen.num_classes)
    against = curves.steps_against_target(chosen)
    target = target_accuracy(chosen.runs)
    # The share of Inception's best accuracy that is judged.
    judged = factors.USUAL_SHARE if target is None else PRIMARY_TARGET / target
    rows = factors.factors(chosen, [judged, *SHOWN_SHARES])
    drawn = factors.factors(chosen, factors.DRAWN_SHARES)
    compared = doubled.compare(chosen, longer, judged)
    grid = rate_edge.grid(edges)
    return Exhibit(
        name=folder("figure_2", "proportional"),
        title="Figure 2",
        setting=f"{setting(chosen.runs)}, in the paper's proportions",
        findings=[
            *factors.at_share(rows, judged),
            *factors.along_shares(rows),
            *_pinned(chosen),
            *doubled.finding(compared),
            *rate_edge.finding(grid),
            *differences(chosen, study.planned_runs("figure_2_proportional"), target),
            made_on(chosen.runs),
            *(made_on(each.runs, name) for name, each in beside.items() if each is not None),
        ],
        commands=[chosen.command, "bnrepro figure 2"],
        missing=[line for line in (chosen.missing, without_edges, without_longer) if line],
        drawings=[
            curves.curves(chosen, mean),
            factors.drawing(
                rows, drawn, judged, *rate_edge.panels(grid), *doubled.panels(compared)
            ),
            curves.targets(against),
        ],
        tables=[
            factors.table(rows),
            doubled.table(compared),
            rate_edge.table(grid),
            equal_steps(chosen),
            paired(chosen),
        ],
        series=_series(mean, against, drawn),
        runs=chosen.runs,
    )


def _pinned(chosen: Selection) -> Iterator[str]:
    """Whether Inception has come to its limit, beside the steps that it needs to the target."""
    of_reference = chosen.curves[chosen.curves["label"] == REFERENCE]
    if len(of_reference):
        reached = statistics.crossings(of_reference, PRIMARY_TARGET)
        yield from pinned(of_reference, reached, percent(PRIMARY_TARGET))


def _series(
    mean: pd.DataFrame, against: pd.DataFrame, drawn: list[factors.FactorRow]
) -> list[Table]:
    return [
        Table("accuracy", list(mean.columns), rows_of(mean)),
        Table("steps_against_target", list(against.columns), rows_of(against)),
        Table("factors_against_share", factors.FactorRow._fields, drawn),
    ]
