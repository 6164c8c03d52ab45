"""The networks: their sizes, the order of their parts, their initial weights.

`KERAS_BACKEND` chooses the backend; `test_normalization_jax.py` runs this file under JAX.
"""

import math
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from bnrepro import models
from bnrepro.config import DENSE_MODELS, INITIALIZERS, MODELS
from bnrepro.config.composition import compose
from bnrepro.models import from_pixels, initializers
from bnrepro.models.local_response import LocalResponseNormalization

DIGITS, CIFAR, IMAGENET = (8, 8, 1), (28, 28, 3), (224, 224, 3)
PLACEMENTS = ("none", "before", "after")
# Those of Keras's are in `test_application.py`, more of the recurrent one in `test_lstm.py`.
OF_UNITS = [name for name in MODELS if name not in ("application", "lstm")]


def build(*words, shape=DIGITS, classes=10):
    return models.build(compose(list(words)).config.accelerated(), shape, classes)


def num_parameters(model):
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def array(tensor):
    return np.asarray(keras.ops.convert_to_tensor(tensor)).copy()


def images(shape=DIGITS, batch=6):
    return np.random.default_rng(0).random((batch, *shape)).astype("float32")


def kernels(network):
    return {
        variable.path: array(variable)
        for variable in network.model.trainable_variables
        if variable.name.endswith("kernel")
    }


def tap(network, tensors, batch):
    """Inner values of the network in training."""
    return [array(x) for x in keras.Model(network.model.input, tensors)(batch, training=True)]


def test_a_network_knows_whether_it_convolves_and_what_draws_at_random():
    for model in (*OF_UNITS, "lstm"):
        network = build(f"model={model}", "model.width=0.1", "dropout=0.4")
        convolutions = [layer for layer in network.model.layers if "Conv" in type(layer).__name__]
        assert network.is_dense == (not convolutions) == (model in DENSE_MODELS)
        (random,) = network.random_states
        assert random.path.startswith("dropout")
    assert build("model=mlp", "dropout=0").random_states == []


# Sizes.


@pytest.mark.parametrize(
    ("words", "shape", "classes", "sizes"),
    [
        # 784 * 100 + 2 * 100 * 100 + 100 * 10 weights, 310 biases; beta is the bias before the
        # activation.
        (("model=mlp",), (28, 28, 1), 10, (99_710, 100_010, 100_310)),
        (("model=cnn",), (28, 28, 1), 10, (156_650, 157_098, 157_546)),
        # 3 x 3 x (3 * 64 + 64 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 3 * 512 * 512) weights of
        # convolutions, 2 * 512 * 512 + 512 * 10 of dense layers, 3,776 units and 10 classes.
        (("model=vgg_a", "model.width=1"), (32, 32, 3), 10, (9_750_922, 9_754_698, 9_758_474)),
        # Printed by Zhang et al. 2017: 1,649,402, with one offset for each of 1,712 feature maps.
        (("model=inception", "model.width=1"), CIFAR, 10, (1_649_402, 1_651_114, 1_652_826)),
    ],
    ids=["mlp", "cnn", "vgg_a", "inception"],
)
def test_parameters_are_counted(words, shape, classes, sizes):
    for placement, size in zip(PLACEMENTS, sizes, strict=True):
        variant = "none" if placement == "none" else "x1"
        network = build(
            *words, f"bn={variant}", f"placement={placement}", shape=shape, classes=classes
        )
        assert num_parameters(network.model) == size


def test_the_papers_network_follows_its_table():
    """11.3 million parameters with 1000 classes, whatever the text says (13.6 million)."""
    network = build("model=inception", "model.width=1", shape=IMAGENET, classes=1000)
    assert num_parameters(network.model) == 11_278_528
    expected = {
        "convolution_1": (112, 112, 64),
        "convolution_2": (56, 56, 192),
        "inception_3a_concatenate": (28, 28, 256),
        "inception_3b_concatenate": (28, 28, 320),
        "inception_3c_concatenate": (14, 14, 576),
        "inception_4a_concatenate": (14, 14, 576),
        "inception_4b_concatenate": (14, 14, 576),
        "inception_4c_concatenate": (14, 14, 608),
        "inception_4d_concatenate": (14, 14, 608),
        "inception_4e_concatenate": (7, 7, 1056),
        "inception_5a_concatenate": (7, 7, 1024),
        "inception_5b_concatenate": (7, 7, 1024),
        "average_pool": (1024,),
    }
    shapes = {name: network.model.get_layer(name).output.shape[1:] for name in expected}
    assert shapes == expected
    assert network.model.get_layer("convolution_1").depth_multiplier == 8


def test_the_papers_network_without_normalization_has_a_bias_for_each_feature_map():
    network = build("model=inception", "model.width=1", "bn=none", shape=IMAGENET, classes=1000)
    assert num_parameters(network.model) == 11_268_512


@pytest.mark.parametrize(("size", "name"), [(95, "inception_10_1x1"), (96, "inception_5b_1x1")])
def test_the_inception_is_the_papers_from_96_pixels_on(size, name):
    network = build("model=inception", "model.width=0.02", shape=(size, size, 3))
    assert name in network.pre_activations


@pytest.mark.parametrize(("width", "units"), [(0.001, 1), (0.234, 23), (2, 200)])
def test_the_width_multiplies_the_units_and_leaves_at_least_one(width, units):
    network = build("model=mlp", f"model.width={width}")
    assert {x.shape[-1] for x in network.pre_activations.values()} == {units}


def test_the_number_of_hidden_layers_is_the_configs():
    network = build("model=mlp", "model.hidden_layers=5")
    assert list(network.pre_activations) == [f"hidden_{layer}" for layer in range(1, 6)]


@pytest.mark.parametrize("model", OF_UNITS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "float64"])
def test_logits_are_of_full_precision(model, precision):
    keras.config.set_floatx("float64" if precision == "float64" else "float32")
    keras.config.set_dtype_policy(precision)
    try:
        network = build(f"model={model}", "model.width=0.1", "lrn=true", "dropout=0.4", classes=7)
        logits = network.model(images(), training=True)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    assert logits.shape == (6, 7)
    assert np.isfinite(array(logits)).all()
    assert keras.backend.standardize_dtype(network.model.outputs[0].dtype) == (
        "float64" if precision == "float64" else "float32"
    )


# Order.


# Between normalization and activation of a residual network stands a shortcut's sum.
@pytest.mark.parametrize("model", [name for name in OF_UNITS if name != "resnet"])
def test_normalization_stands_before_the_activation(model):
    network = build(f"model={model}", "model.width=0.1", "activation=relu")
    assert len(network.batch_normalizations) == len(network.pre_activations)
    for values in tap(network, list(network.pre_activations.values()), images(batch=16)):
        axes = tuple(range(values.ndim - 1))
        np.testing.assert_allclose(values.mean(axes), 0, atol=1e-4)
        assert values.min() < 0


def test_normalization_stands_after_the_activation_where_that_is_asked():
    network = build("model=mlp", "placement=after", "activation=sigmoid")
    batch = images(batch=16)
    seen = tap(network, network.normalization_inputs, batch)
    before = tap(network, list(network.pre_activations.values()), batch)
    for inputs, pre_activation in zip(seen, before, strict=True):
        np.testing.assert_allclose(inputs, 1 / (1 + np.exp(-pre_activation)), rtol=1e-5)
    outputs = [layer.output for layer in network.batch_normalizations]
    for values in tap(network, outputs, batch):
        np.testing.assert_allclose(values.mean(0), 0, atol=1e-4)


def test_there_is_no_normalization_without_placement():
    network = build("model=cnn", "bn=none")
    assert network.batch_normalizations == network.normalization_inputs == []
    assert len(network.pre_activations) == 6


@pytest.mark.parametrize(
    ("words", "biased"),
    [
        (("placement=before",), False),
        (("placement=before", "batch_normalization.beta=false"), True),
        (("placement=after",), True),
        (("bn=none",), True),
    ],
)
def test_only_a_beta_directly_after_the_weights_replaces_their_bias(words, biased):
    for model in OF_UNITS:
        network = build(f"model={model}", "model.width=0.1", *words)
        hidden = [network.model.get_layer(name) for name in network.pre_activations]
        assert {layer.use_bias for layer in hidden} == {biased}
        assert network.model.get_layer("logits").use_bias


def test_the_inputs_of_the_batch_normalizations_are_in_their_order():
    network = build("model=inception", "model.width=0.1")
    for layer, tensor in zip(
        network.batch_normalizations, network.normalization_inputs, strict=True
    ):
        assert layer.input is tensor
        assert layer.moving_mean.shape[0] == tensor.shape[-1]


@pytest.mark.parametrize(
    ("model", "shape", "last"),
    [
        ("inception", DIGITS, ["inception_10_1x1", "inception_10_3x3"]),
        ("inception", (96, 96, 3), 7 * ["inception_5b"]),
        ("cnn", DIGITS, ["hidden_1"]),
        ("vgg_a", DIGITS, ["hidden_2"]),
    ],
)
def test_only_the_last_hidden_layer_is_per_activation_where_that_is_asked(model, shape, last):
    word = "batch_normalization.statistics=per_activation_last"
    network = build(f"model={model}", "model.width=0.05", word, shape=shape)
    found = [
        layer.name.removesuffix("_normalization")
        for layer in network.batch_normalizations
        if type(layer).__name__ == "PerActivationBatchNormalization"
    ]
    assert len(found) == len(last)
    assert all(name.startswith(start) for name, start in zip(found, last, strict=True))


def test_every_convolution_is_per_activation_where_that_is_asked():
    network = build("model=cnn", "batch_normalization.statistics=per_activation")
    sizes = [layer.moving_mean.shape[0] for layer in network.batch_normalizations]
    assert sizes == [8 * 8 * 32, 8 * 8 * 32, 4 * 4 * 64, 4 * 4 * 64, 2 * 2 * 128, 128]


# Paths, dropout, files.


@pytest.mark.parametrize("model", [*OF_UNITS, "lstm"])
def test_a_network_built_again_has_the_same_paths(model):
    words = (f"model={model}", "model.width=0.1", "dropout=0.4", "normalization=batch_renorm")
    first, second = (build(*words).model.variables for _ in range(2))
    paths = [variable.path for variable in first]
    assert paths == [variable.path for variable in second]
    assert len(set(paths)) == len(paths)


def test_dropout_stands_before_the_last_layer_and_acts_in_training_only():
    model = build("model=mlp", "dropout=0.4", "bn=none").model
    assert [layer.name for layer in model.layers[-2:]] == ["dropout", "logits"]
    batch = images()
    inference = array(model(batch, training=False))
    np.testing.assert_array_equal(array(model(batch, training=False)), inference)
    assert np.abs(array(model(batch, training=True)) - inference).max() > 1e-3


def test_dropout_keeps_a_share_and_scales_it_up():
    network = build("model=mlp", "dropout=0.4")
    ones = np.ones((200, 100), "float32")
    dropped = array(network.model.get_layer("dropout")(ones, training=True))
    assert set(np.unique(dropped.round(4))) == {0.0, np.float32(1.6667)}
    assert abs((dropped == 0).mean() - 0.4) < 0.02


# Keras's own saving with NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    "normalization", ["batch", "batch_renorm", "noisy_batch", "linf_norm", "group"]
)
def test_a_saved_model_is_the_same_when_loaded(normalization, tmp_path):
    words = ("model=inception", "model.width=0.05", f"normalization={normalization}", "lrn=true")
    model = build(*words, "dropout=0.4").model
    assert_is_the_same_when_loaded(model, tmp_path)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_a_saved_recurrent_model_is_the_same_when_loaded(normalization, tmp_path):
    words = ("model=lstm", "model.normalize=both", f"normalization={normalization}")
    assert_is_the_same_when_loaded(build(*words, "model.width=0.05").model, tmp_path)


def assert_is_the_same_when_loaded(model, folder):
    model(images(), training=True)
    model.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    np.testing.assert_array_equal(array(loaded(images())), array(model(images())))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_offsets_are_read_off_a_saved_model(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parent.parent / "scripts")
    from normalization_offsets import offsets

    network = build("model=mlp", "bn=x1", "batch_normalization.epsilon=1")
    first, *others = network.batch_normalizations
    first.moving_mean.assign(np.linspace(-6, -2, 100))
    first.moving_variance.assign(np.full(100, 3.0))
    from_pixels(network.model, np.zeros(1), np.ones(1), "float32").save(tmp_path / "model.keras")
    assert list(offsets(tmp_path)) == [
        (first.name, pytest.approx(2.0)),
        *((layer.name, 0.0) for layer in others),
    ]


# Initial weights.


def test_variants_of_a_seed_have_the_same_kernels():
    words = ("model=inception", "model.width=0.1", "seed=3")
    first = kernels(build(*words, "bn=none"))
    variants = [("bn=x5",), ("placement=after",), ("normalization=layer",), ("activation=linear",)]
    for variant in variants:
        second = kernels(build(*words, *variant))
        assert first.keys() == second.keys()
        for path, kernel in first.items():
            np.testing.assert_array_equal(second[path], kernel)


def test_other_seeds_have_other_kernels_and_initial_weights_gives_them():
    config = compose(["model=mlp", "seed=1"]).config
    network = models.build(config, DIGITS, 10)
    values = models.initial_weights(network.model, replace(config, seed=2))
    other = models.build(replace(config, seed=2), DIGITS, 10)
    for value, variable in zip(values, other.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(value, array(variable))
    assert np.abs(values[0] - array(network.model.trainable_variables[0])).min() > 0


def test_gamma_begins_at_1_and_beta_and_biases_at_0():
    for variable in build("model=cnn", "placement=after").model.trainable_variables:
        if not variable.name.endswith("kernel"):
            assert set(np.unique(array(variable))) == {1.0 if variable.name == "gamma" else 0.0}


@pytest.mark.parametrize(
    ("words", "deviations"),
    [
        (("initializer=gaussian", "initializer.scale=0.03"), (0.03, 0.03)),
        (("initializer=glorot",), (math.sqrt(2 / 864), math.sqrt(2 / 256))),
        (("initializer=he", "initializer.scale=0.5"), (math.sqrt(1 / 288), math.sqrt(1 / 128))),
        (("initializer=uniform", "initializer.scale=0.3"), (0.3 / math.sqrt(3),) * 2),
    ],
    ids=["gaussian", "glorot", "he", "uniform"],
)
def test_kernels_have_the_deviation_of_their_distribution(words, deviations):
    drawn = kernels(build("model=cnn", *words, "initializer.convolution_gain=2"))
    convolution, dense = drawn["convolution_3/kernel"], drawn["hidden_1/kernel"]  # (3, 3, 32, 64)
    np.testing.assert_allclose(convolution.std(), 2 * deviations[0], rtol=0.03)
    np.testing.assert_allclose(dense.std(), deviations[1], rtol=0.03)
    np.testing.assert_allclose(dense.mean(), 0, atol=0.05 * deviations[1])
    if "uniform" in words[0]:
        assert 0.29 < np.abs(dense).max() <= 0.3
    else:  # not truncated
        assert np.abs(dense).max() > 3 * deviations[1]


def test_orthogonal_kernels_are_orthogonal():
    words = ("model=cnn", "model.width=0.5", "initializer=orthogonal", "initializer.scale=1.5")
    for kernel in kernels(build(*words)).values():
        matrix = kernel.reshape(-1, kernel.shape[-1])
        rows, columns = matrix.shape
        product = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
        np.testing.assert_allclose(product, 1.5**2 * np.eye(min(rows, columns)), atol=1e-5)


def test_the_fans_of_a_depthwise_kernel_are_those_of_one_channel():
    network = build("model=inception", "model.width=0.1", shape=(96, 96, 3))
    kernel = network.model.get_layer("convolution_1").depthwise_kernel
    assert initializers._depthwise_kernels(network.model) == {kernel.path}
    assert initializers._fans((7, 7, 3, 8), is_depthwise=True) == (49, 49 * 8)


def test_names_in_the_config_are_the_implementations():
    assert set(initializers._INITIALIZERS) == set(INITIALIZERS)
    assert set(models._FEATURES) == {*OF_UNITS, "lstm"}


# Local response normalization.


def test_local_response_normalization_follows_its_formula():
    values = np.random.default_rng(0).normal(0, 30, (2, 3, 3, 7))
    expected = np.zeros_like(values)
    for channel in range(7):
        near = values[..., max(0, channel - 2) : channel + 3]
        expected[..., channel] = values[..., channel] / (2 + 1e-4 * (near**2).sum(-1)) ** 0.75
    outputs = LocalResponseNormalization()(values.astype("float32"))
    np.testing.assert_allclose(array(outputs), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "count"), [("mlp", 0), ("cnn", 1), ("vgg_a", 1), ("inception", 1)]
)
def test_local_response_normalization_follows_the_first_convolution(model, count):
    layers = build(f"model={model}", "lrn=true").model.layers
    names = [layer.name for layer in layers]
    assert names.count("lrn") == count
    if count:
        assert names[names.index("lrn") - 1] == "convolution_1_activation"
