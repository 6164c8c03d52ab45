"""What `bnrepro run --info` prints: what somebody who looks into a problem asks for first."""

import os
import platform
from pathlib import Path

from bnrepro import __version__
from bnrepro.config import RunConfig
from bnrepro.config.backend import available_threads
from bnrepro.config.device import expected, num_gpus

_FRAMEWORKS = ("tensorflow", "jax")
# Not all of TF_: Terraform's secrets begin so, too.
_PREFIXES = ("BNREPRO_", "CUDA_VISIBLE_DEVICES", "JAX_", "KERAS_", "OMP_NUM_THREADS", "NPROC",
             "TF_CPP_", "TF_ENABLE_", "TF_FORCE_", "TF_NUM_", "TF_XLA_", "XLA_")  # fmt: skip


def show_information(config: RunConfig) -> int:
    """Print versions, device, caches and data; nothing is loaded or trained for it."""
    for name, text in _facts(config).items():
        print(f"{name:<12} {text}")
    return 0


def _facts(config: RunConfig) -> dict[str, str]:
    from bnrepro.data.source import data_root
    from bnrepro.records.environment import processor, versions

    installed = versions()
    gpus = num_gpus()
    return {
        "bnrepro": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "packages": ", ".join(f"{name} {text}" for name, text in installed.items()),
        "backends": ", ".join(
            f"{name} {installed.get(name, 'is not installed')}" for name in _FRAMEWORKS
        ),
        "processor": f"{processor()}, {available_threads()} cores for this process",
        "GPUs": "only the framework can tell" if gpus is None else f"{gpus} of NVIDIA's",
        "device": f"{config.device} with backend={config.backend}: {expected(config)}",
        "variables": _variables(),
        "cache": _cache(),
        "data": f"{data_root(config.data.root)}: {_data_here(config.data.root)}",
        "results": f"{Path(config.results_dir).absolute()}",
    }


def _variables() -> str:
    """The settings of frameworks, CUDA and ours that the environment holds."""
    found = [f"{key}={value}" for key, value in os.environ.items() if key.startswith(_PREFIXES)]
    return " ".join(sorted(found)) or "none"


def _cache() -> str:
    """Where JAX keeps its compiled programs, and how many there are."""
    folder = Path.home() / ".cache/bnrepro/jax"
    place = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR", folder))
    return f"{place}: {len(list(place.glob('*'))) if place.is_dir() else 0} files"


def _data_here(root: str | None) -> str:
    """The data sets whose files are there."""
    from bnrepro.data.download import describe
    from bnrepro.data.source import data_root

    here = [row.name for row in describe(data_root(root)) if row.present]
    return ", ".join(here) or "no data set"
