"""Memory: each process's share of a GPU, the most that it took, and one line where it ends."""

import errno
import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from runs import command, finish, only_directory

from bnrepro.config import ConfigError, backend
from bnrepro.config.composition import compose
from bnrepro.records.environment import mps_daemon_runs
from bnrepro.training import shortage

SHARE, NEWER = "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"
GIGABYTE = 10**9
REMEDY = "a smaller batch_size (now 32) or model.width (now 1)"
BACKENDS = ("tensorflow", "jax")


class JaxRuntimeError(RuntimeError):
    pass


class ResourceExhaustedError(Exception):
    pass


@pytest.fixture
def environment(monkeypatch):
    """What `select` sets is gone after the test; neither name of JAX's variable is set."""
    before = dict(os.environ)
    for name in (SHARE, NEWER):
        os.environ.pop(name, None)
    yield os.environ
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    [
        ([], {}, {SHARE: "0.9"}),
        # Of a sweep with several runs on the card, or of the person.
        ([], {SHARE: "0.2250"}, {SHARE: "0.2250"}),
        (["device_memory=0.5"], {SHARE: "0.2250"}, {SHARE: "0.5"}),
        (["device_memory=0.5"], {NEWER: "0.3"}, {SHARE: "0.5"}),
        # JAX does not start where both are set.
        ([], {NEWER: "0.3"}, {NEWER: "0.3"}),
        ([], {NEWER: "0.3", SHARE: "0.2250"}, {NEWER: "0.3"}),
    ],
)
def test_jax_is_told_its_share_by_one_variable(environment, words, variables, expected):
    environment.update(variables)
    backend._limit_device_memory(compose(words).config.device_memory)
    assert {name: environment[name] for name in (SHARE, NEWER) if name in environment} == expected


def test_a_share_is_at_most_the_card():
    with pytest.raises(ConfigError, match="device_memory=1.5: expected a number from 0 to 1"):
        compose(["device_memory=1.5"])


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (MemoryError(), "machine"),
        (np._core._exceptions._ArrayMemoryError((10**12,), np.dtype("f8")), "machine"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "machine"),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17 bytes."), "device"),
        # What XLA says of the CPU, and of a graph's launch on a GPU.
        (JaxRuntimeError("INTERNAL: Error dispatching: Out of memory allocating 17"), "device"),
        (JaxRuntimeError("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY: out of memory"), "device"),
        (ResourceExhaustedError("OOM when allocating tensor with shape[9]"), "device"),
        (RuntimeError("std::bad_alloc"), "device"),
    ],
)
def test_whoever_runs_out_of_memory_it_is_told_with_its_remedy(error, place):
    config = compose(["backend=jax", "batch_size=32"]).config.accelerated()
    fewer = {
        "machine": ", or fewer runs at once (--workers)",
        "device": ", fewer runs on it (--per-gpu), or a larger device_memory",
    }
    line = shortage.in_words(error, config, on_accelerator=True)
    assert line == f"out of memory on the {place}: {REMEDY}{fewer[place]}"
    line = shortage.in_words(error, config, on_accelerator=False)
    assert line == f"out of memory on the machine: {REMEDY}{fewer['machine']}"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no"),
        OSError(errno.ENOSPC, "No space left"),
        ConfigError("data.root=/out of memory: no such folder"),
    ],
)
def test_other_errors_are_none_of_memory(error):
    config = compose([]).config.accelerated()
    assert shortage.in_words(error, config, on_accelerator=False) is None


def run_within(results, gigabytes, *words):
    """`bnrepro run` with so much address space."""
    limit = gigabytes * GIGABYTE
    return subprocess.run(
        command(results, "threads=1", *words),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )


def lines_of(done):
    assert "Traceback" not in done.stderr
    return [line for line in done.stderr.splitlines() if line.startswith("bnrepro: ")]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_network_that_does_not_fit_is_one_line_and_leaves_nothing(tmp_path, backend):
    words = (f"backend={backend}", "model=inception", "model.width=30", "batch_size=32")
    done = run_within(tmp_path, 6, *words)
    assert done.returncode == 1
    assert lines_of(done) == [
        "bnrepro: out of memory on the machine: a smaller batch_size (now 32) or model.width (now "
        "30), or fewer runs at once (--workers)"
    ]
    assert not any(tmp_path.iterdir())


# A measure that asks the backend for more than any machine has.
GREEDY = """
import sys
from bnrepro.config import backend
from bnrepro.config.composition import compose

composition = compose(sys.argv[1:])
backend.select(composition.config)
import keras
from bnrepro import training
from bnrepro.measures.measure import Measure

class Greedy(Measure):
    name, columns = "greedy", ("step",)

    def rows(self, engine, step):
        size = 2**46 if step else 1
        return [[float(keras.ops.sum(keras.ops.zeros(size)))]]

print(training.run(composition, [Greedy(every=3)]).status)
"""


@pytest.mark.parametrize("backend", [pytest.param("tensorflow", marks=pytest.mark.slow), "jax"])
def test_a_run_that_asks_for_too_much_is_one_line_and_its_record_says_so(tmp_path, backend):
    words = [f"backend={backend}", "train_steps=3", "threads=1", "tensorboard=false"]
    done = subprocess.run(
        [sys.executable, "-c", GREEDY, f"results_dir={tmp_path}", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "failed\n", done.stderr[-2000:]
    record = json.loads((only_directory(tmp_path) / "record.json").read_text())
    assert (record["status"], record["train_steps"]) == ("failed", 3)
    assert lines_of(done) == [f"bnrepro: {record['error']}"]
    assert record["error"].startswith("out of memory on the machine: a smaller batch_size (now ")


def test_a_record_says_the_most_memory_that_the_run_took(tmp_path):
    finish(tmp_path, "backend=jax", "train_steps=2", "threads=1", "tensorboard=false")
    record = json.loads((only_directory(tmp_path) / "record.json").read_text())
    assert 0.1 * GIGABYTE < record["peak_memory"]["host"] < 2 * GIGABYTE
    assert record["peak_memory"]["device"] is None


def test_a_daemon_of_cuda_that_lives_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert not mps_daemon_runs()
    file = tmp_path / "nvidia-cuda-mps-control.pid"
    file.write_text(f"{os.getpid()}\n")
    assert mps_daemon_runs()
    file.write_text("999999999\n")
    assert not mps_daemon_runs()


SHARING = """
import sys
from bnrepro.config import backend
from bnrepro.config.composition import compose

backend.select(compose(sys.argv[1:]).config)
import numpy as np
from bnrepro.data.alignment import empty_images, is_aligned
if sys.argv[1] == "backend=jax":
    from bnrepro.engine.jax import JaxEngine as Engine
    from bnrepro.engine.placement import Placement

    Engine._placement = Placement()
else:
    from bnrepro.engine.tensorflow import TensorFlowEngine as Engine
engine = Engine.__new__(Engine)

for start in (0, 16):
    images = empty_images((9, 64))[:, :48].copy() if start else empty_images((9, 64))
    odd = np.frombuffer(bytes(9 * 64), np.uint8).reshape(9, 64)
    for given in (images, odd):
        table = engine.to_device(given)
        assert np.asarray(table).tolist() == given.tolist()
images = empty_images((9, 64))
images[:] = 1
table = engine.to_device(images)
images[:] = 2
print(is_aligned(images), np.asarray(table).max())
"""


@pytest.mark.parametrize("backend", [pytest.param("tensorflow", marks=pytest.mark.slow), "jax"])
def test_images_lie_in_memory_once(backend):
    words = [f"backend={backend}", "device=cpu"]
    done = subprocess.run(
        [sys.executable, "-c", SHARING, *words], capture_output=True, text=True, check=False
    )
    assert done.stdout == "True 2\n", done.stderr[-2000:]


# A training whose photographs do not fit into memory, and how much of it is taken on the way.
STREAMING = """
import sys
from pathlib import Path
from bnrepro.config import backend
from bnrepro.config.composition import compose

composition = compose(sys.argv[1:])
backend.select(composition.config)
from bnrepro import training
from bnrepro.data import image_folder
from bnrepro.measures.measure import Measure

image_folder.available_memory = lambda: 0

class Resident(Measure):
    name, columns = "resident", ("kilobytes",)

    def rows(self, engine, step):
        lines = Path("/proc/self/status").read_text().splitlines()
        return [[int(line.split()[1])] for line in lines if line.startswith("VmRSS")]

training.run(composition, [Resident(every=1000)])
"""


@pytest.mark.slow
def test_ten_thousand_batches_of_photographs_take_no_more_memory_than_a_thousand(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 16, 16, 3), np.uint8)
    for number, image in enumerate(pixels):
        path = tmp_path / "photographs" / f"class_{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    words = [f"data.root={tmp_path / 'photographs'}", "data=image_folder", "data.image_size=16",
             "model=mlp", "bn=x1", "batch_size=8", "train_steps=10000", "evaluate_every=10000",
             "backend=jax", "tensorboard=false", "threads=1"]  # fmt: skip
    command = [sys.executable, "-c", STREAMING, f"results_dir={tmp_path / 'results'}", *words]
    subprocess.run(command, check=True)
    table = only_directory(tmp_path / "results") / "resident.csv"
    _, *kilobytes = map(int, table.read_text().split()[2:])
    assert len(kilobytes) == 9
    # The images of 500 steps are 3 MB: kept, those of the last 9,000 would be 55.
    assert max(kilobytes) < kilobytes[0] + 10_000
