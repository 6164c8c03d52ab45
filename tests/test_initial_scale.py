"""F2's exact part: what the scale of the initial weights does before the first step."""

import numpy as np
import pytest
from engine_process import ask

from bnrepro import models
from bnrepro.lab import depth_by_scale
from bnrepro.models.initializers import initial_weights

DEPTH = 12
NETWORK = ("data=digits", "model=mlp", f"model.hidden_layers={DEPTH}", "activation=relu")
HE = (*NETWORK, "model.width=4", "initializer=he")


@pytest.mark.parametrize("scale", [1.0, 2**0.5, 2.0])
def test_without_normalization_a_relu_layer_multiplies_squared_lengths(scale):
    """By c^2 / 2 in expectation, of the values forward and of gradients backward (He et al.)."""
    words = (*HE, "bn=none", "batch_size=1", f"initializer.scale={scale**2 / 2!r}")
    found = [ask("at_initialization", (*words, f"seed={seed}"), backend="jax") for seed in range(4)]
    # The gradient by a bias is that by the layer's values, where there is one example.
    for name, expected in (("values", scale**2 / 2), ("biases", 1 / (scale**2 / 2))):
        lengths = np.array([one[name] for one in found])
        factors = (lengths[:, -1] / lengths[:, 0]) ** (2 / (DEPTH - 1))
        assert factors.mean() == pytest.approx(expected, rel=0.1), name


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_with_normalization_values_do_not_depend_on_it_and_gradients_are_as_one_over_it(factor):
    words = (*HE, "bn=x1", "batch_size=50")
    drawn = ask("at_initialization", words, backend="jax")
    scaled = ask("at_initialization", words, factor, backend="jax")
    # Up to epsilon, 1e-5, beside variances of about 0.1 and more.
    np.testing.assert_allclose(scaled["values"], drawn["values"], rtol=2e-3)
    np.testing.assert_allclose(factor * np.array(scaled["kernels"]), drawn["kernels"], rtol=5e-3)


def test_the_study_draws_kernels_of_the_deviation_that_it_says():
    for scale in depth_by_scale.SCALES:
        config = depth_by_scale.recipe("relu", "plain", 2, 0, scale, ("data=digits",))
        assert 2 * config.initializer.scale == pytest.approx(scale**2)
        assert config.initializer.name == "he"


@pytest.mark.parametrize("distribution", ["normal", *depth_by_scale.OTHERS])
def test_kernels_of_every_distribution_have_the_deviation_that_the_study_says(distribution):
    config = depth_by_scale.recipe("relu", "plain", 2, 0, 2.0, ("data=mnist",), distribution)
    model = models.build(config, (28, 28, 1), 10).model
    weights = [each for each in initial_weights(model, config) if each.ndim == 2]
    assert [kernel.shape for kernel in weights] == [(784, 64), (64, 64), (64, 10)]
    for kernel in weights:
        assert kernel.std() == pytest.approx(2 / np.sqrt(len(kernel)), rel=0.1)
        assert (np.abs(kernel).max() < 1.8 * kernel.std()) == (distribution == "uniform")
