"""Tables as text, CSV and Markdown, and the row of a single run."""

import textwrap

from bnrepro import paper
from bnrepro.records.record import RunRecord
from bnrepro.statistics import Interval, Speedup
from bnrepro.tables.markdown import markdown_table
from bnrepro.tables.rows import Steps, Table, TableRow
from bnrepro.tables.wording import count, percent, span

_TITLES = (
    "experiment",
    "n",
    "reached",
    "steps",
    "sustained",
    "speed-up",
    "best accuracy",
    "diverged",
    "paper steps",
    "paper best",
)


def to_csv(table: Table) -> str:
    """The contract's columns; empty where a number is absent."""
    return table.frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def to_text(table: Table) -> str:
    """For a terminal: header, aligned columns, notes."""
    lines = printed_lines(table)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*_wrapped(table.header), "", *aligned, "", *_wrapped(table.notes)]) + "\n"


def to_markdown(table: Table) -> str:
    """A Markdown table, its header above and its notes as a list below."""
    titles, *lines = printed_lines(table)
    listed = [f"- {note}" for note in table.notes]
    parts = [*table.header, markdown_table(titles, lines), "\n".join(listed)]
    return "\n\n".join(parts) + "\n"


def result_row(record: RunRecord) -> str:
    """One line about a run that has ended: how, how far, how well, how fast."""
    parts = [record.name, f"seed {record.seed}", _ending(record)]
    if record.best_accuracy is not None:
        before = " before that" if record.status == "diverged" else ""
        best = f"best accuracy {percent(record.best_accuracy)}"
        parts.append(f"{best} at step {record.best_accuracy_step or 0:,}{before}")
    # Of a diverged run the last evaluation is not the end: its network is lost.
    if record.final_accuracy is not None and record.status == "completed":
        parts.append(f"final {percent(record.final_accuracy)}")
    if record.final_accuracy_population is not None:
        parts.append(f"with population statistics {percent(record.final_accuracy_population)}")
    seconds = record.seconds.get("train", 0.0)
    if seconds > 0:
        parts.append(f"{record.train_steps / seconds:,.0f} steps/s, {seconds:,.1f} s of training")
    return " · ".join(parts)


def _ending(record: RunRecord) -> str:
    if record.status == "diverged":
        return f"diverged at step {record.diverged_at_step:,}"
    steps = count(record.train_steps, "step")
    if record.status == "completed":
        return f"completed {steps}"
    return f"{record.status} after {steps}" + (f" ({record.error})" if record.error else "")


def _wrapped(lines: tuple[str, ...]) -> list[str]:
    return [part for line in lines for part in textwrap.wrap(line, 100, subsequent_indent="  ")]


def printed_lines(table: Table) -> list[list[str]]:
    """Titles and printed cells, without the columns that are empty throughout."""
    cells = [_printed(row, table.reference) for row in table.rows]
    filled = [index for index in range(len(_TITLES)) if any(line[index] for line in cells)]
    return [[line[index] for index in filled] for line in (_TITLES, *cells)]


def _printed(row: TableRow, reference: str | None) -> tuple[str, ...]:
    """The cells of a row, in the order of `_TITLES`."""
    best = paper.best_accuracy(row.experiment)
    return (
        row.experiment,
        "" if row.steps else f"{row.n}",  # else in the next cell
        f"{row.steps.reached} of {row.n}" if row.steps else "",
        _steps(row),
        _median(row.sustained) if row.sustained else "",
        "reference" if row.experiment == reference else _speedup(row.speedup),
        percent(row.best_accuracy) + _brackets(row.best_accuracy_interval, ".2%"),
        f"{len(row.diverged_at)} of {row.n}" if row.diverged_at else "",
        _paper_steps(row.experiment),
        f"{100 * best:.1f} %" if best else "",
    )


def _steps(row: TableRow) -> str:
    if row.steps is None:
        return ""
    if not row.steps.reached and len(row.diverged_at) == row.n:
        return f"diverged at step {span(row.diverged_at.values())}"
    return _median(row.steps) + _brackets(row.steps.interval, ",.0f")


def _median(steps: Steps) -> str:
    if steps.median is not None:
        return f"{steps.median:,.0f}"
    return f"> {steps.last:,}" if steps.reached else "never"


def _speedup(speedup: Speedup | None) -> str:
    if speedup is None or speedup.value is None:
        return ""
    sign = "" if speedup.relation == "=" else f"{speedup.relation} "
    return f"{sign}{speedup.value:.2f}" + _brackets(speedup.interval, ".2f")


def _paper_steps(experiment: str) -> str:
    printed = paper.row(experiment)
    if printed is None:
        return ""
    return f"{printed.steps_to_target:,}" if printed.steps_to_target else "never"


def _brackets(interval: Interval, form: str) -> str:
    """` (1,000-1,500)`, ` (1,000+)` with an open upper end; nothing for no interval."""
    low, high = (
        None if end is None else f"{end:{form}}".removesuffix("%")
        for end in (interval.low, interval.high)
    )
    if low and high:
        return f" ({low}-{high})"
    if low:
        return f" ({low}+)"
    return f" (up to {high})" if high else ""
