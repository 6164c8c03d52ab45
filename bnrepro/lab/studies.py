"""The studies that the laboratory computes; each is imported, and TensorFlow with it, when run.

To add one: a module with `QUESTION` and `compute(folder, scale)`, which leaves tables in the folder
(`scale` is one of `laboratory.SCALES`: smoke is the same in a minute, on too few seeds for a
verdict), an entry here, and one in `bnrepro.exhibits.EXHIBITS` for what is drawn of them.
"""

import time
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

from bnrepro.records import laboratory
from bnrepro.records.environment import environment, processor
from bnrepro.records.laboratory import LaboratoryRecord

# Study, by the name of its module below `bnrepro.lab`, and the precision in which it computes:
# trainings as everywhere, what is held to closed forms in double precision.
STUDIES = {
    "error_surface": "float64",
    "small_batches": "float32",
    "moving_averages": "float32",
    "effective_rate": "float32",
    "depth": "float64",
    "adaptation": "float32",
}


def run(name: str, results_dir: str | Path, scale: str = laboratory.PUBLISHED_SCALE) -> Path:
    """Compute a study; its tables and its record lie in the folder returned.

    Raises:
        OSError: if the folder cannot be written.
    """
    from bnrepro.config import backend
    from bnrepro.config.composition import compose

    # One thread: rounding does not depend on the number of cores.
    precision = STUDIES[name]
    backend.select(compose([f"precision={precision}", "threads=1"]).config)
    from bnrepro.lab.setting import double_precision

    study = import_module(f"bnrepro.lab.{name}")
    folder = laboratory.folder_of(results_dir, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").unlink(missing_ok=True)
    with double_precision() if precision == "float64" else nullcontext():
        study.compute(folder, scale)
    # Of this process from its start: what other processes do at the same time does not count.
    seconds = round(time.process_time(), 1)
    where = environment("tensorflow", 1, "NumPy, layers by TensorFlow", processor())
    laboratory.write(results_dir, LaboratoryRecord(name, study.QUESTION, seconds, where, scale))
    return folder
