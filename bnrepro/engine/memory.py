"""The most memory that this process has taken so far, of the machine and of its accelerator."""

import resource
import sys
from pathlib import Path

import keras


def peak_memory() -> dict[str, int | None]:
    """Bytes by `host` and `device`; None for a device where there is none or it does not tell."""
    return {"host": _host(), "device": _device()}


def _host() -> int:
    try:
        # Linux's other number begins with that of the process which has started this one.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _device() -> int | None:
    if keras.config.backend() == "jax":
        import jax

        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
