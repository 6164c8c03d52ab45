"""What a verification has found, as rows, as CSV and as a page: its last outcome is published."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from bnrepro.records.record import PUBLISHED, write_atomically
from bnrepro.screen import duration, percent
from bnrepro.sweep.verification.choice import Candidate
from bnrepro.tables import markdown_table

COLUMNS = (
    "study",
    "run",
    "seed",
    "outcome",
    "reason",
    "recorded_digest",
    "digest",
    "recorded_accuracy",
    "accuracy",
    "low",
    "high",
    "device",
    "started",
)
Row = dict[str, str]

_FOLDER, _CSV, _PAGE = "verification", "verification.csv", "README.md"
_TITLES = ("study", "run", "outcome", "final accuracy", "recorded", "band of the seeds", "reason")
_HEAD = """# Published runs, trained again
Of each study the run that took the least time was trained again, by `bnrepro verify --publish`, \
and compared with its record. On the same versions and processor the same weights are expected, \
to the bit (`weights_digest`); elsewhere accuracies within the band of the seeds of that run: from \
the lowest to the highest, widened by that length on either side.

"""


def read(results_dir: str) -> list[Row]:
    """The rows of the last outcomes; none where nothing was verified yet."""
    path = Path(results_dir) / _FOLDER / _CSV
    return list(csv.DictReader(io.StringIO(path.read_text()))) if path.exists() else []


def publish(results_dir: str, rows: Sequence[Row], known: Sequence[Candidate]) -> Path:
    """Write the outcomes beside those of other runs; `known` is a run of every study.

    Returns:
        The page.

    Raises:
        OSError: if it cannot be written.
    """
    every = {(row["study"], row["run"], row["seed"]): row for row in [*read(results_dir), *rows]}
    ordered = [every[key] for key in sorted(every)]
    folder = Path(results_dir) / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(ordered)
    write_atomically(folder / _CSV, text.getvalue())
    write_atomically(folder / _PAGE, page(ordered, known, results_dir))
    return folder / _PAGE


def table(rows: Sequence[Row]) -> str:
    """The rows for people."""
    return markdown_table(_TITLES, [_printed(row) for row in rows])


def page(rows: Sequence[Row], known: Sequence[Candidate], results_dir: str = PUBLISHED) -> str:
    """The page of the outcomes: the table, and how to verify the studies that it has not."""
    parts = [_HEAD + table(rows) + "\n"]
    done = {row["study"] for row in rows}
    place = "" if Path(results_dir) == Path(PUBLISHED) else f" results_dir={results_dir}"
    left = [one for one in known if one.study not in done]
    if left:
        parts.append("\nNot verified yet, with the time that the run has taken and on what:\n\n")
    for one in left:
        device = one.record.environment.get("device")
        parts.append(
            f"- `bnrepro verify study={one.study} --publish{place}`: {one.record.name} seed "
            f"{one.record.seed}, {duration(one.seconds)} on {device}\n"
        )
    return "".join(parts)


def _printed(row: Row) -> tuple[str, ...]:
    band = f"{_percent(row['low'])} to {_percent(row['high'])}" if row["low"] else "–"
    return (
        row["study"] or "–",
        f"{row['run']} seed {row['seed']}",
        row["outcome"],
        _percent(row["accuracy"]),
        _percent(row["recorded_accuracy"]),
        band,
        row["reason"],
    )


def _percent(number: str) -> str:
    return percent(float(number)) if number else "–"
