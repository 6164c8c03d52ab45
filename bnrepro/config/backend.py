"""Backend, device, threads and Keras's own settings: environment variables, set before Keras loads.

What a person, or another program, has set for Keras (`~/.keras/keras.json`, `KERAS_` variables)
does not count: a result is a function of config, data, code and versions.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from bnrepro.config import ConfigError, RunConfig
from bnrepro.config.device import DEVICE_MEMORY, MEMORY_SHARE, variables

# Holds the `keras.json` that Keras reads in place of the one in a person's home.
_KERAS_HOME = Path(__file__).parent / "keras"
_NEWER_MEMORY_SHARE = "XLA_CLIENT_MEM_FRACTION"


def available_threads() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def select(config: RunConfig) -> None:
    """Choose Keras's backend and settings, the device and the number of threads for this process.

    Raises:
        ConfigError: if Keras is loaded already with another backend.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None and loaded.config.backend() != config.backend:
        raise ConfigError(
            f"backend={config.backend}: this process has Keras with "
            f"{loaded.config.backend()}; start a new process"
        )
    _set_up_keras()
    own_devices = 1 if config.devices == "all" else int(config.devices) // config.processes
    os.environ.update(variables(config.device, own_devices))
    threads = config.threads or available_threads()
    os.environ.update(own_variables(config.backend, threads, config.precision))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Several runs share a GPU: neither takes memory before it needs it, JAX at most its share.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    _limit_device_memory(config.device_memory)
    # What JAX has compiled once is there for the next process: half a second of compiling or more.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache/bnrepro/jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")


def own_variables(backend: str, threads: int, precision: str) -> dict[str, str]:
    """Those that change numbers and follow from what a run is, whatever a person has set."""
    return {
        "KERAS_BACKEND": backend,
        # Without them float32 is multiplied with 10 bits of mantissa on an NVIDIA GPU: by JAX, and
        # by all that use its libraries, TensorFlow among them.
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "NVIDIA_TF32_OVERRIDE": "0",
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1" if threads == 1 else "2",
        # XLA's CPU client under JAX sizes its pool by this variable.
        "NPROC": str(threads),
        "JAX_ENABLE_X64": str(precision == "float64").lower(),
    }


def _limit_device_memory(share: float) -> None:
    """Tell JAX the share of a GPU's memory, unless 0 leaves it to the environment."""
    # JAX refuses to start where both of its names for it are set.
    if share:
        os.environ.pop(_NEWER_MEMORY_SHARE, None)
        os.environ[MEMORY_SHARE] = f"{share:g}"
    elif _NEWER_MEMORY_SHARE in os.environ:
        os.environ.pop(MEMORY_SHARE, None)
    else:
        os.environ.setdefault(MEMORY_SHARE, f"{DEVICE_MEMORY:g}")


def _set_up_keras() -> None:
    """Give Keras our own settings, whether it is still to be loaded or there already."""
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ["KERAS_HOME"] = str(_KERAS_HOME)
    loaded = sys.modules.get("keras")
    if loaded is None:
        return
    settings = json.loads((_KERAS_HOME / "keras.json").read_text())
    loaded.config.set_image_data_format(settings["image_data_format"])
    loaded.config.set_epsilon(settings["epsilon"])
    loaded.config.set_floatx(settings["floatx"])
    loaded.config.set_dtype_policy(settings["floatx"])


def keep_tensorflow_out_of_tensorboard() -> None:
    """Let TensorBoard read and write with its own code, before its first import.

    Where TensorFlow is installed it would load it for that: five seconds, and a dozen lines.
    """
    # TensorBoard's own switch: it looks whether there is such a module.
    sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))


@contextmanager
def no_further_framework() -> Iterator[None]:
    """Inside, TensorFlow cannot be imported where it was not before.

    Keras asks of everything that it saves whether it is one of TensorFlow's shapes, and under JAX
    would load TensorFlow for that: seconds, memory, and lines about processor and drivers.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["tensorflow"]
