"""A probe against the formulas: loss, gradient and curvature at given weights, in every mode."""

from functools import cache

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from numpy_dense import Dense

ALL_MODES = ("batch", "frozen", "population")
MODES = pytest.mark.parametrize("mode", ALL_MODES)
DENSE = [
    "model=mlp",
    "model.hidden_layers=2",
    "model.width=0.05",
    "bn=x1",
    "batch_size=20",
    "learning_rate=0.1",
    # What a probe must not see.
    "dropout=0.5",
    "distortion=1",
    "input_normalization=false",
]


@cache
def probed(backend):
    return ask("probed", DENSE, 3, ALL_MODES, backend=backend)


@MODES
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_dense_network_is_numpys(backend, mode):
    answer = probed(backend)
    network, seen = Dense(answer, mode), answer["modes"][mode]
    for n, point in enumerate(answer["points"]):
        assert seen["losses"][n] == pytest.approx(network.loss(point), rel=1e-12)
        assert seen["losses_beside_gradients"][n] == pytest.approx(seen["losses"][n], rel=1e-14)
        np.testing.assert_allclose(seen["gradients"][n], network.gradient(point), atol=1e-9)
        scores, _, inputs = network.at(point)
        np.testing.assert_allclose(seen["logits"][n], scores, atol=1e-11)
        for name, expected in zip(("hidden_1", "hidden_2"), inputs, strict=True):
            np.testing.assert_allclose(seen["pre_activations"][name][n], expected, atol=1e-11)


@MODES
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_hessian_times_a_direction_is_the_gradients_slope(backend, mode):
    answer = probed(backend)
    network, point, direction = Dense(answer, mode), answer["points"][0], answer["directions"][0]
    received = answer["modes"][mode]["hessian_products"][0]
    step = 1e-4
    slope = network.gradient(point + step * direction) - network.gradient(point - step * direction)
    np.testing.assert_allclose(received, slope / (2 * step), atol=2e-6)


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_training_with_dropout_goes_on_as_if_nobody_had_looked(backend):
    assert probed(backend)["undisturbed"]


@JAX_AND_SLOWLY_TENSORFLOW
def test_kinds_of_weights_lie_in_the_order_of_the_layers(backend):
    layout = probed(backend)["layout"]
    assert [(path, kind) for path, kind, _, _ in layout] == [
        ("hidden_1/kernel", "kernel"),
        ("hidden_1_normalization/gamma", "gamma"),
        ("hidden_1_normalization/beta", "beta"),
        ("hidden_2/kernel", "kernel"),
        ("hidden_2_normalization/gamma", "gamma"),
        ("hidden_2_normalization/beta", "beta"),
        ("logits/kernel", "kernel"),
        ("logits/bias", "bias"),
    ]
    assert [start for _, _, start, _ in layout][1:] == [stop for _, _, _, stop in layout][:-1]
