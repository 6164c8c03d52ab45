"""A result is a function of config, data, code and versions: its surroundings change no bit."""

import json
import os
import subprocess
import sys

import pytest
from runs import command, only_directory

from bnrepro.config.names import MODELS

SETTINGS = {
    "backend": "torch",
    "floatx": "float16",
    "epsilon": 0.5,
    "image_data_format": "channels_first",
    "nnx_enabled": True,
}
VARIABLES = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "TZ": "Pacific/Chatham",
    "OMP_NUM_THREADS": "7",
    "TF_NUM_INTRAOP_THREADS": "5",
    "TF_NUM_INTEROP_THREADS": "3",
    "NPROC": "6",
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "0",
    "JAX_ENABLE_X64": "true",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "NVIDIA_TF32_OVERRIDE": "1",
}
# What is left to a person, as it may be wanted: here it changes nothing, and the record says it.
LEFT = {
    "MKL_NUM_THREADS": "7",
    "OPENBLAS_NUM_THREADS": "9",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "TF_CUDNN_DETERMINISTIC": "1",
    "TF_GPU_THREAD_MODE": "gpu_private",
    "TF_XLA_FLAGS": "--tf_xla_min_cluster_size=9",
    "XLA_FLAGS": "--xla_gpu_autotune_level=0",
    "JAX_CHECK_TRACER_LEAKS": "false",
    "GLIBC_TUNABLES": "glibc.malloc.check=0",
}
SHORT = ("data=digits", "data.train_examples=120", "batch_size=20", "model.width=0.125",
         "train_steps=2", "evaluate_every=2", "checkpoint_every=2",
         "batch_normalization.population_batches=2", "tensorboard=false", "threads=1")  # fmt: skip


def what_a_run_gives(results, *words, environment):
    done = subprocess.run(
        command(results, *SHORT, *words),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((only_directory(results) / "record.json").read_text())
    kept = ("weights_digest", "num_parameters", "final_accuracy")
    return {key: record[key] for key in kept}, record["environment"]["variables"]


@pytest.fixture
def hostile(tmp_path):
    """Every setting of Keras wrong in a person's home, odd locale, time zone and threads."""
    folder = tmp_path / "home" / ".keras"
    folder.mkdir(parents=True)
    (folder / "keras.json").write_text(json.dumps(SETTINGS))
    return {"HOME": str(tmp_path / "home"), **VARIABLES, **LEFT}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
@pytest.mark.parametrize("model", MODELS)
def test_surroundings_change_no_bit_of_a_run(model, backend, hostile, tmp_path):
    words = (f"model={model}", f"backend={backend}")
    if model == "application":
        words = (*words, "model.application=MobileNetV2")
    expected, usual = what_a_run_gives(tmp_path / "plain", *words, environment={})
    found, recorded = what_a_run_gives(tmp_path / "hostile", *words, environment=hostile)
    assert found == expected
    # Of the rest our own values are recorded: those that a run trains with.
    assert recorded == usual | LEFT
    assert recorded["NPROC"] == recorded["OMP_NUM_THREADS"] == "1"


def test_keras_has_our_settings_whatever_a_persons_own_are(hostile):
    """What a data format and a floatx would change, without the seconds of a training."""
    code = (
        "from bnrepro.config import backend\n"
        "from bnrepro.config.composition import compose\n"
        "backend.select(compose(['backend=jax']).config)\n"
        "from keras.config import *\n"
        "print(backend(), image_data_format(), floatx(), epsilon(), dtype_policy().name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **hostile},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "jax channels_last float32 1e-07 float32\n"
