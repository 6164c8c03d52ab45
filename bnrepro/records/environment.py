"""What a run ran on: versions, device, commit. Never a path or a host's name."""

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("bnrepro", "keras", "tensorflow", "jax", "numpy")


def environment(backend: str, threads: int, engine: str, device: str) -> dict[str, Any]:
    """The record's `environment`."""
    return {
        **software(),
        "device": device,
        "threads": threads,
        "backend": backend,
        "engine": engine,
    }


@cache
def software() -> dict[str, Any]:
    """The checkout's `commit` and whether it is `dirty`, and the `versions` of the packages."""
    commit, dirty = _commit()
    return {
        "commit": commit,
        "dirty": dirty,
        "versions": {"python": platform.python_version(), **versions()},
    }


def processor() -> str:
    """The processor's model name."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def devices_here() -> set[str]:
    """The names under which this machine's processor and NVIDIA GPUs stand in records."""
    names = {processor()}
    for path in Path("/proc/driver/nvidia/gpus").glob("*/information"):
        for line in path.read_text().splitlines():
            if line.startswith("Model:"):
                names.add(line.partition(":")[2].strip())
    return names


def is_gpu(device: str) -> bool:
    """Whether a record's device is one of NVIDIA's GPUs, by its name, and not a processor."""
    return device.startswith(("NVIDIA", "Tesla", "GeForce", "Quadro", "GRID", "TITAN"))


def versions() -> dict[str, str]:
    """The installed packages on which results depend, with their versions."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> tuple[str | None, bool | None]:
    """The checkout's commit and whether files differ from it; None where it is no checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        # What a run writes below results/ does not change what it computes.
        changes = _git(root, "status", "--porcelain", "--", "bnrepro", "conf", "pyproject.toml")
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(changes)


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
