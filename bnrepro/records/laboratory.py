"""What a study of the laboratory leaves: tables, and on what and how long they were computed.

Such a study trains no run of its own. Its files lie in `<results>/laboratory/<study>/`; its
`record.json`, written last, makes them count.
"""

import json
import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bnrepro.config import ConfigError, first_few
from bnrepro.records.record import PUBLISHED, RESULTS, RecordError, write_atomically

if TYPE_CHECKING:
    import pandas as pd

# What is published; a minute or two of the same for a look, on too few seeds for a verdict; and the
# same with the networks and images of the work that it asks about, for a GPU.
PUBLISHED_SCALE, SMOKE, GPU = SCALES = ("published", "smoke", "gpu")
# The studies that have the last one.
FOR_GPU = (
    "surfaces",
    "training_path",
    "residual_networks",
    "recurrent",
    "dropout",
    "ghost_batches",
)


@dataclass(frozen=True)
class LaboratoryRecord:
    """One study, computed as a whole, in `seconds` of a core; `environment` is that of a run.

    `scale` is one of `SCALES`.
    """

    study: str
    question: str
    seconds: float
    environment: dict[str, Any]
    scale: str = PUBLISHED_SCALE


def folder_of(results_dir: str | Path, study: str) -> Path:
    """Where the files of a study lie."""
    return Path(results_dir) / "laboratory" / study


def command(
    study: str, results_dir: str | Path = RESULTS, scale: str | None = PUBLISHED_SCALE
) -> str:
    """The command line that computes a study below `results_dir`, at the scale if it has it."""
    has_it = scale == SMOKE or (scale == GPU and study in FOR_GPU)
    its_scale = [f"scale={scale}"] if has_it else []
    place = [] if Path(results_dir) == Path(RESULTS) else [f"results_dir={results_dir}"]
    return shlex.join(["bnrepro", "laboratory", study, *its_scale, *place])


def exists(results_dir: str | Path, study: str) -> bool:
    """Whether a study has been computed below `results_dir`."""
    return (folder_of(results_dir, study) / "record.json").is_file()


def folder_to_read(studies: Iterable[str]) -> str:
    """The folder whose tables are read where none is named; says which.

    `RESULTS` if one of the studies was computed there, else `PUBLISHED`.
    """
    names = list(studies)
    for name in names:
        if exists(RESULTS, name):
            print(f"reading {RESULTS}, which has {name}", file=sys.stderr)
            return RESULTS
    print(f"reading {PUBLISHED}: {first_few(names)} is not below {RESULTS}", file=sys.stderr)
    return PUBLISHED


def write(results_dir: str | Path, record: LaboratoryRecord) -> None:
    """Write `record.json` beside the tables."""
    path = folder_of(results_dir, record.study) / "record.json"
    write_atomically(path, json.dumps(asdict(record), indent=2) + "\n")


def read(results_dir: str | Path, study: str) -> LaboratoryRecord:
    """The record of a study.

    Raises:
        ConfigError: if it was not computed below `results_dir`.
        RecordError: if the record cannot be read.
    """
    if not exists(results_dir, study):
        raise ConfigError(
            f"{study}: not computed below {results_dir}; do it with: {command(study, results_dir)}"
        )
    path = folder_of(results_dir, study) / "record.json"
    try:
        return LaboratoryRecord(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise RecordError(f"{path}: cannot be read as a study's record ({error})") from error


def read_table(results_dir: str | Path, study: str, name: str) -> "pd.DataFrame":
    """One of the tables of a study, a row a row.

    Raises:
        RecordError: if it cannot be read.
    """
    import pandas as pd

    path = folder_of(results_dir, study) / f"{name}.csv"
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: cannot be read ({error})") from error
