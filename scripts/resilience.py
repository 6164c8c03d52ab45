"""Change folders of results in made-up ways, make up command lines, and see what commands say.

    python scripts/resilience.py --changes 2000 --lines 2000 --results results/published/resilience

Each change (a kind of `tests/mutations.py`, the place and the value from its number) is made to a
fresh copy of a few published runs, with the checksums that runs leave now. A fault is a traceback,
an exit code other than 0 and 2, a run that is shown with another value than it had, or one that is
neither shown nor named. Writes `changes.csv`, a row a kind, as it goes: it can be stopped at any
time. Command lines are those of `tests/test_cli_bad_input.py`, words in any order with letters
changed: a fault is anything but an accepted line, or one line of why not with nothing created.
Writes `lines.csv`. Exit code 1 on any fault.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from hypothesis import given, settings
from mutations import KINDS, command_of, copy_of_published, faults
from test_cli_bad_input import any_line, check, nearly_good, often

from bnrepro.records.record import write_rows

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("kind", "changes", "faults")
_CHANGES_BETWEEN_WRITES = 20


def main() -> int:
    """Make the changes, write the table, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--results", type=Path, default=Path("results/published/resilience"))
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    good = [
        _ask_lines(options.lines, options.results) if options.lines else True,
        _change_folders(options.changes, options.results) if options.changes else True,
    ]
    return 0 if all(good) else 1


def _ask_lines(number: int, results: Path) -> bool:
    """Whether as many command lines are each accepted or refused as they should be."""
    asked: Counter[int] = Counter()

    @settings(max_examples=number, database=None, deadline=None, derandomize=True)
    @given(often((nearly_good, 1), (any_line, 1)))
    def ask(line: list[str]) -> None:
        asked[check(line)[0]] += 1

    bad = 0
    try:
        ask()
    except Exception as fault:
        bad = 1
        print(f"a command line: {fault!r}", flush=True)
    rows = [(asked.total(), asked[0], asked[2], bad)]
    write_rows(results / "lines.csv", ("lines", "accepted", "refused", "faults"), rows)
    print(f"{asked.total()} command lines, {bad} with a fault", flush=True)
    return not bad


def _change_folders(number: int, results: Path) -> bool:
    """Whether every command stands as many changes of a folder."""
    made: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = copy_of_published(ROOT / "results" / "published", folder / "whole")
        for place in range(number):
            kind, found = faults(whole, folder / "changed", place, [command_of(place)])
            shutil.rmtree(folder / "changed")
            made[kind] += 1
            bad[kind] += bool(found)
            for fault in found:
                print(f"change {place}, {kind}: {fault}", flush=True)
            if (place + 1) % _CHANGES_BETWEEN_WRITES == 0 or place + 1 == number:
                rows = [(kind, made[kind], bad[kind]) for kind in KINDS]
                write_rows(results / "changes.csv", COLUMNS, rows)
    print(f"{made.total()} changes, {bad.total()} with a fault")
    return not bad.total()


if __name__ == "__main__":
    sys.exit(main())
