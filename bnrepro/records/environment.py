"""What a run ran on: code, versions, machine, variables. Never a path or a host's name."""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from bnrepro.config.overrides import PATHS, Override
from bnrepro.records.variables import PATH, variables, without_paths

_PACKAGES = ("bnrepro", "keras", "tensorflow", "jax", "numpy")


# The code that decides what a run computes, below the checkout's root.
_CODE = ("bnrepro", "conf", "pyproject.toml")


def environment(
    backend: str, threads: int, engine: str, device: str, given: Iterable[Override] = ()
) -> dict[str, Any]:
    """The record's `environment`, now; `given` are the overrides that the run was started with."""
    patch = uncommitted_patch()
    return {
        **software(),
        "patch_sha256": hashlib.sha256(patch).hexdigest() if patch else None,
        "packages_sha256": packages_digest(),
        "system": platform.platform(),
        "driver": driver(),
        "memory_gib": memory_gib(),
        "device": device,
        **({"cuda_mps": True} if is_gpu(device) and mps_daemon_runs() else {}),
        "threads": threads,
        "backend": backend,
        "engine": engine,
        "variables": variables(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "overrides": [_word(override) for override in given],
    }


def _word(override: Override) -> str:
    """An override as it was typed, without a path."""
    if override.key in PATHS:
        return f"{override.key}={PATH}"
    return without_paths(override.typed or str(override))


@cache
def software() -> dict[str, Any]:
    """The checkout's `commit` and whether it is `dirty`, and the `versions` of the packages."""
    commit, dirty = _commit()
    return {
        "commit": commit,
        "dirty": dirty,
        "versions": {"python": platform.python_version(), **versions()},
    }


@cache
def uncommitted_patch() -> bytes:
    """What `git apply` makes of the commit to have the code as it is; empty where that is known."""
    commit, dirty = _commit()
    if commit is None or not dirty:
        return b""
    difference = ("diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv")
    try:
        new = os.fsdecode(_git("ls-files", "-z", "--others", "--exclude-standard", "--", *_CODE))
        parts = [_git(*difference, "HEAD", "--", *_CODE)]
        for path in filter(None, new.split("\0")):
            parts.append(_git(*difference, "--no-index", "--", os.devnull, path, may_differ=True))
    except (OSError, subprocess.SubprocessError):
        return b""
    return b"".join(parts)


@cache
def packages_digest() -> str:
    """SHA-256 over the lines `name==version` of all installed packages, in their order."""
    installed = {
        f"{re.sub('[-_.]+', '-', name).lower()}=={one.version}"
        for one in metadata.distributions()
        if (name := one.metadata["Name"])
    }
    return hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()


def driver() -> str | None:
    """The version of NVIDIA's driver; None where there is none."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return None
    found = re.search(r"Module\s.*?(\d+(?:\.\d+)+)", text)
    return found[1] if found else None


def mps_daemon_runs() -> bool:
    """Whether CUDA's multi-process service runs, which processes that start now go through."""
    pipes = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))
    try:
        pid = int((pipes / "nvidia-cuda-mps-control.pid").read_text())
        os.kill(pid, 0)
    except PermissionError:
        return True  # it runs for somebody else
    except (OSError, ValueError):
        return False
    return True


def memory_gib() -> float | None:
    """The machine's memory, to a tenth of a GiB; None where it does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


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


@cache
def _commit() -> tuple[str | None, bool | None]:
    """The checkout's commit and whether files differ from it; None where it is no checkout."""
    if not (_root() / ".git").exists():
        return None, None
    try:
        commit = _git("rev-parse", "HEAD").decode().strip()
        # What a run writes below results/ does not change what it computes.
        changes = _git("status", "--porcelain", "--", *_CODE)
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(changes)


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def _git(*arguments: str, may_differ: bool = False) -> bytes:
    """What git prints in the checkout; exit code 1 may say that files differ, and is no error."""
    done = subprocess.run(["git", "-C", str(_root()), *arguments], capture_output=True, check=False)
    if not (may_differ and done.returncode == 1):
        done.check_returncode()
    return done.stdout
