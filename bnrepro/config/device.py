"""On which device a run trains: chosen by variables, and checked, before a framework is loaded.

`CUDA_VISIBLE_DEVICES` says which GPUs a process sees, under both backends; `JAX_PLATFORMS` says in
addition what JAX looks for. GPUs are NVIDIA's, which are what is trained on.
"""

import os
import re
import sys
from itertools import takewhile
from pathlib import Path

from bnrepro.config.fields import RunConfig
from bnrepro.config.messages import ConfigError, shown

# The share of a GPU's memory that JAX takes at most, and the variable that says it. The rest is for
# what a driver keeps beside: CUDA graphs, kernels, a context of each process.
DEVICE_MEMORY, MEMORY_SHARE = 0.9, "XLA_PYTHON_CLIENT_MEM_FRACTION"
_GPU_PLATFORMS = {"cuda", "gpu"}


def check_name(device: str) -> None:
    """Refuse what names no device.

    Raises:
        ConfigError: unless it is `auto`, `cpu`, `gpu` or `gpu:N`.
    """
    if not re.fullmatch("auto|cpu|gpu(:[0-9]{1,3})?", device):
        raise ConfigError(
            f"device={shown(device)}: expected auto, cpu, gpu, or gpu:1 for the second GPU"
        )


def variables(device: str, devices: int = 1) -> dict[str, str]:
    """The environment variables by which a framework that loads after them uses the device.

    A processor, which is one device to JAX, becomes `devices` of them.
    """
    chosen = _chosen(device)
    on_processor = device == "cpu" or (device == "auto" and not visible_gpus())
    if on_processor and devices > 1:
        chosen["JAX_NUM_CPU_DEVICES"] = str(devices)
    return chosen


def _chosen(device: str) -> dict[str, str]:
    if device == "auto":
        return {}
    if device == "cpu":
        return {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    position, seen = _position(device), visible_gpus()
    gpu = seen[position] if position < len(seen) else str(position)
    # JAX takes the first; the processor stays there for what a library computes on it.
    return {"CUDA_VISIBLE_DEVICES": gpu, "JAX_PLATFORMS": "cuda,cpu"}


def num_gpus() -> int | None:
    """How many NVIDIA GPUs this machine has; None where its files do not tell."""
    if sys.platform != "linux" or Path("/dev/dxg").exists():
        return None
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def visible_gpus() -> list[str]:
    """The GPUs that a run would see, by number (or by name, where the user chose so)."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return [str(number) for number in range(num_gpus() or 0)]
    # CUDA sees what stands before the first that is none.
    return list(takewhile(lambda gpu: gpu not in ("", "-1"), map(str.strip, chosen.split(","))))


def refuse_absent(config: RunConfig) -> None:
    """Refuse a device that is known not to be there, as the config or the environment asks for it.

    What only the framework can tell is left to `refuse_other`.

    Raises:
        ConfigError: with who asks for it, what is missing, and the remedy.
    """
    asks = _who_asks_for_gpu(config)
    if asks is None:
        return
    reason = _why_no_gpu(config.device) or (
        config.backend == "jax" and not asks.startswith("CUDA") and _why_not_jax()
    )
    if reason:
        raise ConfigError(f"{asks}: {reason}, or use device=cpu")


def refuse_other(config: RunConfig, found: list[str]) -> None:
    """Refuse to go on where a loaded framework found (`["cpu:0"]`) other devices than asked for.

    Raises:
        ConfigError: if a GPU was asked for and none was found.
    """
    if config.device.startswith("gpu") and not any(name.startswith("gpu") for name in found):
        raise ConfigError(
            f"device={config.device}: {config.backend} finds no GPU (only {', '.join(found)}); "
            "install its CUDA libraries, or use device=cpu"
        )


def expected(config: RunConfig) -> str:
    """In words, what a run is going to use as far as that is known before a framework loads."""
    if config.device == "cpu" or not visible_gpus():
        return "CPU"
    if config.device != "auto":
        return f"GPU {_position(config.device)}"
    if config.backend == "jax" and _why_not_jax():
        return "CPU"
    return f"GPU 0 if {config.backend} can use it"


def _who_asks_for_gpu(config: RunConfig) -> str | None:
    """The key or variable that asks for a GPU, with its value; None if nothing does."""
    if config.device == "cpu":
        return None
    if config.device != "auto":
        return f"device={config.device}"
    platforms = _jax_platforms()
    # With the processor in the list JAX takes that where there is no GPU.
    if config.backend == "jax" and platforms & _GPU_PLATFORMS and "cpu" not in platforms:
        return f"JAX_PLATFORMS={os.environ['JAX_PLATFORMS']}"
    if "CUDA_VISIBLE_DEVICES" in os.environ and visible_gpus():
        return f"CUDA_VISIBLE_DEVICES={os.environ['CUDA_VISIBLE_DEVICES']}"
    return None


def _why_no_gpu(device: str) -> str | None:
    """What is missing for the device on this machine, and what to do; None if nothing is known."""
    count, seen = num_gpus(), visible_gpus()
    if count == 0:
        return "this machine shows no NVIDIA GPU (no /dev/nvidia0); run it where there is one"
    if "CUDA_VISIBLE_DEVICES" in os.environ and not seen:
        return "CUDA_VISIBLE_DEVICES hides every GPU; unset it"
    absent = [gpu for gpu in seen if count is not None and gpu.isdigit() and int(gpu) >= count]
    if absent:
        return f"CUDA_VISIBLE_DEVICES names GPU {', '.join(absent)}, and this machine has {count}"
    if count is not None and _position(device) >= len(seen):
        return f"this process sees {len(seen)} GPU{'s' * (len(seen) > 1)}, counted from gpu:0"
    return None


def _why_not_jax() -> str | None:
    """Why JAX would use no GPU, and what to do; None if nothing is known."""
    platforms = _jax_platforms()
    if platforms and not platforms & _GPU_PLATFORMS:
        return f"JAX_PLATFORMS={os.environ['JAX_PLATFORMS']} leaves it out; unset that"
    if not any("cuda" in name for name in _jax_plugins()):
        return "JAX is installed without its CUDA plug-in; run `pip install 'jax[cuda12]'`"
    return None


def _jax_plugins() -> list[str]:
    """What JAX looks for beside processors: entry points, and a package of that name."""
    from importlib.metadata import entry_points
    from importlib.util import find_spec
    from pkgutil import iter_modules

    package = find_spec("jax_plugins")
    places = package.submodule_search_locations if package else None
    modules = [module.name for module in iter_modules(places)] if places else []
    return [*modules, *(entry.name for entry in entry_points(group="jax_plugins"))]


def _jax_platforms() -> set[str]:
    names = os.environ.get("JAX_PLATFORMS", "").split(",")
    return {name.strip() for name in names if name.strip()}


def _position(device: str) -> int:
    """Which of the GPUs that a process sees: 1 for `gpu:1`, 0 for `gpu`."""
    return int(device.partition(":")[2] or 0)
