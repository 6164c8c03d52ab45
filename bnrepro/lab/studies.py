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
    "deep_linear": "float64",
    "surfaces": "float32",
    "sharpness": "float32",
    "training_path": "float32",
    "small_batches": "float32",
    "moving_averages": "float32",
    "effective_rate": "float32",
    "depth": "float64",
    "residual_networks": "float32",
    "large_rates": "float32",
    "initial_signal": "float32",
    "linear_unit": "float64",
    "lp_norms": "float64",
    "adaptation": "float32",
    "rate_sensitivity": "float32",
    "depth_by_scale": "float32",
    "descent_by_batch": "float32",
    "descent_paths": "float64",
    "rate_decay": "float32",
    "recurrent": "float32",
    "dropout": "float32",
    "ghost_batches": "float32",
    "last_layer": "float32",
    "last_layer_by_heart": "float32",
}
# Those of grids of small networks, which train as one program: the JAX engine's.
BY_JAX = (
    "rate_sensitivity",
    "depth_by_scale",
    "descent_by_batch",
    "rate_decay",
    "recurrent",
    "dropout",
    "ghost_batches",
)
# What computes, by backend, in words.
_HOW = {"tensorflow": "NumPy, layers by TensorFlow", "jax": "many networks as one program"}


def run(name: str, results_dir: str | Path, scale: str = laboratory.PUBLISHED_SCALE) -> Path:
    """Compute a study; its tables and its record lie in the folder returned.

    A study that trains networks has them in the precision of their own configs.

    Raises:
        ConfigError: if this process has Keras with another backend.
        OSError: if the folder cannot be written.
    """
    from bnrepro.config import backend
    from bnrepro.config.composition import compose

    # One thread: rounding does not depend on the number of cores.
    chosen = "jax" if name in BY_JAX else "tensorflow"
    precision = STUDIES[name]
    backend.select(compose([f"backend={chosen}", f"precision={precision}", "threads=1"]).config)
    from bnrepro.lab.setting import double_precision

    study = import_module(f"bnrepro.lab.{name}")
    folder = laboratory.folder_of(results_dir, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").unlink(missing_ok=True)
    with double_precision() if precision == "float64" else nullcontext():
        study.compute(folder, scale)
    # Of this process from its start: what other processes do at the same time does not count.
    seconds = round(time.process_time(), 1)
    where = environment(chosen, 1, _HOW[chosen], processor())
    laboratory.write(results_dir, LaboratoryRecord(name, study.QUESTION, seconds, where, scale))
    return folder
