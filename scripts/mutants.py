"""Change the code in one place at a time, and see that the quick tests notice every change.

    python scripts/mutants.py                  # each mutant against the tests of its module
    python scripts/mutants.py engine/batch     # the modules whose path contains a word
    python scripts/mutants.py --all            # each mutant against the whole quick suite

`mutants.toml` lists the changes and, per module, the tests that must notice them. All happens in a
copy of the tree. The tests must pass there as it is; then each mutant is tested until the first
failure. Prints a line per mutant; exit code 1 if one survives, or if its text is not there once.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_suffix(".toml")
# The longest that a mutant's tests may take, in seconds: one that hangs is noticed, too.
LONGEST = 1_800


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    file: str
    tests: tuple[str, ...]
    select: str  # which of those tests, as pytest's -k; empty for all
    says: str  # what is wrong then, in a sentence
    old: str
    new: str


@dataclass(frozen=True)
class Outcome:
    """What the tests said; `noticed_by` is None where all of them passed."""

    noticed_by: str | None
    seconds: float


def main() -> int:
    """Test the mutants that are asked for, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only modules whose path contains one of these")
    parser.add_argument("--all", action="store_true", help="run the whole quick suite over each")
    options = parser.parse_args()
    mutants = [mutant for mutant in load() if is_chosen(mutant, options.words)]
    misplaced = [mutant for mutant in mutants if not is_placed(mutant)]
    for mutant in misplaced:
        print(f"{mutant.file}: not there exactly once: {mutant.old!r} ({mutant.says})")
    if misplaced or not mutants:
        return 1
    with tempfile.TemporaryDirectory() as folder:
        return hunt(copy_tree(Path(folder) / "tree"), mutants, options.all)


def load() -> list[Mutant]:
    """All mutants of the table, in its order."""
    modules = tomllib.loads(TABLE.read_text())["module"]
    return [
        Mutant(module["file"], tuple(module["tests"]), module.get("select", ""), **change)
        for module in modules
        for change in module["mutant"]
    ]


def is_chosen(mutant: Mutant, words: Sequence[str]) -> bool:
    """Whether the mutant's file is among those asked for; all are where nothing is said."""
    return not words or any(word in mutant.file for word in words)


def is_placed(mutant: Mutant) -> bool:
    """Whether the text to be changed stands in the file exactly once."""
    return (ROOT / mutant.file).read_text().count(mutant.old) == 1


def hunt(tree: Path, mutants: Sequence[Mutant], everything: bool) -> int:
    """Print a line per mutant; 1 if the tests fail without a mutant, or one survives."""
    started = time.monotonic()
    tests = [] if everything else sorted({test for mutant in mutants for test in mutant.tests})
    untouched = run_tests(tree, tests, "")
    if untouched.noticed_by is not None:
        print(f"without a mutant: {untouched.noticed_by} fails")
        return 1
    print(f"without a mutant: all tests pass ({untouched.seconds:.0f} s)", flush=True)
    survivors = 0
    for mutant in mutants:
        outcome = run_mutant(tree, mutant, everything)
        survivors += outcome.noticed_by is None
        print(line_of(mutant, outcome), flush=True)
    minutes = (time.monotonic() - started) / 60
    print(f"{len(mutants)} mutants, {survivors} survived, {minutes:.0f} minutes")
    return 1 if survivors else 0


def line_of(mutant: Mutant, outcome: Outcome) -> str:
    """A row of the table: verdict, seconds, file, what is wrong, by which test it is noticed."""
    verdict = "SURVIVED" if outcome.noticed_by is None else "killed"
    file = mutant.file.removeprefix("bnrepro/")
    by = f" | {outcome.noticed_by}" if outcome.noticed_by else ""
    return f"{verdict:8} | {outcome.seconds:4.0f} s | {file} | {mutant.says}{by}"


def run_mutant(tree: Path, mutant: Mutant, everything: bool) -> Outcome:
    """What its tests, or all, say to the mutant; the tree is as before afterwards."""
    path = tree / mutant.file
    text = path.read_text()
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        return run_tests(tree, *(((), "") if everything else (mutant.tests, mutant.select)))
    finally:
        path.write_text(text)


def run_tests(tree: Path, tests: Iterable[str], select: str) -> Outcome:
    """Run test files of the tree, all quick ones where none is named, to the first failure.

    Raises:
        RuntimeError: if pytest itself cannot run them.
    """
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    command += ["-k", select] if select else []
    # A changed file of the same size and second would be taken from its old byte code.
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        return Outcome("no test ends", time.monotonic() - started)
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stderr or done.stdout}")
    return Outcome(
        first_failure(done.stdout) if done.returncode else None, time.monotonic() - started
    )


def first_failure(output: str) -> str:
    """The test that pytest names in its summary, without the folder."""
    found = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(.+?)(?: - .*)?$", output, re.MULTILINE)
    return found[1] if found else "an error"


def copy_tree(tree: Path) -> Path:
    """A copy of all files that git knows or would know, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    return tree


if __name__ == "__main__":
    sys.exit(main())
