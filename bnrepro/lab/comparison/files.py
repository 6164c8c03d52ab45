"""A comparison on disk: its rows as CSV files, and until all are there, those of finished jobs."""

import csv
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_type_hints
from zlib import crc32

from bnrepro.lab.comparison.jobs import Job
from bnrepro.lab.comparison.rows import FILES, KINDS, Row
from bnrepro.records.record import write_atomically, write_rows

_SETTING = "setting.json"


def write(folder: Path, rows: Iterable[Row], setting: dict[str, Any]) -> None:
    """Write `card.csv` and its like, then what they are of: only with it do they count."""
    rows = list(rows)
    for kind, name in FILES.items():
        write_rows(folder / f"{name}.csv", kind._fields, [row for row in rows if type(row) is kind])
    write_atomically(folder / _SETTING, json.dumps(setting, indent=2) + "\n")
    for parts in folder.glob("parts_*"):
        shutil.rmtree(parts)


def setting_of(folder: Path) -> dict[str, Any] | None:
    """What the files in the folder are of; None where they are not complete."""
    path = folder / _SETTING
    return json.loads(path.read_text()) if path.exists() else None


def read(folder: Path) -> list[Row]:
    """The rows that `write` wrote."""
    rows: list[Row] = []
    for kind, name in FILES.items():
        types = get_type_hints(kind)
        with (folder / f"{name}.csv").open(newline="") as file:
            for cells in csv.DictReader(file):
                values = [_value(types[field], cells[field]) for field in kind._fields]
                rows.append(kind(*values))
    return rows


def _value(kind: Any, cell: str) -> Any:
    if kind is float:
        return float(cell or "nan")
    return int(cell) if kind is int else cell


def keep(folder: Path, job: Job, rows: Iterable[Row]) -> None:
    """Keep the rows of a job that is done, for the same command if this one does not end."""
    lines = [json.dumps([type(row).__name__, *row]) + "\n" for row in rows]
    path = _part(folder, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(lines))


def kept(folder: Path, job: Job) -> list[Row] | None:
    """The rows of a job that was done before; None where it was not."""
    path = _part(folder, job)
    if not path.exists():
        return None
    lines = map(json.loads, path.read_text().splitlines())
    return [KINDS[kind](*values) for kind, *values in lines]


def _part(folder: Path, job: Job) -> Path:
    """Its name holds the digest of a normalization of one's own: an edited one is another."""
    digest = crc32(json.dumps([job.backend, job.plan, *job.identities]).encode())
    return folder / f"parts_{digest:08x}" / f"{'+'.join((job.kind, *job.words))}.jsonl"
