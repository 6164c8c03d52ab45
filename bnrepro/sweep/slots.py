"""Where runs go: how many at once, on which GPU, with how many threads."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

from bnrepro.config import ConfigError
from bnrepro.config.backend import available_threads
from bnrepro.config.device import DEVICE_MEMORY, MEMORY_SHARE, num_gpus, visible_gpus

# What a run of the larger CPU networks needs, with TensorFlow.
_BYTES_PER_RUN = 2 * 2**30
_CGROUP_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


@dataclass(frozen=True)
class Slot:
    """A place for one run at a time; `gpu` is what the run sees, None what there is.

    `sharing` runs are on its GPU at the same time.
    """

    gpu: str | None
    sharing: int = 1

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the run's process gets beside those of the sweep."""
        seen = {} if self.gpu is None else {"CUDA_VISIBLE_DEVICES": self.gpu}
        if self.sharing == 1:
            return seen
        return {**seen, MEMORY_SHARE: f"{DEVICE_MEMORY / self.sharing:.4f}"}


def choose_slots(
    num_runs: int, workers: int | None, gpus: str | None, per_gpu: int, device: str = "auto"
) -> list[Slot]:
    """One slot for each run that may train at the same time.

    Without `workers` as many as cores, memory and GPUs allow, and never more than runs. `device`
    is the runs' own: under `auto` and `gpu` each sees the GPU of its slot, under `gpu:1` and `cpu`
    it chooses for itself.

    Raises:
        ConfigError: if the numbers make no sense, or `device` leaves no choice of GPUs.
    """
    _check_count("workers", workers)
    _check_count("per-gpu", per_gpu)
    given = _given_places(gpus, device)
    most = len(given) * per_gpu
    if given and workers is not None and workers > most:
        raise ConfigError(
            f"workers={workers} on GPU {gpus or device[4:]} with {per_gpu} a GPU: expected at most "
            f"{most}; "
            "raise --per-gpu"
        )
    seen = given or ([] if device == "cpu" else list(visible_gpus()))
    count = workers or (len(seen) * per_gpu if seen else _bearable())
    count = min(count, max(1, num_runs))
    if not seen:
        return [Slot(None)] * count
    # The first GPU has the most.
    sharing = math.ceil(count / len(seen))
    return [Slot(seen[position % len(seen)], sharing) for position in range(count)]


def _given_places(gpus: str | None, device: str) -> list[str | None]:
    """The GPUs that the command line names; None for one that a run's own `device` names."""
    if gpus is None:
        return [None] if device.startswith("gpu:") else []
    if device not in ("auto", "gpu"):
        raise ConfigError(
            f"gpus={gpus} with device={device}: expected one of them; `--gpus` spreads the runs "
            "over GPUs, `device` is the same for all"
        )
    return list(_read_gpus(gpus))


def _bearable() -> int:
    """How many runs cores and memory bear."""
    return max(1, min(available_threads(), memory_bytes() // _BYTES_PER_RUN))


def threads_per_run(num_slots: int) -> int:
    """The cores, split evenly."""
    return max(1, available_threads() // num_slots)


def memory_bytes() -> int:
    """The memory of this machine, or of the container if that has less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in _CGROUP_LIMITS:
        path = Path(name)
        text = path.read_text().strip() if path.exists() else ""
        if text.isdigit():
            limits.append(int(text))
    return min(limits)


def _read_gpus(text: str) -> list[str]:
    gpus = [part.strip() for part in text.split(",")]
    if not all(gpu.isascii() and gpu.isdigit() for gpu in gpus) or len(set(gpus)) != len(gpus):
        raise ConfigError(f"gpus={text}: expected numbers such as 0,1, each once")
    count = num_gpus()
    absent = [gpu for gpu in gpus if count is not None and int(gpu) >= count]
    if absent:
        raise ConfigError(
            f"gpus={text}: no GPU {', '.join(absent)} here; this machine shows {count} of NVIDIA's"
        )
    return gpus


def _check_count(name: str, value: int | None) -> None:
    if value is not None and not 1 <= value <= 4096:
        raise ConfigError(f"{name}={value}: expected a whole number from 1 to 4096")
