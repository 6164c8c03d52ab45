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

# Study, by the name of its module below `bnrepro.lab`, and what it is computed with: what is held
# to closed forms in double precision, trainings as everywhere, grids of small networks by JAX, as
# one program.
STUDIES = {
    "error_surface": ("precision=float64",),
    "adaptation": (),
    "rate_sensitivity": ("backend=jax",),
    "depth_by_scale": ("backend=jax",),
    "rate_decay": ("backend=jax",),
    "descent_by_batch": ("backend=jax",),
}
# What computes, by backend, in words.
_HOW = {"tensorflow": "NumPy, layers by TensorFlow", "jax": "many networks as one program"}


def run(name: str, results_dir: str | Path, scale: str = laboratory.PUBLISHED_SCALE) -> Path:
    """Compute a study; its tables and its record lie in the folder returned.

    Raises:
        ConfigError: if this process has Keras with another backend.
        OSError: if the folder cannot be written.
    """
    from bnrepro.config import backend
    from bnrepro.config.composition import compose

    # One thread: rounding does not depend on the number of cores.
    config = compose([*STUDIES[name], "threads=1"]).config
    backend.select(config)
    from bnrepro.lab.setting import double_precision

    study = import_module(f"bnrepro.lab.{name}")
    folder = laboratory.folder_of(results_dir, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").unlink(missing_ok=True)
    with double_precision() if config.precision == "float64" else nullcontext():
        study.compute(folder, scale)
    # Of this process from its start: what other processes do at the same time does not count.
    seconds = round(time.process_time(), 1)
    where = environment(config.backend, 1, _HOW[config.backend], processor())
    laboratory.write(results_dir, LaboratoryRecord(name, study.QUESTION, seconds, where, scale))
    return folder
