"""`SHA256SUMS` of a finished run: what its files held when it ended (`sha256sum --check` reads it).

A value that was changed afterwards, on a bad disk or by hand, is told from one that was measured.
Runs that were recorded before there was such a file have none.
"""

import hashlib
from pathlib import Path

from bnrepro.records.checking import AGAIN

FILE = "SHA256SUMS"
# Records and what stands beside them; the weights are large, and no table is made of them.
_SUFFIXES = (".csv", ".json", ".npz", ".yaml")


def contents(directory: Path) -> str:
    """The lines of the file, for what lies in a run's directory now."""
    paths = sorted(path for path in directory.iterdir() if path.suffix in _SUFFIXES)
    return "".join(f"{_digest(path)}  {path.name}\n" for path in paths if path.is_file())


def check(directory: Path, name: str) -> None:
    """Whether a file is as the run left it, as far as that is known.

    Raises:
        ValueError: if it is not.
        OSError: if it cannot be read.
    """
    path = directory / FILE
    if not path.exists():
        return
    pairs = [line.split("  ", 1)[::-1] for line in path.read_text().splitlines()]
    known = {pair[0]: pair[-1] for pair in pairs}
    if known.get(name) != _digest(directory / name):
        raise ValueError(f"{name} is not as the run left it ({FILE}); {AGAIN}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
