"""Correlation, images, paths, optimizers and noise, held to formulas and to Keras's optimizers."""

import math

import keras
import numpy as np
import pytest

from bnrepro.engine.optimizers import build as build_optimizer
from bnrepro.lab import setting
from bnrepro.lab.error_surface import correlation, features, images, noise, optimizers, paths
from bnrepro.lab.error_surface.quadratic import Surface


@pytest.fixture(autouse=True)
def precision():
    with setting.double_precision():
        yield


def test_the_law_of_correlation_is_the_ratio_of_both_curvatures():
    assert [correlation.law(rho) for rho in (0, 0.9, 0.99)] == pytest.approx([1, 19, 199])


def test_zca_stays_as_close_as_its_trace_says_and_pca_does_not():
    rows = list(correlation.distances([3]))
    raw, _ = features.draw(3, "correlation", correlation=rows[-1].setting)
    rho = np.corrcoef(raw.T)[0, 1]
    # |x (C^(-1/2) - 1)|^2 / 2 = tr(1 - 2 C^(1/2) + C) / 2; C has the eigenvalues 1 +- rho.
    expected = 2 - math.sqrt(1 + rho) - math.sqrt(1 - rho)
    pca, zca = (row.distance for row in rows[-2:])
    assert zca == pytest.approx(math.sqrt(expected), rel=1e-9)
    assert pca > zca


def test_steps_on_images_are_those_of_descent():
    random = np.random.default_rng(0)
    pixels = random.random((60, 5)) * [1, 1, 2, 3, 0.3]
    targets = np.eye(3)[random.integers(3, size=60)]
    inputs = np.column_stack([pixels, np.ones(60)])
    weights, steps = np.zeros((6, 3)), 0
    rate = 60 / np.linalg.norm(inputs, ord=2) ** 2
    least = np.linalg.lstsq(inputs, targets)[0]

    def loss(weights):
        return 0.5 * np.sum((inputs @ weights - targets) ** 2) / 60

    while loss(weights) > 1.01 * loss(least):
        weights = weights - rate * inputs.T @ (inputs @ weights - targets) / 60
        steps += 1
    spectrum = images.Spectrum.of(pixels, targets)
    assert spectrum.least == pytest.approx(loss(least), rel=1e-9)
    assert spectrum.steps() == steps > 10


def test_whitened_pixels_have_the_eigenvalues_that_the_ridge_leaves():
    pixels = np.random.default_rng(0).random((50, 4)) @ np.random.default_rng(1).random((4, 4))
    values = np.linalg.eigvalsh(np.corrcoef(pixels.T))
    white = images.whitened(pixels)
    assert np.linalg.eigvalsh(white.T @ white / 50) == pytest.approx(values / (values + 1e-3))


def test_a_data_set_that_is_not_here_is_left_out_and_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BNREPRO_DATA", str(tmp_path))
    rows = list(images.rows())
    assert {row.data for row in rows} == {"digits"}
    assert {row.normalization: row.steps for row in rows}["ZCA"] == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["left out", "left out"]


def test_squares_of_pixels_are_averaged():
    pixels = np.arange(16.0).reshape(1, 4, 4, 1)
    assert images.averaged(pixels, 2).tolist() == [[2.5, 4.5, 10.5, 12.5]]


def test_every_path_begins_at_the_same_loss_and_the_slow_one_zigzags():
    rows = list(paths.paths([0]))
    starts = {row.excess for row in rows if row.step == 0}
    assert max(starts) == pytest.approx(min(starts)) == pytest.approx(8)
    ends = {(row.normalization, row.rate): row.excess for row in rows if row.step == 60}
    # Along the steep direction the factor of a step is 1 - 2 * 0.95 and 1 - 2 * 1.05.
    assert ends["whitened", "0.95 of the largest"] == pytest.approx(8 * 0.9**120)
    assert ends["whitened", "1.05 of the largest"] == pytest.approx(8 * 1.1**120)
    # Noise of mini-batches stays; all examples leave nothing.
    assert ends["batch normalization", "mini-batches"] > 1e-3
    assert ends["batch normalization", "best"] < 1e-9


@pytest.mark.parametrize("name", ["Adam", "RMSprop"])
def test_a_rule_is_that_of_the_trainings(name):
    optimizer = build_optimizer(setting.config_of(f"optimizer={name.lower()}"))
    variable = keras.Variable([1.0, -2.0], dtype="float64")
    optimizer.build([variable])
    optimizer.learning_rate = 0.125
    ours, state = np.array([1.0, -2.0]), {}
    for step in range(1, 20):
        gradient = np.array([1.0, 30.0]) * ours
        optimizer.apply([keras.ops.convert_to_tensor(gradient)])
        ours = ours - 0.125 * optimizers.RULES[name](gradient, state, step)
        # Keras rounds the powers of the decays to single precision.
        assert np.asarray(variable) == pytest.approx(ours, rel=1e-3)


def test_to_pass_the_minimum_is_not_to_arrive():
    surface = Surface(np.diag([1.0, 4.0]), np.zeros(2))

    def pacing(gradient, state, step):
        """There at once, away for steps 1 to 40, then there for good; at every rate."""
        state.setdefault("start", gradient / [1.0, 4.0])
        wanted = 0.0 if step == 1 or step > 40 else 1.0
        now = gradient / [1.0, 4.0]
        return (now - wanted * state["start"]) / optimizers._RATES[:, None]

    [(_, steps)] = optimizers.best_of_grid([surface], pacing, steps=400)
    assert steps == 41


def test_the_law_of_noise_is_that_of_its_recursion():
    for rate in (0.05, 0.5):
        squared = 1.0
        for _ in range(30):
            squared = (1 - rate * 2) ** 2 * squared + rate**2
        assert noise.law(rate, 30) == pytest.approx(squared)
    assert noise.law(0.05, 10_000) == pytest.approx(0.05 / (2 * (2 - 0.05 * 2)))
    assert noise.law(math.nan, 8) == pytest.approx(1 / (4 * 8))


def test_noise_leaves_what_the_law_says(monkeypatch):
    monkeypatch.setattr(noise, "STEPS", (1, 10, 30))
    rows = list(noise.rows([5]))
    assert len(rows) == 9
    for row in rows:
        assert row.squared_error == pytest.approx(row.law, rel=0.03)
