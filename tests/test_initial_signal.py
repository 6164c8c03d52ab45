"""The signal at the start: what is measured, how kernels are fitted, what is said of it."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from bnrepro.exhibits import initial_signal as exhibit
from bnrepro.exhibits import making
from bnrepro.lab import initial_signal as study
from bnrepro.lab import studies
from bnrepro.records.laboratory import SMOKE

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((6, 8, 8, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2], np.int32)
TINY = study._Scale(("MobileNetV3Small",), (0,), "digits")


def network(normalized=False):
    """A layer of each kind, with small kernels."""
    keras.utils.set_random_seed(0)
    images = keras.Input((8, 8, 3))
    values = layers.Conv2D(4, 3, name="plain")(images)
    if normalized:
        values = layers.BatchNormalization(epsilon=1e-12)(values)
    values = layers.ReLU()(values)
    values = layers.DepthwiseConv2D(3, name="depthwise")(values)
    values = layers.SeparableConv2D(5, 3, name="separable")(values)
    values = layers.Flatten()(values)
    return keras.Model(images, layers.Dense(3, name="logits")(values))


def test_fitted_layers_deviate_by_1():
    model = network()
    study.fit(model, IMAGES)
    for name in ("plain", "depthwise", "separable", "logits"):
        inner = keras.Model(model.input, model.get_layer(name).output)
        assert np.std(np.asarray(inner(IMAGES))) == pytest.approx(1, rel=1e-4)


def test_a_layer_that_gives_nothing_is_left_as_it_is():
    model = network()
    model.get_layer("plain").kernel.assign(np.zeros((3, 3, 3, 4)))
    study.fit(model, IMAGES)
    assert all(np.isfinite(np.asarray(each)).all() for each in model.weights)


def test_of_one_linear_layer_the_signal_is_that_of_the_formula():
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, layers.Dense(3, name="logits")(layers.Flatten()(images)))
    kernel, flat = np.asarray(model.weights[0], np.float64), IMAGES.reshape(6, -1)
    logits = flat @ kernel
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gradient = flat.T @ (shares - np.eye(3)[LABELS]) / 6
    deviation = np.sqrt(np.mean(np.std(logits, axis=0) ** 2))
    length = np.linalg.norm(gradient)
    found = study.signal(model, IMAGES, LABELS)
    np.testing.assert_allclose(found, [deviation, length, length, 1], rtol=1e-4)


def test_behind_batch_normalization_the_scale_of_a_kernel_does_not_count():
    model = network(normalized=True)
    logits, first, last, balance = study.signal(model, IMAGES, LABELS)
    kernel = model.get_layer("plain").kernel
    kernel.assign(10 * kernel)
    again = study.signal(model, IMAGES, LABELS)
    np.testing.assert_allclose(again, [logits, first / 10, last, balance], rtol=1e-3)


def test_it_is_measured_normalized_by_the_mini_batch_and_moves_nothing():
    model = network(normalized=True)
    before = [np.asarray(each).copy() for each in model.variables]
    found = study.signal(model, IMAGES, LABELS)
    moving = next(each for each in model.variables if each.name == "moving_mean")
    moving.assign(moving + 5)
    np.testing.assert_allclose(study.signal(model, IMAGES, LABELS), found, rtol=1e-5)
    moving.assign(moving - 5)
    for one, other in zip(model.variables, before, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, atol=1e-6)


@pytest.mark.slow
def test_every_family_has_its_networks():
    for size in study.SCALES.values():
        assert len(set(size.families)) == len(size.families)
    starts = {row.network: row for row in study._of_family(TINY, "MobileNetV3Small")}
    assert list(starts) == list(exhibit.LINES)
    assert starts["batch normalization"].logits > 0.05
    assert starts["without"].logits < 1e-4 < starts["without, fitted"].logits


def test_what_overflows_is_larger_than_any_and_a_dead_one_is_counted():
    rows = {"seed": [0, 1, 2] * 2, "family": list("AAABBB"), "network": ["without"] * 6}
    rows |= {"logits": [1e-4, 2e-4, 3e-4, 1, np.nan, np.nan]}
    rows |= dict.fromkeys(("first_gradient", "last_gradient", "balance"), [1.0] * 6)
    medians = exhibit.medians_of(pd.DataFrame(rows))
    assert list(medians["logits"]) == [2e-4, np.inf]
    (said,) = exhibit.findings(medians)
    assert "by 0.0002 (A) to inf (B); of 2 families 1 with less than 0.01, 1 with" in said


@pytest.mark.slow
def test_the_study_is_computed_and_drawn(tmp_path):
    folder = studies.run("initial_signal", tmp_path, SMOKE)
    assert (folder / "record.json").is_file()
    made = making.exhibit("initial_signal", str(tmp_path))
    assert len(made.write(tmp_path)) == 3
    assert made.commands[0] == "bnrepro laboratory initial_signal scale=smoke"
    assert "2 families, digits, smoke, n = 2" in made.setting
