"""Checkpoints: everything that a run needs to go on as if nothing had happened.

A checkpoint is one file: the SHA-256 of what follows, then an uncompressed `.npz` of arrays with
the rest as JSON. Nothing in it is ever executed (no pickle), a cut or flipped bit is noticed, and
the one before is kept until the next is whole.
"""

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from bnrepro.records.record import write_atomically

_KEPT = 2
_DIGEST_BYTES = 32
_META = "__meta__"


def save(directory: Path, step: int, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write the checkpoint of `step` and drop all but the newest two."""
    directory.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    members: dict[str, Any] = {_META: text, **arrays}
    np.savez(buffer, **members)
    payload = buffer.getvalue()
    write_atomically(directory / f"{step:012d}.ckpt", hashlib.sha256(payload).digest() + payload)
    for old in _newest_first(directory)[_KEPT:]:
        old.unlink()


def load(directory: Path, report: Any) -> tuple[int, dict[str, np.ndarray], dict[str, Any]] | None:
    """The newest whole checkpoint, (step, arrays, meta), or None; `report` hears of damage."""
    for path in _newest_first(directory):
        try:
            return int(path.stem), *_read(path)
        except (OSError, ValueError, KeyError) as error:
            report(f"{path.name}: damaged checkpoint ({error}); using the one before it")
    return None


def keep_newest(directory: Path) -> None:
    """Remove all checkpoints of a finished run but the last one."""
    for old in _newest_first(directory)[1:]:
        old.unlink()


def clear(directory: Path) -> None:
    """Remove all checkpoints of a finished run; what somebody else has put there stays."""
    for path in _newest_first(directory):
        path.unlink()
    with suppress(OSError):  # absent, or not empty
        directory.rmdir()


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    raw = path.read_bytes()
    digest, payload = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        raise ValueError("its checksum does not match")
    with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    meta = json.loads(arrays.pop(_META).tobytes())
    return arrays, meta


def _newest_first(directory: Path) -> list[Path]:
    paths = directory.glob("*.ckpt") if directory.is_dir() else []
    return sorted((path for path in paths if path.is_file() and path.stem.isdigit()), reverse=True)
