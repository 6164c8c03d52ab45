"""A run's network, loaded in one line, says what it said at the end of its training."""

import os
import subprocess
import sys

import numpy as np
import pytest
from runs import command, only_directory

import bnrepro
from bnrepro import models
from bnrepro.config.composition import compose


def test_what_there_is_to_use_is_what_is_shown():
    assert dir(bnrepro) == ["__version__", "load_curves", "load_engine", "load_model", "load_runs"]
    assert [name for name in dir(bnrepro) if getattr(bnrepro, name).__doc__ is None] == []


# Keras reads TensorFlow's variables as NumPy 1 did.
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize(
    "words",
    [
        ["model=mlp", "bn=x1", "activation=gelu", "dropout=0.5"],
        ["model=cnn", "normalization=group"],
        ["model=cnn", "normalization=batch_renorm", "placement=after"],
        ["model=inception", "bn=none", "lrn=true"],
        ["model=inception", "batch_normalization.statistics=per_activation_last"],
    ],
)
def test_every_layer_is_known(words, tmp_path):
    network = models.build(compose(words).config, (16, 16, 1), 10)
    network.model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((5, 16, 16, 1), np.float32)
    expected = network.model(images, training=False)
    # A dense network is quick enough to be loaded by each of its names.
    places = [tmp_path, tmp_path / "model.keras", str(tmp_path)] if network.is_dense else [tmp_path]
    for place in places:
        np.testing.assert_array_equal(bnrepro.load_model(place)(images), expected)


@pytest.mark.parametrize("place", ["nowhere", "", "nowhere/model.keras"])
def test_a_run_without_a_model_is_said(place, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.keras: no model; expected the directory"):
        bnrepro.load_model(tmp_path / place)


LESSON = """
import sys
import numpy as np
from sklearn.datasets import load_digits
import bnrepro

model = bnrepro.load_model(sys.argv[1])
kept = np.load(sys.argv[1] + "/predictions.npz")
logits = model.predict(load_digits().images[..., None] / 16, verbose=0).astype(float)
ours = np.exp(logits - logits.max(axis=1, keepdims=True))
ours /= ours.sum(axis=1, keepdims=True)
# The run was scored on a fifth of the digits: each of its rows is one of ours. It saw pixels
# rounded to 256 levels, and its probabilities are kept in float16.
found = np.abs(ours[None] - kept["probabilities"][:, None].astype(float)).max(axis=2).min(axis=1)
print(found.max() < 5e-3, (logits.argmax(axis=1) == load_digits().target).mean() > 0.9)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_process_of_its_own_loads_the_model_and_sees_what_the_run_predicted(backend, tmp_path):
    words = ["train_steps=200", "save_predictions=true", "threads=1", "tensorboard=false"]
    subprocess.run(command(tmp_path, *words), capture_output=True, check=True)
    done = subprocess.run(
        [sys.executable, "-c", LESSON, str(only_directory(tmp_path))],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True", "True"], done.stderr[-2000:]
