"""`bnrepro ensemble RUN...`: the mean of the class probabilities of any runs (section 4.2.3)."""

import fnmatch
from pathlib import Path

from bnrepro.config import ConfigError, did_you_mean, first_few
from bnrepro.records import predictions
from bnrepro.records.loading import find_runs


def main(runs: list[str], results_dir: str = "results") -> int:
    """Print top-1 and top-5 error of every run and of the mean of their class probabilities.

    Args:
        runs: directories of runs, or names below `<results_dir>/runs`, with `*` and with or without
            the seed: `bn_x30-cpu`, `bn_x30-cpu/seed_0`, `results/runs/bn_x30-cpu/seed_0`.

    Raises:
        ConfigError: if a run is not found, has no predictions, or is of other examples.
        RecordError: if a record or predictions cannot be read.
    """
    directories: list[Path] = []
    for run in runs:
        directories += [path for path in find(run, results_dir) if path not in directories]
    members = predictions.read(*directories)
    rows = predictions.error_rows(members)
    width = max(len(row.model) for row in rows)
    print(f"{'model':{width}}  networks  top-1 error  top-5 error")
    for model, networks, top1, top5 in rows:
        print(f"{model:{width}}  {networks:8}  {100 * top1:9.2f} %  {100 * top5:9.2f} %")
    return 0


def find(run: str, results_dir: str) -> list[Path]:
    """The directories of the runs that `run` names.

    Raises:
        ConfigError: if there are none.
    """
    below = Path(run)
    found = sorted(path.parent for path in below.glob("**/record.json") if below.is_dir())
    kept = [path.resolve() for path in found if path == below or not _is_aside(path)]
    if kept:
        return kept
    known = {
        f"{path.parent.name}/{path.name}": path
        for path in find_runs(results_dir)
        if not _is_aside(path)
    }
    pattern = run.strip("/")
    chosen = [
        path.resolve()
        for name, path in known.items()
        if fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(path.parent.name, pattern)
    ]
    if not chosen:
        names = sorted({path.parent.name for path in known.values()})
        raise ConfigError(
            f"{run}: no run; expected a run's directory or a name below {results_dir}/runs, one of "
            f"{first_few(names) or 'none yet'}{did_you_mean(run, names)}"
        )
    return chosen


def _is_aside(directory: Path) -> bool:
    """Whether `force` has moved the run aside for another one."""
    return directory.suffix == ".aside"
