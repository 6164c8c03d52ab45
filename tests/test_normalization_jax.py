"""The tests of normalization, networks and update rules once more, under JAX."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

# What is computed; laws that follow from it, names and sizes are left to the other backend.
COMPUTED = (
    "(algorithm or six_equations or infers or formula or plain_mean or half_precision "
    "or nothing_is_updated or population or ghost or mean_only or update_rules or bfloat16-mlp "
    "or keeps_a_share) and not float32"
)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_everything_holds_under_jax_too():
    here = Path(__file__).parent
    names = ("test_normalization.py", "test_models.py", "test_optimizers.py")
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "true"}
    command = [sys.executable, "-m", "pytest", "-q", "-k", COMPUTED]
    result = subprocess.run(
        [*command, *(str(here / name) for name in names)],
        env=environment,
        cwd=here.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-3000:]
