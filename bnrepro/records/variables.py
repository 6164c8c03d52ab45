"""Environment variables that may change what a run computes, as records hold them: never a path."""

import os
import re
from collections.abc import Mapping

PATH = "(a path)"
# Of numerical libraries, compilers and frameworks. Not all of TF_: Terraform's secrets begin so.
_PREFIXES = ("BLIS_", "CUBLAS_", "CUDNN_", "DNNL_", "GOMP_", "JAX_", "KERAS_", "KMP_", "MKL_",
             "NPY_", "OMP_", "ONEDNN_", "OPENBLAS_", "TF_CUBLAS_", "TF_CUDNN_", "TF_DETERMINISTIC_",
             "TF_DISABLE_", "TF_ENABLE_", "TF_FORCE_", "TF_GPU_", "TF_MKL_", "TF_NUM_",
             "TF_ONEDNN_", "TF_OVERRIDE_", "TF_USE_", "TF_XLA_", "XLA_")  # fmt: skip
_NAMES = ("GLIBC_TUNABLES", "NPROC", "NVIDIA_TF32_OVERRIDE")
# Which device, memory, caches, messages, places: they change no number, or stand elsewhere.
_OTHERS = ("JAX_COMPILATION_CACHE", "JAX_COORDINATOR", "JAX_LOG", "JAX_PERSISTENT_CACHE",
           "JAX_PLATFORMS", "JAX_TRACEBACK", "KERAS_HOME", "KMP_DUPLICATE", "KMP_INIT_AT_FORK",
           "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "XLA_PYTHON_CLIENT")  # fmt: skip

_IS_ONE_PATH = re.compile(r"\s*(?:[~/\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]|file:)")
# In quotes, or from where a word or a value begins (`--dump_to=x/y`) to its end.
_A_PATH_IN_IT = re.compile(
    r"""(["'])[^"']*[/\\~][^"']*\1"""
    r"""|(?:(?<=[\s=,;"'])|^)(?=~|[^\s=,;"']*[/\\])(?:\\.|[^\s,;"'])*"""
)


def variables(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Those that are set, by name, with their values; a path in a value is `(a path)`."""
    return {
        name: without_paths(value)
        for name, value in sorted(environment.items())
        if (name in _NAMES or name.startswith(_PREFIXES)) and not name.startswith(_OTHERS)
    }


def without_paths(text: str) -> str:
    """A value, or a word of a command line, with `(a path)` in place of every path in it.

    A path is what has a slash or begins with `~`: a folder named by one bare word is not known for
    one.
    """
    if _IS_ONE_PATH.match(text):
        return PATH
    return _A_PATH_IN_IT.sub(PATH, text)
