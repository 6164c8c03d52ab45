"""Signals that ask to stop are answered at any time, and a saved run goes on to the same bits."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from PIL import Image
from runs import START_SECONDS, essence, finish, only_directory, wait_for
from terminal import terminal

from bnrepro.config import BACKENDS
from bnrepro.records.record import read_record
from bnrepro.screen import signals

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGUSR1": 138, "SIGUSR2": 140}
EACH = pytest.mark.parametrize("name", CODES)
# A person, a batch system or a machine that goes down waits no longer.
SECONDS = 10


def seconds_allowed() -> float:
    """Those ten, on a machine with more processes than cores as many times longer."""
    return SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


# The main thread is in a library's own code, where Python runs no handler.
DEAF = """
import ctypes
from bnrepro.screen.signals import answered, end_process
with answered(end_process):
    print("listening", flush=True)
    ctypes.CDLL(None).usleep(600 * 10**6)
    while True:
        ctypes.CDLL(None).usleep(10**8)
"""


@contextmanager
def deaf(*before: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*before, sys.executable, "-c", DEAF], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "listening\n"
            yield process
        finally:
            process.kill()


@EACH
def test_a_signal_is_answered_while_a_library_computes(name):
    with deaf() as process:
        process.send_signal(getattr(signal, name))
        assert process.wait(seconds_allowed()) == CODES[name]


def test_a_stop_that_python_lets_out_of_nothing_is_raised_at_the_end():
    """As in what it calls while a process is started."""
    with pytest.raises(signals.Stopped) as stopped, signals.raised(), suppress(signals.Stopped):
        signal.raise_signal(signal.SIGTERM)
    assert stopped.value.code == 143


def test_a_hangup_that_is_ignored_from_the_start_stays_ignored():
    with deaf("nohup") as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds_allowed()) == 143


@pytest.mark.parametrize("backend", ["jax", pytest.param("tensorflow", marks=pytest.mark.slow)])
def test_what_another_thread_saves_in_an_evaluation_goes_on_to_the_same_bits(backend):
    """By then the steps after the mark have written over its buffers, and the evaluation has put
    Algorithm 2's statistics in place of the moving ones."""
    words = ("model=mlp", "model.hidden_layers=1", "model.width=0.1", "bn=x1", "train_steps=90",
             "evaluate_every=30", "checkpoint_every=1000", "dropout=0.2",
             "batch_normalization.inference=population")  # fmt: skip
    answer = ask("rescued", words, 60, backend=backend)
    assert (answer["record"]["status"], answer["record"]["error"]) == ("interrupted", "SIGUSR1")
    # The segment before the evaluation is made again.
    assert answer["saved"] == answer["record"]["train_steps"] == 30
    alone, left = answer["ends"]
    assert left == alone


RUN = ("model=inception", "bn=x1", "batch_size=8", "train_steps=120", "evaluate_every=40",
       "batch_normalization.inference=population", "batch_normalization.population_batches=40",
       "percentiles.every=40", "percentiles.num_examples=50", "threads=1")  # fmt: skip
MOMENTS = {
    "loading": "loading",
    "compiling": "compiling",
    "an evaluation": "evaluating, ",
    "the population pass": "computing population statistics, ",
    "training": "step 40 of 120",
}

# A run that stands still at a moment, by what its foot has to show, however short the moment is.
HALTING = """
import os, signal, sys
from bnrepro.screen.foot import Foot

moments = [sys.argv.pop(1)]

def halting(method):
    def called(foot, *given):
        method(foot, *given)
        shown = [foot._pass.words()] if foot._pass else []
        if moments and moments[0] in " ".join([*shown, *(foot._bar.parts if foot._bar else ())]):
            moments.clear()
            os.kill(os.getpid(), signal.SIGSTOP)
    return called

Foot._refresh, Foot.reached = halting(Foot._refresh), halting(Foot.reached)

from bnrepro import cli
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The essence of the run that nothing happens to, by backend."""

    def essence_of(backend):
        if backend not in known:
            results = tmp_path_factory.mktemp(backend)
            finish(results, *RUN, f"backend={backend}")
            known[backend] = essence(only_directory(results))
        return known[backend]

    known = {}
    return essence_of


def stop_at(moment: str, results, words, name: str) -> float:
    """Start a run in a terminal, send the signal where it halts at the moment; seconds to go."""
    halting = [sys.executable, "-c", HALTING, MOMENTS[moment]]
    with terminal(100) as (stream, shown):
        process = subprocess.Popen(
            [*halting, "run", f"results_dir={results}", *words], stdout=stream, stderr=stream
        )

        def halts():
            shown()  # a terminal that nobody reads takes no more
            return os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOHANG)

        wait_for(halts, process)
        process.send_signal(getattr(signal, name))
        began = time.monotonic()
        process.send_signal(signal.SIGCONT)
        assert process.wait(START_SECONDS) == CODES[name], shown()
        return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
@pytest.mark.parametrize(("moment", "name"), list(zip(MOMENTS, CODES, strict=True)))
def test_a_run_is_saved_and_gone_in_ten_seconds_and_goes_on_to_the_same_bits(
    undisturbed, tmp_path, monkeypatch, backend, moment, name
):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))  # compiles anew
    words = (*RUN, f"backend={backend}")
    assert stop_at(moment, tmp_path, words, name) < seconds_allowed()
    if moment != "loading":
        record = json.loads((only_directory(tmp_path) / "record.json").read_text())
        assert (record["status"], record["error"]) == ("interrupted", name)
    finish(tmp_path, *words)
    assert essence(only_directory(tmp_path)) == undisturbed(backend)


PUBLISHED = Path(__file__).resolve().parent.parent / "results/published/resilience/signals.csv"


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published signals are not here")
def test_the_published_signals_were_answered_in_ten_seconds_and_changed_no_bit():
    """As `scripts/kill_hunt.py` sent them; on more processes than cores, without an allowance."""
    with PUBLISHED.open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["backend"], row["signal"]) for row in rows} == set(product(BACKENDS, CODES))
    for row in rows:
        assert int(row["exit_code"]) == CODES[row["signal"]]
        assert float(row["seconds_to_end"]) < SECONDS and row["identical"] == "True"


@pytest.mark.slow
@EACH
def test_a_sweep_and_its_runs_are_saved_and_gone_in_ten_seconds(tmp_path, name):
    words = ("model=inception", "seed=0,1", "train_steps=100000", "threads=1")
    sweep = [sys.executable, "-m", "bnrepro", "sweep", f"results_dir={tmp_path}", *words]
    with subprocess.Popen([*sweep, "--workers", "2"], stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len(list(tmp_path.glob("runs/*/seed_*/record.json"))) == 2, process)
        process.send_signal(getattr(signal, name))
        began = time.monotonic()
        assert process.wait(START_SECONDS) == CODES[name]
        assert time.monotonic() - began < seconds_allowed()
    for path in tmp_path.glob("runs/*/seed_*/record.json"):
        record = json.loads(path.read_text())
        assert (record["status"], record["error"]) == ("interrupted", "SIGTERM")
        assert any(path.parent.glob("checkpoint/*.ckpt"))


# A measure that does not come back, in a library's own code.
STUCK = """
import ctypes, sys
from bnrepro.config import backend
from bnrepro.config.composition import compose

composition = compose(sys.argv[1:])
backend.select(composition.config)
from bnrepro import training
from bnrepro.measures.measure import Measure

class Stuck(Measure):
    name, columns = "stuck", ("step", "value")
    def rows(self, engine, step):
        if step == 40:
            print("stuck", flush=True)
            while True:  # a signal wakes whoever sleeps
                ctypes.CDLL(None).sleep(600)
        return [[step, 0]]

training.run(composition, [Stuck(every=20)], ends_process=True)
"""


@pytest.mark.slow
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_measure_that_never_comes_back_costs_no_more_than_its_segment(tmp_path, backend):
    words = (f"results_dir={tmp_path}", f"backend={backend}", "train_steps=100", "threads=1")
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "stuck\n"
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.wait(START_SECONDS) == 143
        assert time.monotonic() - began < seconds_allowed()
    record = json.loads((only_directory(tmp_path) / "record.json").read_text())
    assert (record["status"], record["train_steps"]) == ("interrupted", 0)


@pytest.mark.slow
def test_a_second_interrupt_ends_a_run_at_once(tmp_path):
    words = (f"results_dir={tmp_path}", "backend=jax", "train_steps=100", "threads=1")
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "stuck\n"
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert process.wait(1) == 130


# Photographs stream where they do not fit into memory; this process has none to spare.
STREAMING = """
import sys
from bnrepro.data import image_folder
image_folder.available_memory = lambda: 0
from bnrepro import cli
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Few photographs to train on, and so many to score that it takes a minute."""
    root = tmp_path_factory.mktemp("photographs")
    pixels = np.random.default_rng(0).integers(0, 256, (750, 1000, 3), np.uint8)
    Image.fromarray(pixels).save(root / "one.jpg", quality=95)
    for part, count in (("train", 20), ("val", 3_000)):
        for name in ("cat", "dog"):
            folder = root / "data" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                os.link(root / "one.jpg", folder / f"{number}.jpg")
    return root / "data"


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_signal_is_answered_while_an_evaluation_streams_photographs(
    backend, photographs, tmp_path
):
    words = [f"backend={backend}", "model=cnn", "data=image_folder", f"data.root={photographs}",
             "data.image_size=64", "batch_size=4", "train_steps=40", "threads=1",
             "tensorboard=false", f"results_dir={tmp_path}"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", STREAMING, "run", *words], stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stderr is not None
        assert any(line.startswith("evaluating") for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds_allowed()) == 143
    assert read_record(only_directory(tmp_path)).status == "interrupted"
