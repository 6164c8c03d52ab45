"""Figure 3 (section 4.2.2), a table: steps to the target and best accuracies, and the paper's.

It is of figure 2's runs and lies in its folder.
"""

from bnrepro import paper, tables
from bnrepro.exhibits.exhibit import Exhibit, Table, folder
from bnrepro.exhibits.figure_2.claims import figure_2_verdicts
from bnrepro.exhibits.selection import Selection, select


def exhibit(results_dir: str, scale: str) -> Exhibit:
    """Figure 3 from the records of the study `figure_2` at `scale`.

    Raises:
        ConfigError: if the scale is refused or none of the runs is there.
        RecordError: if a record or a curve cannot be read.
    """
    chosen = select("figure_2", results_dir, (f"scale={scale}",))
    ours = tables.table(chosen.runs, chosen.curves)
    columns, *lines = tables.printed_lines(ours)
    return Exhibit(
        name=folder("figure_3", scale),
        beside=folder("figure_2", scale),
        title="Figure 3",
        setting="\n".join(ours.header),
        findings=[],
        commands=[chosen.command, f"bnrepro table study=figure_2 scale={scale}"],
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
            _verdicts(chosen),
            _paper_table(),
        ],
        series=[],
        runs=chosen.runs,
    )


def _verdicts(chosen: Selection) -> Table:
    verdicts = figure_2_verdicts(chosen)
    return Table("verdicts", list(verdicts.columns), verdicts.to_numpy().tolist(), "Verdicts.")


def _paper_table() -> Table:
    columns = ("network", "learning_rate", "steps to 72.2 %", "best_accuracy")
    rows = [
        [row.label, row.learning_rate, row.steps_to_target or "never", row.best_accuracy]
        for row in paper.FIGURE_3
    ]
    return Table("paper", columns, rows, "The paper's figure 3, on ImageNet.", file="")
