"""bnrepro reproduces the batch normalization paper (Ioffe and Szegedy, 2015).

`load_runs` and `load_curves` give the records of finished runs as pandas data frames; everything
else is reached through the command `bnrepro`.
"""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnrepro.records.record import load_curves, load_runs

__version__ = "0.1.0"
__all__ = ["__version__", "load_curves", "load_runs"]

_IMPORTED = time.perf_counter()


def seconds_since_import() -> float:
    """Wall time since this process first imported bnrepro: a run's `seconds.total` starts there."""
    return time.perf_counter() - _IMPORTED


def __getattr__(name: str) -> Any:
    """Import the reading half only when it is asked for, so that `bnrepro --help` stays quick."""
    if name in ("load_runs", "load_curves"):
        from bnrepro.records import record

        return getattr(record, name)
    raise AttributeError(f"module 'bnrepro' has no attribute {name!r}")
