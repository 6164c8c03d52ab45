"""Bring runs that were recorded under names with a digest to their names in words.

    python scripts/rename_runs.py results --dry-run
    python scripts/rename_runs.py results

A run's name follows from its own config. Its directory is moved, and in `record.json` the field
`name` is set; nothing else changes. What has its name already is left as it is, so that the command
can be given again. It is needed until the last run that was begun under an old name is here.
"""

import argparse
import json
import sys
from pathlib import Path

from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.config.overrides import overrides_of
from bnrepro.records.lock import is_held
from bnrepro.records.record import write_atomically
from bnrepro.records.run_directory import read_config

# A place that names do not depend on; records hold none.
_SOMEWHERE = "data.root=somewhere"


def main() -> int:
    """Rename, say what was renamed, and give 1 if a run had to be left as it was."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of results, which holds runs/")
    parser.add_argument("--dry-run", action="store_true", help="say it, and do nothing")
    options = parser.parse_args()
    failures = 0
    for directory in sorted(options.folder.glob("runs/*/seed_*")):
        try:
            renamed = rename(directory, dry_run=options.dry_run)
        except ConfigError as error:
            failures += 1
            print(f"{directory}: left as it is: {error}", file=sys.stderr)
            continue
        if renamed != directory:
            print(f"{directory} -> {renamed}")
    return int(failures > 0)


def rename(directory: Path, *, dry_run: bool = False) -> Path:
    """Bring one run to its name; gives its directory, as it is or would be.

    Raises:
        ConfigError: if its config is none that can be named, another run has its place, or a
            process trains it now.
    """
    path = directory / "config.yaml"
    if not path.exists():
        return directory
    name = compose([*overrides_of(read_config(path)), _SOMEWHERE]).name
    target = directory.parent.with_name(name) / directory.name
    if target != directory and target.exists():
        raise ConfigError(f"{target} is there already")
    if is_held(directory):
        raise ConfigError("a process trains it now")
    if dry_run:
        return target
    _set_name(directory / "record.json", name)
    if target != directory:
        target.parent.mkdir(exist_ok=True)
        directory.rename(target)
        if not any(directory.parent.iterdir()):
            directory.parent.rmdir()
    return target


def _set_name(path: Path, name: str) -> None:
    """Set the field `name` of a record, byte for byte nothing else."""
    if not path.exists():
        return
    text = path.read_text()
    old = json.loads(text)["name"]
    if old != name:
        field = '\n  "name": {},\n'.format
        renamed = text.replace(field(json.dumps(old)), field(json.dumps(name)), 1)
        write_atomically(path, renamed)


if __name__ == "__main__":
    sys.exit(main())
