"""Figure 3 (section 4.2.2), a table: steps to the target and best accuracies, and the paper's.

It is of figure 2's runs and lies in its folder.
"""

import pandas as pd

from bnrepro import paper, tables
from bnrepro.exhibits.exhibit import Exhibit, Table, folder
from bnrepro.exhibits.figure_2.claims import figure_2_verdicts
from bnrepro.exhibits.figure_2.proportional_claims import verdicts_table
from bnrepro.exhibits.selection import Selection, select


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """Figure 3 from the records of the study `figure_2` at `scale`; without it, in proportion.

    Raises:
        ConfigError: if the scale is refused or none of the runs is there.
        RecordError: if a record or a curve cannot be read.
    """
    if scale is None:
        chosen = select("figure_2_proportional", results_dir)
        words = "bnrepro table study=figure_2_proportional"
        return _made(chosen, "proportional", words, verdicts_table(chosen))
    chosen = select("figure_2", results_dir, (f"scale={scale}",))
    words = f"bnrepro table study=figure_2 scale={scale}"
    return _made(chosen, scale, words, figure_2_verdicts(chosen))


def _made(chosen: Selection, scale: str, command: str, verdicts: pd.DataFrame) -> Exhibit:
    ours = tables.table(chosen.runs, chosen.curves)
    columns, *lines = tables.printed_lines(ours)
    return Exhibit(
        name=folder("figure_3", scale),
        beside=folder("figure_2", scale),
        title="Figure 3",
        setting="\n".join(ours.header),
        findings=[_counted(verdicts)],
        commands=[chosen.command, command],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[],
        tables=[
            Table(
                "table",
                columns,
                lines,
                "Ours, beside the paper's on ImageNet.",
                notes=ours.notes,
                file=tables.to_csv(ours),
            ),
            Table("verdicts", list(verdicts.columns), verdicts.to_numpy().tolist(), "Verdicts."),
            _paper_table(),
        ],
        series=[],
        runs=chosen.runs,
    )


def _counted(verdicts: pd.DataFrame) -> str:
    """Which of the claims have which verdict."""
    each = [
        f"{str(outcome).capitalize()}: {'; '.join(own['claim'])}."
        for outcome, own in verdicts.groupby("verdict", sort=False)
    ]
    return f"By the criteria for these networks. {' '.join(each)}"


def _paper_table() -> Table:
    columns = ("network", "learning_rate", "steps to 72.2 %", "best_accuracy")
    rows = [
        [row.label, row.learning_rate, row.steps_to_target or "never", row.best_accuracy]
        for row in paper.FIGURE_3
    ]
    return Table("paper", columns, rows, "The paper's figure 3, on ImageNet.", file="")
