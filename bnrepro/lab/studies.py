"""The studies that the laboratory computes; each is imported, and TensorFlow with it, when run.

To add one: a module with `QUESTION` and `compute(folder, scale)`, which leaves tables in the folder
(`scale` is one of `laboratory.SCALES`: smoke is the same in a minute, on too few seeds for a
verdict), an entry here, and one in `bnrepro.exhibits.EXHIBITS` for what is drawn of them.
"""

import time
from importlib import import_module
from pathlib import Path

from bnrepro.records import laboratory
from bnrepro.records.environment import environment, processor
from bnrepro.records.laboratory import LaboratoryRecord

# Study: its module below `bnrepro.lab`.
STUDIES = {"error_surface": "error_surface", "deep_linear": "deep_linear"}


def run(name: str, results_dir: str | Path, scale: str = laboratory.PUBLISHED_SCALE) -> Path:
    """Compute a study in double precision; its tables and its record lie in the folder returned.

    A study that trains networks has them in the precision of their own configs.

    Raises:
        OSError: if the folder cannot be written.
    """
    from bnrepro.config import backend
    from bnrepro.config.composition import compose

    # One thread: rounding does not depend on the number of cores.
    backend.select(compose(["precision=float64", "threads=1"]).config)
    from bnrepro.lab.setting import double_precision

    study = import_module(f"bnrepro.lab.{STUDIES[name]}")
    folder = laboratory.folder_of(results_dir, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").unlink(missing_ok=True)
    with double_precision():
        study.compute(folder, scale)
    # Of this process from its start: what other processes do at the same time does not count.
    seconds = round(time.process_time(), 1)
    where = environment("tensorflow", 1, "NumPy, layers by TensorFlow", processor())
    laboratory.write(results_dir, LaboratoryRecord(name, study.QUESTION, seconds, where, scale))
    return folder
