"""bnrepro reproduces the batch normalization paper (Ioffe and Szegedy, 2015).

`run` and `sweep` train, as the commands of these names do. `load_runs` and `load_curves` give the
records of runs as pandas data frames, `load_model` the network of one as a Keras model,
`load_engine` the same with its data, to be measured or trained further; everything else is reached
through the command `bnrepro`.
"""

import importlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnrepro import sweep
    from bnrepro.api.calls import run
    from bnrepro.api.trained_model import load_engine, load_model
    from bnrepro.records.loading import load_curves, load_runs

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "load_curves",
    "load_engine",
    "load_model",
    "load_runs",
    "run",
    "sweep",
]

_IMPORTED = time.perf_counter()
_ROOM_OF = {
    "load_curves": "bnrepro.records.loading",
    "load_engine": "bnrepro.api.trained_model",
    "load_model": "bnrepro.api.trained_model",
    "load_runs": "bnrepro.records.loading",
    "run": "bnrepro.api.calls",
}


def seconds_since_import() -> float:
    """Wall time since this process first imported bnrepro: a run's `seconds.total` starts there."""
    return time.perf_counter() - _IMPORTED


def __getattr__(name: str) -> Any:
    """Import a room only when it is asked for, so that `bnrepro --help` stays quick."""
    if name in _ROOM_OF:
        return getattr(importlib.import_module(_ROOM_OF[name]), name)
    if name == "sweep":
        # A room has this name, and can be called.
        return importlib.import_module("bnrepro.sweep")
    raise AttributeError(f"module 'bnrepro' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is to use."""
    return __all__
