"""Exactly how many programs a run compiles; and that a second seed compiles none."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from bnrepro.config.composition import compose
from bnrepro.training.programs import compiled_once

ROOT = Path(__file__).parents[1]
COUNT = Path(__file__).with_name("count_programs.py")
MLP = ("model=mlp", "data=digits", "bn=x1", "threads=1", "measures=[percentiles,norms]")
# One each, all of them before the first step: the loop or the step, scoring, percentiles, norms;
# whether the weights are finite, and a copy of the state.
PREPARED = {"_infer", "tally", "watch", "_gradients_of_batch", "norms", "all_finite", "copied"}


def counted(*words, cwd=ROOT, code=ROOT, **variables):
    done = subprocess.run(
        [sys.executable, str(COUNT), *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(code), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "training"),
    [
        pytest.param(MLP, "loop", id="mlp"),
        pytest.param(
            ("model=cnn", "model.width=0.125", *MLP[1:]), "step", id="cnn", marks=pytest.mark.slow
        ),
    ],
)
def test_every_program_is_compiled_once_and_before_the_first_step(words, training):
    found = counted("backend=jax", *words)
    names = {f"jit({name})": 1 for name in (*PREPARED, training)}
    assert found["prepared"] == names
    assert found["later"] == [{}, {}, {}]
    # No weight is drawn: what is left makes zeros of a few shapes.
    drawing = {name for name in found["built"] if "random" in name or "normal" in name}
    assert not drawing
    assert sum(found["built"].values()) < 20


@pytest.mark.slow
def test_tensorflow_traces_every_function_once():
    found = counted("backend=tensorflow", *MLP)
    assert found["prepared"].pop("_train_loop") == 1
    assert set(found["prepared"].values()) == {1}
    assert found["later"] == [{}, {}, {}]


@pytest.mark.slow
def test_a_second_seed_compiles_nothing_wherever_code_cache_and_results_lie(tmp_path):
    code, first, second = (tmp_path / name for name in ("elsewhere", "cache", "moved"))
    for folder in ("bnrepro", "conf"):
        shutil.copytree(ROOT / folder, code / folder)
    always = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def programs(cache):
        return {path.name for path in cache.glob("*-cache")}

    counted("backend=jax", *MLP, "seed=0", JAX_COMPILATION_CACHE_DIR=str(first), **always)
    kept = programs(first)
    assert any(name.startswith("jit_loop-") for name in kept)
    first.rename(second)
    counted(
        "backend=jax", *MLP, "seed=1", f"results_dir={tmp_path}/other",
        cwd=tmp_path, code=code, JAX_COMPILATION_CACHE_DIR=str(second), **always,
    )  # fmt: skip
    assert programs(second) == kept


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "cache"))


def times_of(configs, seconds):
    """When each of some runs that start together compiled: (from, to)."""
    times = {}

    def compile_one(place, config):
        time.sleep(0.1 * place)
        with compiled_once(config):
            began = time.monotonic()
            time.sleep(seconds)
            times[place] = began, time.monotonic()

    threads = [Thread(target=compile_one, args=each) for each in enumerate(configs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [times[place] for place in range(len(configs))]


def test_seeds_that_start_together_wait_for_the_first_and_then_not_for_one_another(cache):
    seeds = [compose(["backend=jax", f"seed={seed}"]).config for seed in range(4)]
    (_, end), *others = times_of(seeds, 1.0)
    assert all(began >= end for began, _ in others)
    assert max(began for began, _ in others) < min(end for _, end in others)


@pytest.mark.parametrize(
    "words", [["backend=jax", "activation=tanh"], ["backend=jax", "threads=3"], []]
)
def test_runs_of_other_programs_do_not_wait(cache, words):
    configs = [compose(one).config for one in (["backend=jax"], words)]
    (_, end), (began, _) = times_of(configs, 1.0)
    assert began < end


def test_a_folder_that_cannot_be_written_keeps_nobody_from_compiling(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "file"))
    with compiled_once(compose(["backend=jax"]).config):
        pass
