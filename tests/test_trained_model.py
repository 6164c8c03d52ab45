"""A run's network, loaded in one line, says what it said at the end of its training."""

import os
import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest
from engine_process import ask
from runs import command, only_directory

import bnrepro
from bnrepro import models, normalization
from bnrepro.config import NORMALIZATIONS, ConfigError
from bnrepro.config.composition import compose
from bnrepro.models import from_pixels

# Keras reads TensorFlow's variables as NumPy 1 did.
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


def test_what_there_is_to_use_is_what_is_shown():
    assert dir(bnrepro) == [
        "__version__",
        "load_curves",
        "load_engine",
        "load_model",
        "load_runs",
        "run",
        "sweep",
    ]
    assert [name for name in dir(bnrepro) if getattr(bnrepro, name).__doc__ is None] == []


@pytest.mark.parametrize(
    "words",
    [
        ["model=mlp", "bn=x1", "activation=gelu", "dropout=0.5"],
        ["model=cnn", "normalization=group"],
        ["model=cnn", "normalization=batch_renorm", "placement=after"],
        ["model=inception", "bn=none", "lrn=true"],
        ["model=inception", "batch_normalization.statistics=per_activation_last"],
        ["model=cnn", "batch_normalization.statistics_batch=4"],
        ["model=cnn", "reparametrization=weight", "normalization=mean_only"],
        ["model=cnn", "normalization=l1_norm"],
        ["model=cnn", "reparametrization=spectral", "bn=none"],
        ["model=resnet", "bn=none", "model.residual=fixup"],
        ["model=cnn", "reparametrization=scaled_weight_standardization", "bn=none"],
    ],
)
def test_every_layer_is_known(words, tmp_path):
    network = models.build(compose(words).config, (16, 16, 1), 10)
    whole = from_pixels(network.model, np.array([0.3]), np.array([0.2]), "float32")
    whole.save(tmp_path / "model.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), np.uint8)
    images = ((pixels / 255 - 0.3) / 0.2).astype(np.float32)
    logits = np.asarray(network.model(images, training=False), float)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    # A dense network is quick enough to be loaded by each of its names.
    row = pd.Series({"directory": str(tmp_path)})
    places = [tmp_path, tmp_path / "model.keras", str(tmp_path), row]
    for place in places if network.is_dense else [tmp_path]:
        loaded = bnrepro.load_model(place)
        np.testing.assert_allclose(loaded(pixels), expected, atol=1e-5)
        np.testing.assert_array_equal(loaded(pixels), whole(pixels))
        inner = loaded.layers[2](images, training=False)
        np.testing.assert_array_equal(inner, network.model(images, training=False))


def test_a_process_that_has_built_no_network_knows_every_layer(tmp_path):
    """As a notebook, which begins with `load_model`, or plain Keras after `import bnrepro.models`.
    A layer is known to a process from the moment its file is imported."""
    for name in NORMALIZATIONS:
        layer = normalization.constructor(
            compose(["model=inception", f"normalization={name}"]).config
        )
        keras.Sequential([keras.Input((8, 8, 8)), layer("unit")]).save(tmp_path / f"{name}.keras")
    code = (
        "import sys, keras, bnrepro.models\n"
        "for path in sys.argv[1:]:\n"
        "    keras.saving.load_model(path, compile=False)\n"
    )
    paths = sorted(map(str, tmp_path.glob("*.keras")))
    done = subprocess.run(
        [sys.executable, "-c", code, *paths],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (len(paths), done.returncode) == (len(NORMALIZATIONS), 0), done.stderr[-2000:]


def test_every_channel_has_its_own_scaling(tmp_path):
    network = models.build(compose(["model=mlp"]).config, (4, 4, 3), 10)
    mean, deviation = np.array([0.1, 0.5, 0.9]), np.array([0.2, 1.0, 3.0])
    whole = from_pixels(network.model, mean, deviation, "float32")
    pixels = np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3) * 2
    expected = (pixels / 255 - mean) / deviation
    np.testing.assert_allclose(whole.layers[1](pixels), expected, rtol=1e-5, atol=1e-6)
    whole.save(tmp_path / "model.keras")
    kept = bnrepro.load_model(tmp_path).layers[1].get_config()
    assert (kept["mean"], kept["deviation"]) == (list(mean), list(deviation))


def test_a_file_without_its_scaling_is_refused(tmp_path):
    network = models.build(compose(["model=mlp"]).config, (4, 4, 1), 10)
    network.model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"model\.keras: an earlier bnrepro saved it"):
        bnrepro.load_model(tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 100, 20_000, 0.5, 0.999, -1])
def test_a_damaged_file_is_refused_by_name(kept, tmp_path):
    """Cut short after so many bytes, or a part of it; -1: a byte in the middle is another."""
    network = models.build(compose(["model=mlp"]).config, (4, 4, 3), 10)
    path = tmp_path / "model.keras"
    from_pixels(network.model, np.zeros(3), np.ones(3), "float32").save(path)
    raw = bytearray(path.read_bytes())
    if kept == -1:
        raw[len(raw) // 2] ^= 1
    path.write_bytes(raw if kept == -1 else raw[: kept if kept >= 1 else int(kept * len(raw))])
    with pytest.raises(ConfigError, match=r"model\.keras: cut short or damaged; copy it again"):
        bnrepro.load_model(tmp_path)


@pytest.mark.parametrize("place", ["nowhere", "", "nowhere/model.keras"])
def test_a_run_without_a_model_is_said(place, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.keras: no model; expected the directory"):
        bnrepro.load_model(tmp_path / place)


LESSON = """
import sys
import numpy as np
from sklearn.datasets import load_digits
import keras
import bnrepro.models

model = keras.saving.load_model(sys.argv[1] + "/model.keras")
kept = np.load(sys.argv[1] + "/predictions.npz")
images = np.rint(load_digits().images[..., None] * 255 / 16).astype("uint8")
ours = model.predict(images, verbose=0).astype(float)
# The run was scored on a fifth of the digits: each of its rows is one of ours, kept in float16.
found = np.abs(ours[None] - kept["probabilities"][:, None].astype(float)).max(axis=2).min(axis=1)
print(found.max() < 1e-3, (ours.argmax(axis=1) == load_digits().target).mean() > 0.9)
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_process_of_its_own_loads_the_model_and_sees_what_the_run_predicted(backend, tmp_path):
    words = ["train_steps=200", "save_predictions=true", "threads=1", "tensorboard=false"]
    words.append("input_normalization=true")
    subprocess.run(command(tmp_path, *words), capture_output=True, check=True)
    done = subprocess.run(
        [sys.executable, "-c", LESSON, str(only_directory(tmp_path))],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True", "True"], done.stderr[-2000:]


def test_a_model_is_saved_on_a_machine_whose_clock_stands_before_1980():
    dates = ask("modelled_in_1970", ("model=mlp", "model.width=0.1"), backend="jax")
    assert set(dates) == {(1980, 1, 1, 0, 0, 0)}
