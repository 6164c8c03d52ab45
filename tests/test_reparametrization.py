"""Weight and spectral normalization in whole networks; their trainings are followed step by step in
`test_engine_training.py`."""

from functools import cache

import numpy as np
import numpy_training
import pytest
from engine_process import BACKENDS, JAX_AND_SLOWLY_TENSORFLOW, ask

from bnrepro import data, models
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.models.weight_normalization import WeightNormalized
from bnrepro.models.weight_standardization import WeightStandardizedDense, gain_of

MLP = ("model=mlp", "model.hidden_layers=2", "model.width=0.2", "batch_size=20")
CNN = ("model=cnn", "model.width=0.1", "batch_size=20", "distortion=1", "dropout=0.5")
PLAIN = "bn=none"
WEIGHT, FROM_DATA, SPECTRAL = (
    f"reparametrization={kind}" for kind in ("weight", "weight_from_data", "spectral")
)
STANDARDIZED = "reparametrization=scaled_weight_standardization"
MEAN_ONLY = "normalization=mean_only"


@cache
def begun(backend, *overrides):
    return ask("begun", overrides, backend=backend)


@BACKENDS
def test_weight_normalization_begins_as_the_plain_network(backend):
    weights, plain = begun(backend, *MLP, PLAIN, WEIGHT), begun(backend, *MLP, PLAIN)
    for name, values in plain["seen"].items():
        np.testing.assert_allclose(weights["seen"][name], values, rtol=1e-12, atol=1e-12)
    for layer in ("hidden_1", "hidden_2"):
        kernel = plain["weights"][f"{layer}/kernel"]
        np.testing.assert_array_equal(weights["weights"][f"{layer}/kernel"], kernel)
        gain = weights["weights"][f"{layer}/gain"]
        np.testing.assert_allclose(gain, np.sqrt((kernel**2).sum(0)), rtol=1e-12)
    assert "logits/gain" not in weights["weights"]


@pytest.mark.parametrize("network", [MLP, CNN], ids=["mlp", "cnn"])
@BACKENDS
def test_the_first_batch_is_standardized_layer_by_layer(backend, network):
    answer = begun(backend, *network, PLAIN, FROM_DATA)
    assert len(answer["seen"]) == (2 if network is MLP else 6)
    for values in answer["seen"].values():
        axes = tuple(range(values.ndim - 1))
        np.testing.assert_allclose(values.mean(axes), 0, atol=1e-9)
        np.testing.assert_allclose(values.var(axes), 1, atol=1e-9)


@BACKENDS
def test_where_a_normalization_has_the_bias_only_the_scale_is_fitted(backend):
    words = (*MLP, "normalization=layer", FROM_DATA)
    weights, config = begun(backend, *words)["weights"], compose(list(words)).config
    assert "hidden_1/bias" not in weights
    training = numpy_training.Training(config, data.load(config.data), weights)
    values, _ = training.batch(0)
    for layer in training.network.layers:
        values = layer.forward(values, True)
        if "gain" in layer.weights:
            np.testing.assert_allclose(values.var(0), 1, atol=1e-9)
            assert np.abs(values.mean(0)).max() > 0.1


def test_both_backends_begin_from_data_alike():
    first, second = (begun(b, *CNN, PLAIN, FROM_DATA)["weights"] for b in ("tensorflow", "jax"))
    for path, value in first.items():
        np.testing.assert_allclose(second[path], value, rtol=1e-9, atol=1e-12, err_msg=path)


@BACKENDS
def test_the_largest_singular_value_is_1_after_50_steps_at_fixed_weights(backend):
    words = (*MLP, PLAIN, SPECTRAL, "learning_rate=1e-30")
    before, after = (ask("trained", words, steps, backend=backend)["after"] for steps in (1, 50))
    for layer in ("hidden_1", "hidden_2"):
        kernel, u = (after[f"{layer}/{name}"] for name in ("kernel", "singular_vector"))
        np.testing.assert_array_equal(before[f"{layer}/kernel"], kernel)
        unit = kernel / np.linalg.norm(kernel @ u)
        assert np.linalg.norm(unit, ord=2) == pytest.approx(1, rel=0.01)
        assert np.linalg.norm(u) == pytest.approx(1)
    earlier = before["hidden_1/kernel"] @ before["hidden_1/singular_vector"]
    assert np.linalg.norm(earlier) < 0.98 * np.linalg.norm(after["hidden_1/kernel"], ord=2)


def test_the_gain_takes_back_what_an_activation_makes_of_the_variance():
    """ReLU of a standard normal number has variance (1 - 1/pi) / 2."""
    assert gain_of("relu") == pytest.approx(np.sqrt(2 / (1 - 1 / np.pi)), rel=1e-15)
    assert gain_of("relu") == pytest.approx(1.7129, abs=1e-4) and gain_of("linear") == 1
    z = np.linspace(-12, 12, 400_001)
    density = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    functions = {
        "sigmoid": 1 / (1 + np.exp(-z)),
        "tanh": np.tanh(z),
        "elu": np.where(z > 0, z, np.exp(z) - 1),
        "gelu": z * np.cumsum(density),
    }
    for name, values in functions.items():
        variance = density @ values**2 - (density @ values) ** 2
        assert gain_of(name) == pytest.approx(1 / np.sqrt(variance), rel=1e-4), name


def test_standardized_weights_sum_to_0_and_their_squares_to_that_of_the_gain():
    layer = WeightStandardizedDense(7, gain=gain_of("relu"))
    layer.build((None, 50))
    drawn = np.random.default_rng(0).normal(0.3, 2, (50, 7)).astype("float32")
    layer.trainable_variables[0].assign(drawn)
    weights = np.asarray(layer.kernel, np.float64)
    np.testing.assert_allclose(weights.sum(0), 0, atol=1e-6)
    np.testing.assert_allclose((weights**2).sum(0), 2 / (1 - 1 / np.pi), rtol=1e-6)
    # Rectified normal inputs, whatever W is: mean 0 and variance 1 behind the layer.
    inputs = np.maximum(np.random.default_rng(1).standard_normal((40_000, 50)), 0)
    outputs = inputs @ weights
    np.testing.assert_allclose(outputs.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(outputs.var(0), 1, rtol=0.05)


def test_standardized_weights_need_an_activation_that_is_known(tmp_path, monkeypatch):
    (tmp_path / "my_activations.py").write_text("def double(values):\n    return 2 * values\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="expected one of relu, sigmoid"):
        compose([*MLP, PLAIN, STANDARDIZED, "activation=my_activations:double"])


@pytest.mark.parametrize("kind", [WEIGHT, SPECTRAL])
@pytest.mark.parametrize("mode", ["batch", "frozen"])
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_probe_differentiates_twice(backend, mode, kind):
    answer = ask("curved", (*MLP, MEAN_ONLY, kind), mode, backend=backend)
    scale = np.abs(answer["slope"]).max()
    assert scale > 0.01
    np.testing.assert_allclose(answer["product"], answer["slope"], atol=1e-5 * scale)
    assert answer["undisturbed"]


@pytest.mark.parametrize("kind", [FROM_DATA, SPECTRAL])
def test_members_of_one_program_begin_and_train_as_alone(kind):
    members = [("seed=0",), ("seed=1", "initializer.scale=0.5")]
    own = set()
    for together, alone in ask("as_one_program", (*MLP, MEAN_ONLY, kind), members, backend="jax"):
        assert together.keys() == alone.keys()
        for path, value in alone.items():
            np.testing.assert_allclose(together[path], value, rtol=1e-9, atol=1e-9, err_msg=path)
        name = "gain" if kind == FROM_DATA else "singular_vector"
        own.add(float(alone[f"model/hidden_1/{name}"][0]))
    assert len(own) > 1


@pytest.mark.parametrize("kind", [FROM_DATA, SPECTRAL])
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_resumed_run_is_the_uninterrupted_one(backend, kind):
    words = (*MLP, MEAN_ONLY, kind, "train_steps=20", "checkpoint_every=10", "evaluate_every=10")
    whole, resumed = (ask("recorded", words, stop, backend=backend)["after"] for stop in (None, 10))
    for path, value in whole.items():
        np.testing.assert_array_equal(resumed[path], value, err_msg=path)


def test_a_separable_convolution_is_refused():
    config = compose(["model=inception", "model.width=0.02", WEIGHT]).config.accelerated()
    with pytest.raises(ConfigError, match=r"reparametrization=weight with convolution_1, a separ"):
        models.build(config, (96, 96, 3), 10)
    network = models.build(config, (32, 32, 3), 10)
    kinds = [isinstance(layer, WeightNormalized) for layer in network.model.layers]
    assert sum(kinds) == len(network.pre_activations)
