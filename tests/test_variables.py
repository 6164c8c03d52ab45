"""Environment variables that change numbers stand in a record by name and value, paths do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnrepro.records.variables import variables, without_paths

# What the manuals of TensorFlow, XLA, JAX, Keras, CUDA and the numerical libraries name.
CHANGE_NUMBERS = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_CUDNN_DETERMINISTIC": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "TF_NUM_INTRAOP_THREADS": "3",
    "NVIDIA_TF32_OVERRIDE": "1",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    "JAX_ENABLE_X64": "true",
    "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
    "JAX_DEFAULT_PRNG_IMPL": "rbg",
    "KERAS_BACKEND": "torch",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "OMP_NUM_THREADS": "7",
    "MKL_NUM_THREADS": "7",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPROC": "6",
}


def test_variables_that_change_numbers_are_recorded_by_name_and_value():
    others = {"HOME": "/home/somebody", "LANG": "C", "TF_CPP_MIN_LOG_LEVEL": "0"}
    assert variables({**others, **CHANGE_NUMBERS}) == CHANGE_NUMBERS


@pytest.mark.parametrize(
    "name",
    ["TF_VAR_password", "TF_TOKEN_app_terraform_io", "TF_HTTP_PASSWORD", "TF_CLI_ARGS", "TF_CONFIG",
     "JAX_COORDINATOR_ADDRESS", "AWS_SECRET_ACCESS_KEY", "NVIDIA_VISIBLE_DEVICES"],
)  # fmt: skip
def test_secrets_and_hosts_are_not(name):
    assert variables({name: "secret"}) == {}


@pytest.mark.parametrize(
    "name",
    ["CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_HOME", "JAX_COMPILATION_CACHE_DIR",
     "XLA_PYTHON_CLIENT_PREALLOCATE"],
)  # fmt: skip
def test_where_a_run_computes_and_what_it_keeps_change_no_number(name):
    assert variables({name: "1"}) == {}


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        ("/home/me/a b, c", "(a path)"),
        ("~/x", "(a path)"),
        ("../x", "(a path)"),
        (r"C:\Users\me", "(a path)"),
        ("file:///x", "(a path)"),
        ("dumps/today", "(a path)"),
        ("--xla_dump_to=/home/me/x --xla_a=2", "--xla_dump_to=(a path) --xla_a=2"),
        ("--xla_a=2 --xla_dump_to=out/run=3/x,y", "--xla_a=2 --xla_dump_to=(a path),y"),
        ("--xla_dump_to='/home/my name/x' -b", "--xla_dump_to=(a path) -b"),
        (r"--xla_dump_to=/home/my\ name/x -b", "--xla_dump_to=(a path) -b"),
        ("--xla_gpu_cuda_data_dir=~me", "--xla_gpu_cuda_data_dir=(a path)"),
        ("--tf_xla_auto_jit=2 --a_b", "--tf_xla_auto_jit=2 --a_b"),
        (":4096:8", ":4096:8"),
        ("1e-3", "1e-3"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_path_in_a_value_is_said_and_not_recorded(value, recorded):
    assert without_paths(value) == recorded


def test_a_path_is_hidden_in_the_value_of_a_variable():
    assert variables({"XLA_FLAGS": "--dump_to=/x"}) == {"XLA_FLAGS": "--dump_to=(a path)"}


@given(st.text())
def test_no_slash_is_left_of_any_value(value):
    assert "/" not in without_paths(value)


@given(st.from_regex(r"[-a-z0-9_=,: .]*", fullmatch=True).filter(lambda text: text[:1] != "."))
def test_what_holds_no_path_is_recorded_as_it_is(value):
    assert without_paths(value) == value
