"""Runs that start together and differ only in their seed compile their programs once.

JAX keeps compiled programs in a folder (`config.backend`), and their keys know neither seeds nor
folders. Sixteen seeds that begin at the same moment would find nothing there and compile sixteen
times: the first compiles alone, and the others wait until its programs lie there.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bnrepro.config import RunConfig
from bnrepro.config.fields import identity

# One that is stopped while it compiles must not keep the others for ever.
_LONGEST_SECONDS = 600.0


@contextmanager
def compiled_once(config: RunConfig) -> Iterator[None]:
    """Inside, programs are compiled: by the first of equal runs alone, then by the rest at once.

    Whoever has waited is not waited for: its programs lie there.
    """
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    lock = _lock(Path(folder), config) if config.backend == "jax" and folder else None
    if lock is None:
        yield
        return
    try:
        lock.acquire(blocking=False)
    except Timeout:
        with suppress(Timeout), lock.acquire(timeout=_LONGEST_SECONDS):
            pass
    try:
        yield
    finally:
        lock.release()


def _lock(cache: Path, config: RunConfig) -> FileLock | None:
    """The lock of the config's programs; None where the folder cannot be written."""
    chosen = {**identity(config), "seed": 0, "device": config.device, "threads": config.threads}
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()
    try:
        (cache / "locks").mkdir(parents=True, exist_ok=True)
        return FileLock(cache / "locks" / digest[:32])
    except OSError:
        return None
