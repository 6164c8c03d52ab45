"""The families of `keras.applications`: sizes, names, initial weights, some steps of training."""

import json
from functools import cache

import keras
import numpy as np
import pytest
from runs import finish, only_directory

import bnrepro
from bnrepro import data, models
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.config.names import APPLICATIONS, APPLICATIONS_WITHOUT_BATCH_NORMALIZATION
from bnrepro.models import application
from bnrepro.models.graph import walk_as_it_is

DIGITS = (8, 8, 1)
SMALL = ("MobileNetV2", "ResNet50V2")
BATCH_NORMALIZATION = keras.layers.BatchNormalization


def config(family, *words):
    words = ["model=application", f"model.application={family}", *words]
    return compose(words).config.accelerated()


def build(family, *words, shape=DIGITS):
    return models.build(config(family, *words), shape, 10)


@cache
def built(family, *words):
    return build(family, *words)


@cache
def kerass_own(family):
    """The layers that have weights, those within others too, and the number of parameters."""
    with application._without_drawing():
        model = getattr(keras.applications, family)(weights=None, classes=10)
    layers = [each for each in model._flatten_layers(include_self=False) if each.weights]
    return [each for each in layers if not isinstance(each, keras.Sequential)], model.count_params()


def of_kind(layers, *kinds):
    return [layer for layer in layers if isinstance(layer, kinds)]


def biases_to_add(layers):
    """A bias for each feature map of a layer that has none."""
    return sum(layer.kernel.shape[-1] for layer in without_bias(layers, keras.layers.Conv2D)) + sum(
        layer.kernel.shape[-2] for layer in without_bias(layers, keras.layers.DepthwiseConv2D)
    )


def without_bias(layers, kind):
    return [each for each in layers if type(each) is kind and not each.use_bias]


def paths(network):
    return [variable.path for variable in network.model.variables]


def kernels(network):
    weights = network.model.trainable_variables
    return {w.path: np.asarray(w) for w in weights if w.name.endswith("kernel")}


def test_the_names_are_those_of_keras():
    functions = [name for name, each in vars(keras.applications).items() if callable(each)]
    assert sorted(APPLICATIONS) == sorted(name for name in functions if not name.startswith("_"))
    assert len(set(APPLICATIONS)) == 40


@pytest.mark.parametrize(("family", "normalizations"), [("MobileNetV2", 52), ("ResNet50V2", 49)])
def test_with_batch_normalization_it_is_the_family(family, normalizations):
    network = built(family)
    own, parameters = kerass_own(family)
    layers = network.model.layers
    assert network.model.count_params() == parameters
    assert len([each for each in layers if each.weights]) == len(own)
    assert len(network.batch_normalizations) == normalizations
    assert len(of_kind(own, BATCH_NORMALIZATION)) == normalizations
    for layer in network.batch_normalizations:
        assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)
    assert network.pre_activations and not network.is_dense and network.random_states == []


@pytest.mark.parametrize("family", SMALL)
def test_without_it_every_layer_has_a_bias(family):
    network = built(family, "bn=none")
    own, parameters = kerass_own(family)
    removed = sum(each.count_params() for each in of_kind(own, BATCH_NORMALIZATION))
    assert network.model.count_params() == parameters - removed + biases_to_add(own)
    assert network.batch_normalizations == []
    assert all(each.use_bias for each in network.model.layers if hasattr(each, "kernel"))


@pytest.mark.parametrize("family", SMALL)
def test_another_layer_stands_in_its_place_and_the_kernels_stay(family):
    network, usual = built(family, "normalization=group"), built(family)
    replaced = of_kind(network.model.layers, keras.layers.GroupNormalization)
    names = [layer.name for layer in usual.batch_normalizations]
    assert [layer.name for layer in replaced] == names
    kernels_before = [path.removesuffix("/kernel") for path in kernels(usual)]
    behind_kernels = [name for name in names if name.removesuffix("_normalization") != name]
    assert {name.removesuffix("_normalization") for name in behind_kernels} <= {*kernels_before}
    # ResNet50V2 normalizes what enters each of its 16 blocks, and what leaves the last.
    others = [f"normalization_{n}" for n in range(1, 18 if family == "ResNet50V2" else 1)]
    assert [name for name in names if name not in behind_kernels] == others
    # Its moving averages are all that batch normalization has more.
    moving = [v for v in usual.model.non_trainable_variables if v.name.startswith("moving")]
    assert paths(network) == [path for path in paths(usual) if "/moving_" not in path]
    assert usual.model.count_params() - network.model.count_params() == sum(
        np.prod(v.shape) for v in moving
    )
    expected = kernels(usual)
    for path, kernel in kernels(network).items():
        np.testing.assert_array_equal(kernel, expected[path])


def test_a_second_network_of_one_process_begins_as_the_first():
    first, second = built("MobileNetV2"), build("MobileNetV2")
    assert paths(first) == paths(second)
    assert len(set(paths(first))) == len(paths(first))
    for one, other in zip(first.model.variables, second.model.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert all(np.std(kernel) > 0 for kernel in kernels(first).values())


def test_a_kernel_within_channels_begins_by_the_inputs_of_one_channel():
    layers = of_kind(built("MobileNetV2").model.layers, keras.layers.DepthwiseConv2D)
    drawn = np.concatenate([np.asarray(layer.kernel).ravel() for layer in layers])
    # He: variance 2 / fan_in, and each output sums 3 x 3 values.
    assert len(layers) == 17 and np.std(drawn) == pytest.approx(np.sqrt(2 / 9), rel=0.02)


def test_kerass_layers_draw_again_afterwards():
    built("MobileNetV2")
    assert np.std(np.asarray(keras.initializers.HeNormal(seed=1)((3, 3)))) > 0


# What it is given.


def prepared(family, images, standardized=False):
    symbolic = keras.Input(images.shape[1:])
    function = getattr(keras.applications, family)
    model = keras.Model(symbolic, application._prepared(symbolic, function, standardized))
    return np.asarray(keras.ops.convert_to_tensor(model(images)))


def pixels(size=8, channels=3):
    return np.random.default_rng(0).random((2, size, size, channels)).astype("float32")


@pytest.mark.parametrize(("family", "size"), [("VGG16", 32), ("Xception", 72), ("InceptionV3", 80)])
def test_small_grey_images_are_enlarged_and_have_three_channels(family, size):
    images = pixels(channels=1)
    given = prepared(family, images, standardized=True)
    each = np.repeat(np.repeat(images, size // 8, axis=1), size // 8, axis=2)
    np.testing.assert_allclose(given, np.repeat(each, 3, axis=3), rtol=1e-6)
    large = pixels(size=96)
    np.testing.assert_array_equal(prepared(family, large, standardized=True), large)


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("ResNet50V2", lambda x: 2 * x - 1),
        ("DenseNet121", lambda x: (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        # Blue before red, without the change of order.
        ("VGG16", lambda x: 255 * x - [103.939, 116.779, 123.68]),
        ("EfficientNetB0", lambda x: 255 * x),
        ("MobileNetV3Small", lambda x: 255 * x),
        ("ConvNeXtTiny", lambda x: 255 * x),
    ],
)
def test_pixels_are_in_the_range_that_the_family_expects(family, expected):
    images = pixels(size=32)
    np.testing.assert_allclose(prepared(family, images), expected(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["ResNet50V2", "EfficientNetB0", "MobileNetV3Small"])
def test_standardized_images_reach_the_first_convolution_as_they_are(family):
    images = pixels(size=32)
    graph = walk_as_it_is(build(family, "input_normalization=true", shape=(32, 32, 3)).model)
    before = next(tensor for layer, tensor in graph.calls if hasattr(layer, "kernel"))
    seen = np.asarray(keras.ops.convert_to_tensor(keras.Model(graph.model.input, before)(images)))
    padding = (seen.shape[1] - 32) // 2
    inner = seen[:, padding : padding + 32, padding : padding + 32]
    np.testing.assert_allclose(inner, images, rtol=1e-5)


def test_dropout_is_that_of_the_config_before_the_classifier():
    network = built("MobileNet", "dropout=0.4")
    (random,) = network.random_states
    assert random.path.startswith("dropout")
    names = [layer.name for layer in network.model.layers]
    assert names.index("dropout") == names.index("logits") - 1


def test_an_activation_within_a_layer_becomes_one_that_is_watched():
    network = built("VGG16", "bn=none")
    assert len(network.pre_activations) == 15
    assert network.model.count_params() == kerass_own_at_32("VGG16")


def kerass_own_at_32(family):
    with application._without_drawing():
        own = getattr(keras.applications, family)(weights=None, classes=10, input_shape=(32, 32, 3))
    return own.count_params()


# What is refused.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=application"], "without model.application: expected a family"),
        (["model.application=VGG16"], "with model=mlp: expected model=application"),
        (["+", "placement=after"], "expected the family's own places; use placement=before"),
        (["+", "activation=tanh"], "activation=tanh with model=application: expected relu"),
        (["+", "model.width=0.5"], "model.width=0.5 with model=application: expected 1.0"),
        (["+", "model.hidden_layers=2"], "expected 1, since families"),
        (["+", "lrn=true"], "lrn=True with model=application: expected false"),
        (["+", "reparametrization=weight"], "expected null, since families"),
        (["+", "model.application=VGG16"], "VGG16, which has no batch normalization"),
        (["+", "model.application=ResNet"], "model.application=ResNet: expected one of"),
    ],
)
def test_what_a_family_cannot_be_is_refused_in_a_line(words, message):
    if words[0] == "+":
        words = ["model=application", "model.application=MobileNetV2", *words[1:]]
    with pytest.raises(ConfigError) as raised:
        compose(words)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_groups_of_one_value_are_refused():
    with pytest.raises(ConfigError, match="a group of one value per example"):
        build("MobileNetV2", "normalization=instance")


# Every family, and trainings.


@pytest.mark.slow
@pytest.mark.parametrize("family", APPLICATIONS)
def test_every_family_has_the_parameters_of_keras(family):
    keras.backend.clear_session()
    without = family in APPLICATIONS_WITHOUT_BATCH_NORMALIZATION
    network = build(family, *(["bn=none"] if without else []), shape=(224, 224, 3))
    own, parameters = kerass_own(family)
    kerass_own.cache_clear()
    assert network.model.count_params() == parameters
    ours = [each for each in network.model.layers if each.weights]
    assert sorted(map(kind, ours)) == sorted(map(kind, own))
    number = len(of_kind(own, BATCH_NORMALIZATION))
    assert len(network.batch_normalizations) == number
    assert (number == 0) == without


def kind(layer):
    return "batch" if isinstance(layer, BATCH_NORMALIZATION) else type(layer).__name__


# Keras's own saving with NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.slow
def test_what_lies_within_other_layers_is_kept(tmp_path):
    """ConvNeXt's layers in sequences and its learned factors; its steps take minutes on a CPU."""
    network = build("ConvNeXtTiny", "bn=none")
    whole = models.from_pixels(network.model, np.zeros(1), np.ones(1), "float32")
    whole.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(whole.variables, loaded.variables, strict=True):
        assert one.path == other.path
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


TRAINED = {
    "MobileNetV2": (),
    "ResNet50V2": ("normalization=group",),
    "EfficientNetB0": (),  # branches that weigh feature maps, pixels that it scales itself
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize("family", TRAINED)
def test_some_steps_are_trained_go_on_and_are_kept(family, backend, tmp_path):
    words = [f"model.application={family}", *TRAINED[family], f"backend={backend}", "threads=1"]
    words = ["model=application", *words, "batch_size=8", "keep_checkpoint=true"]
    words = [*words, "evaluate_every=2", "data.train_examples=80", "tensorboard=false"]
    finish(tmp_path / "once", *words, "train_steps=4")
    finish(tmp_path / "twice", *words, "train_steps=2")
    begun = only_directory(tmp_path / "twice")
    finish(tmp_path / "twice", *words, "train_steps=4")
    (further,) = set(tmp_path.glob("twice/runs/*/seed_0")) - {begun}
    whole, continued = record(only_directory(tmp_path / "once")), record(further)
    assert continued["continued_from"] and continued["weights_digest"] == whole["weights_digest"]
    assert whole["status"] == "completed"
    model = bnrepro.load_model(further)
    split = data.load(compose(words).config.data).evaluation
    likeliest = np.argmax(np.asarray(model(split.images)), axis=1)
    accuracy = np.mean(likeliest == split.labels)
    assert accuracy == pytest.approx(continued["final_accuracy"], abs=0.01)


def record(directory):
    return json.loads((directory / "record.json").read_text())
