"""Change folders of results in made-up ways and see what every command that reads them says.

    python scripts/resilience.py --changes 2000 --results results/published/resilience

Each change (a kind of `tests/mutations.py`, the place and the value from its number) is made to a
fresh copy of a few published runs, with the checksums that runs leave now. A fault is a traceback,
an exit code other than 0 and 2, a run that is shown with another value than it had, or one that is
neither shown nor named. Writes `changes.csv`, a row a kind; exit code 1 on any fault. What is
written stands for the changes made so far, so that it can be stopped at any time.
"""

import argparse
import csv
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from mutations import KINDS, command_of, copy_of_published, faults

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("kind", "changes", "faults")
_CHANGES_BETWEEN_WRITES = 20


def main() -> int:
    """Make the changes, write the table, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=2000)
    parser.add_argument("--results", type=Path, default=Path("results/published/resilience"))
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    made: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = copy_of_published(ROOT / "results" / "published", folder / "whole")
        for number in range(options.changes):
            command = command_of(number)
            kind, found = faults(whole, folder / "changed", number, [command])
            shutil.rmtree(folder / "changed")
            made[kind] += 1
            bad[kind] += bool(found)
            for fault in found:
                print(f"change {number}, {kind}: {fault}", flush=True)
            if (number + 1) % _CHANGES_BETWEEN_WRITES == 0 or number + 1 == options.changes:
                _write(options.results / "changes.csv", made, bad)
    print(f"{made.total()} changes, {bad.total()} with a fault")
    return int(bad.total() > 0)


def _write(path: Path, made: "Counter[str]", bad: "Counter[str]") -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((kind, made[kind], bad[kind]) for kind in KINDS)


if __name__ == "__main__":
    sys.exit(main())
