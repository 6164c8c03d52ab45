"""On which device a run trains, and that what is not there is refused before a framework loads.

The rules are held against machines of so many GPUs, of which only the number of device files is
made up; the refusals and the processor's path are real processes on this machine.
"""

import json
import os
import subprocess

import pytest
from runs import command, only_directory

from bnrepro.config import ConfigError, device, identity
from bnrepro.config.composition import compose
from bnrepro.records.run_directory import recorded_config

VARIABLES = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS")
no_gpu_here = pytest.mark.skipif(device.num_gpus() != 0, reason="this machine may have a GPU")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs, JAX's plug-ins, and variables."""

    def make(num_gpus, plugins=("xla_cuda12",), **variables):
        monkeypatch.setattr(device, "num_gpus", lambda: num_gpus)
        monkeypatch.setattr(device, "_jax_plugins", lambda: list(plugins))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return make


def refusal(*words):
    try:
        device.refuse_absent(compose(list(words)).config)
    except ConfigError as error:
        return str(error)
    return None


def test_the_device_is_neither_identity_nor_name_nor_recorded():
    chosen, usual = compose(["device=gpu:1"]), compose([])
    assert chosen.config.device == "gpu:1"
    assert (identity(chosen.config), chosen.name) == (identity(usual.config), usual.name)
    assert "device" not in recorded_config(chosen.config)


@pytest.mark.parametrize("word", ["gpux", "gpu:", "gpu:-1", "gpu:a", "cuda", "GPU", "cpu:0"])
def test_what_names_no_device_is_refused(word):
    with pytest.raises(ConfigError, match="expected auto, cpu, gpu, or gpu:1"):
        compose([f"device={word}"])


@pytest.mark.parametrize(
    ("chosen", "visible", "expected"),
    [
        ("auto", None, {}),
        ("cpu", "4,7", {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}),
        ("gpu", None, {"CUDA_VISIBLE_DEVICES": "0", "JAX_PLATFORMS": "cuda,cpu"}),
        ("gpu:1", None, {"CUDA_VISIBLE_DEVICES": "1", "JAX_PLATFORMS": "cuda,cpu"}),
        # Counted among those that a scheduler has left to this process.
        ("gpu", "4,7", {"CUDA_VISIBLE_DEVICES": "4", "JAX_PLATFORMS": "cuda,cpu"}),
        ("gpu:1", "4,GPU-abc", {"CUDA_VISIBLE_DEVICES": "GPU-abc", "JAX_PLATFORMS": "cuda,cpu"}),
    ],
)
def test_a_device_is_chosen_by_variables(machine, chosen, visible, expected):
    machine(8, **({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}))
    assert device.variables(chosen) == expected


def test_gpus_that_stand_behind_none_are_not_seen(machine):
    machine(8, CUDA_VISIBLE_DEVICES="2, 3,-1,4")
    assert device.visible_gpus() == ["2", "3"]


@pytest.mark.parametrize(
    ("words", "variables", "message"),
    [
        ("device=gpu:2", {}, "device=gpu:2: this process sees 2 GPUs, counted from gpu:0"),
        ("device=gpu:1", {"CUDA_VISIBLE_DEVICES": "1"}, "this process sees 1 GPU, counted"),
        ("device=gpu", {"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES hides every GPU"),
        ("device=gpu", {"CUDA_VISIBLE_DEVICES": "-1"}, "CUDA_VISIBLE_DEVICES hides every GPU"),
        ("", {"CUDA_VISIBLE_DEVICES": "0,5"}, "names GPU 5, and this machine has 2"),
        ("device=gpu backend=jax", {"JAX_PLATFORMS": "cpu"}, "JAX_PLATFORMS=cpu leaves it out"),
        ("device=gpu:1", {}, None),
        ("device=gpu:1 backend=jax", {}, None),
        ("device=cpu", {"CUDA_VISIBLE_DEVICES": "9"}, None),
        ("", {"CUDA_VISIBLE_DEVICES": ""}, None),
        ("", {"CUDA_VISIBLE_DEVICES": "1,GPU-abc"}, None),
        ("device=gpu", {"JAX_PLATFORMS": "cpu"}, None),  # of no concern to TensorFlow
        ("backend=jax", {"JAX_PLATFORMS": "cuda"}, None),
    ],
)
def test_on_a_machine_with_two_gpus(machine, words, variables, message):
    machine(2, **variables)
    found = refusal(*words.split())
    assert found is None if message is None else message in found


@pytest.mark.parametrize(
    ("words", "variables", "refused"),
    [
        ("device=gpu", {}, False),
        ("device=gpu backend=jax", {}, True),
        ("backend=jax", {"JAX_PLATFORMS": "gpu"}, True),
        ("backend=jax", {"JAX_PLATFORMS": "cuda,cpu"}, False),  # JAX takes the second then
        ("backend=jax", {}, False),
    ],
)
def test_jax_without_its_plugin_sees_no_gpu(machine, words, variables, refused):
    machine(2, plugins=["rocm"], **variables)
    found = refusal(*words.split())
    assert (found is not None) == refused
    assert not refused or "pip install 'jax[cuda12]'" in found


def test_where_files_do_not_tell_the_framework_is_asked(machine):
    machine(None)
    assert refusal("device=gpu:3") is None
    assert device.variables("gpu:3")["CUDA_VISIBLE_DEVICES"] == "3"
    config = compose(["device=gpu:3"]).config
    device.refuse_other(config, ["cpu:0", "gpu:0"])
    device.refuse_other(compose([]).config, ["cpu:0"])
    with pytest.raises(ConfigError, match=r"tensorflow finds no GPU \(only cpu:0\)"):
        device.refuse_other(config, ["cpu:0"])


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        ("", {}, "GPU 0 if tensorflow can use it"),
        ("device=gpu:1", {}, "GPU 1"),
        ("device=cpu", {}, "CPU"),
        ("", {"CUDA_VISIBLE_DEVICES": ""}, "CPU"),
        ("backend=jax", {"JAX_PLATFORMS": "cpu"}, "CPU"),
    ],
)
def test_what_will_be_used_is_said_as_far_as_it_is_known(machine, words, variables, expected):
    machine(2, **variables)
    assert device.expected(compose(words.split()).config) == expected


def run(tmp_path, *words, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.run(
        command(tmp_path / "results", *words),
        capture_output=True,
        text=True,
        env={**environment, **variables},
    )


@no_gpu_here
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize(
    ("words", "variables"),
    [
        (["device=gpu"], {}),
        (["device=gpu:1"], {"CUDA_VISIBLE_DEVICES": "0,1"}),
        ([], {"CUDA_VISIBLE_DEVICES": "0"}),
    ],
)
def test_a_gpu_that_is_not_here_is_one_line(tmp_path, backend, words, variables):
    pytest.importorskip(backend)
    done = run(tmp_path, f"backend={backend}", *words, **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "this machine shows no NVIDIA GPU" in done.stderr
    assert not (tmp_path / "results").exists()


@no_gpu_here
def test_platforms_of_jax_that_are_not_here_are_one_line(tmp_path):
    pytest.importorskip("jax")
    done = run(tmp_path, "backend=jax", JAX_PLATFORMS="cuda")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bnrepro: JAX_PLATFORMS=cuda: ") and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_what_only_the_framework_knows_is_one_line_after_it_has_loaded(tmp_path):
    pytest.importorskip("jax")
    done = run(tmp_path, "backend=jax", JAX_PLATFORMS="nonsense")
    assert done.returncode == 2
    assert done.stderr.startswith("bnrepro: JAX_PLATFORMS=nonsense: jax finds no such device")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_processor_trains_whatever_the_environment_asks_for(tmp_path, backend):
    pytest.importorskip(backend)
    asked = {"CUDA_VISIBLE_DEVICES": "0", "JAX_PLATFORMS": "cuda"}
    done = run(tmp_path, f"backend={backend}", "device=cpu", "train_steps=20", **asked)
    assert done.returncode == 0, done.stderr[-3000:]
    directory = only_directory(tmp_path / "results")
    record = json.loads((directory / "record.json").read_text())
    from bnrepro.records.environment import processor

    assert record["environment"]["device"] == processor()
    assert "device" not in record["config"]
