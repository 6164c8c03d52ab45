"""Weights of a file for a family of `keras.applications`, held to Keras's own network."""

import hashlib
import inspect
import json
from functools import cache

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from runs import finish, only_directory

import bnrepro
from bnrepro import models
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.models import application
from bnrepro.records import again
from bnrepro.records.run_directory import recorded_config, snapshot_path

# Keras's own saving with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PIXELS = (32, 32, 3)


def config(family, file, *words):
    words = [f"model.application={family}", f"model.weights_file={file}", *words]
    return compose(["model=application", *words]).config.accelerated()


def build(family, file, *words, classes=10):
    return models.build(config(family, file, *words), PIXELS, classes)


def kerass(family, **options):
    """Keras's own network, none of whose weights is what a layer begins with."""
    options = {"classes": 10, "input_shape": PIXELS, **options}
    if options.get("include_top", True):
        options["classifier_activation"] = None
    with application._without_drawing():
        model = getattr(keras.applications, family)(weights=None, **options)
    random = np.random.default_rng(0)
    for each in model.weights:
        if each.name.endswith("kernel"):
            drawn = random.standard_normal(each.shape) * np.sqrt(2 / np.prod(each.shape[:-1]))
        elif each.name in ("gamma", "moving_variance", "variance"):
            drawn = random.uniform(0.5, 1.5, each.shape)
        else:
            drawn = random.standard_normal(each.shape) * 0.1
        each.assign(drawn.astype(each.dtype))
    return with_statistics(model, preprocess(family))


def with_statistics(model, prepared):
    """Moving averages as of training, or what an image is is lost on the way to the logits."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    pixels = np.random.default_rng(2).integers(0, 256, (8, *model.input_shape[1:]))
    model(prepared(pixels.astype("float32")), training=True)
    return model


def differ(logits):
    """Whether they hang on the image, so that a comparison of them says something."""
    return np.std(logits, axis=0).mean() > 0.01 * np.abs(logits).max()


def keep(model, path):
    """As `model.save_weights` does, or as what Keras downloads is."""
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        with h5py.File(path, "w") as stored:
            save_weights_to_hdf5_group(stored, model)
    return path


@cache
def small_model():
    return kerass("MobileNetV2")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A file of MobileNetV2 with ten classes."""
    return keep(small_model(), tmp_path_factory.mktemp("weights") / "small.weights.h5")


def images():
    """Colours that are not grey, from 0 to 255."""
    drawn = np.random.default_rng(1).integers(0, 256, (4, *PIXELS))
    return (drawn * [1.0, 0.6, 0.3]).astype("uint8").astype("float32")


def logits(network):
    return np.asarray(keras.ops.convert_to_numpy(network.model(images() / 255)))


def preprocess(family):
    """The family's own function."""
    return inspect.getmodule(getattr(keras.applications, family)).preprocess_input


def kerass_logits(model, family):
    return np.asarray(keras.ops.convert_to_numpy(model(preprocess(family)(images().copy()))))


def epsilon_of(model):
    layers = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    return [f"batch_normalization.epsilon={layers[0].epsilon}"] if layers else ["bn=none"]


def close(network, model, family):
    ours, theirs = logits(network), kerass_logits(model, family)
    assert differ(theirs)
    np.testing.assert_allclose(ours, theirs, atol=2e-4 * np.abs(theirs).max())


def values(variables):
    return [keras.ops.convert_to_numpy(each) for each in variables]


def same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5"])
@pytest.mark.parametrize("family", ["MobileNetV2", "MobileNetV3Small"])
def test_the_network_is_kerass_own(family, name, tmp_path):
    model = kerass(family)
    network = build(family, keep(model, tmp_path / name), *epsilon_of(model))
    close(network, model, family)
    same(values(network.model.weights), values(model.weights))
    assert network.loaded.told == f"begins with {len(model.weights)} weights of model.weights_file"


FAMILIES = (
    "ResNet50",  # blue before red
    "VGG16",  # without batch normalization
    "DenseNet121",
    "InceptionV3",  # without gamma
    "NASNetMobile",
    "Xception",
    "EfficientNetB0",  # statistics of pixels are among its weights
    "EfficientNetV2B0",
    "ConvNeXtTiny",  # layers within layers, and one between pooling and classifier
)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_family_is_kerass_own(family, tmp_path):
    keras.backend.clear_session()
    size = {"InceptionV3": 75, "Xception": 71}.get(family, 32)
    model = kerass(family, input_shape=(size, size, 3))
    words = ["model=application", f"model.application={family}", *epsilon_of(model)]
    file = keep(model, tmp_path / "a.h5")
    recipe = compose([*words, f"model.weights_file={file}"]).config.accelerated()
    network = models.build(recipe, (size, size, 3), 10)
    given = np.random.default_rng(1).integers(0, 256, (2, size, size, 3)).astype("float32")
    theirs = model(preprocess(family)(given.copy()))
    theirs, ours = values([theirs, network.model(given / 255)])
    assert differ(theirs)
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
    notop = kerass(family, input_shape=(size, size, 3), include_top=False)
    file = keep(notop, tmp_path / "notop.h5")
    recipe = compose([*words, f"model.weights_file={file}"]).config.accelerated()
    network = models.build(recipe, (size, size, 3), 10)
    assert set(network.loaded.values) < {each.path for each in network.model.variables}
    assert len(network.loaded.values) == len(notop.weights)


@pytest.mark.slow
def test_imagenets_weights_of_efficientnet_are_rescaled_as_keras_does(tmp_path, monkeypatch):
    """In place of the download stands a file of ours; everything else is Keras's own."""
    size = (224, 224, 3)
    model = kerass("EfficientNetB0", classes=1000, input_shape=size)
    (layer,) = [each for each in model.layers if isinstance(each, keras.layers.Normalization)]
    layer.adapt_mean.assign([0.485, 0.456, 0.406])
    layer.adapt_variance.assign([0.229, 0.224, 0.225])
    layer.finalize_state()
    file = keep(model, tmp_path / "a.h5")
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *_, **__: str(file))
    theirs = keras.applications.EfficientNetB0(weights="imagenet", classifier_activation=None)
    network = models.build(config("EfficientNetB0", file, *epsilon_of(model)), size, 1000)
    given = np.random.default_rng(1).integers(0, 256, (2, *size)).astype("float32")
    ours, theirs, plain = values([network.model(given / 255), theirs(given), model(given)])
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())
    assert differ(theirs) and np.abs(plain - theirs).max() > 0.01 * np.abs(theirs).max()


@pytest.mark.parametrize("name", ["a.weights.h5", "a.h5"])
def test_a_file_without_a_classifier_leaves_it_at_its_own_start(name, tmp_path):
    model = kerass("MobileNetV2", include_top=False)
    network = build("MobileNetV2", keep(model, tmp_path / name))
    begun = models.build(
        compose(["model=application", "model.application=MobileNetV2"]).config.accelerated(),
        PIXELS,
        10,
    )
    same(values(network.model.weights[:-2]), values(model.weights))
    same(values(network.model.weights[-2:]), values(begun.model.weights[-2:]))
    assert "; anew: predictions" in network.loaded.told
    assert "batch_normalization.epsilon=0.001" in network.loaded.told


def test_another_number_of_classes_leaves_the_classifier_at_its_own_start(small):
    network = build("MobileNetV2", small, "seed=3", classes=7)
    same(values(network.model.weights[:-2]), values(small_model().weights[:-2]))
    kernel, bias = values(network.model.weights[-2:])
    assert kernel.shape == (1280, 7) and np.std(kernel) > 0 and not bias.any()
    begun = models.build(
        compose(
            ["model=application", "model.application=MobileNetV2", "seed=3"]
        ).config.accelerated(),
        PIXELS,
        7,
    )
    same([kernel], values(begun.model.weights[-2:-1]))


def test_layers_before_the_classifier_are_loaded_where_the_file_has_them(tmp_path):
    """MobileNetV3 has a convolution between pooling and classifier."""
    model = kerass("MobileNetV3Small", classes=20)
    network = build("MobileNetV3Small", keep(model, tmp_path / "a.h5"))
    same(values(network.model.weights[:-2]), values(model.weights[:-2]))
    assert "; anew: logits" in network.loaded.told


def test_a_whole_model_of_the_older_kind_and_any_name_are_read(tmp_path, small):
    small_model().save(tmp_path / "whole.h5")
    (tmp_path / "whole.h5").rename(tmp_path / "of any name")
    for file in (tmp_path / "of any name", small):
        network = build("MobileNetV2", file)
        same(values(network.model.weights), values(small_model().weights))


# What a run is called, and what it keeps.


def test_a_run_is_its_files_content(small, tmp_path):
    copy = tmp_path / "copy.h5"
    copy.write_bytes(small.read_bytes())
    words = ["model=application", "model.application=MobileNetV2"]
    one, other = (compose([*words, f"model.weights_file={each}"]) for each in (small, copy))
    assert one.name == other.name
    assert one.name == f"application-digits-x1-MobileNetV2-weights_{digest(small)[:8]}"
    assert one.config.model.weights == digest(small)
    copy.write_bytes(b"other")
    assert compose([*words, f"model.weights_file={copy}"]).name != one.name
    assert compose(words).name == "application-digits-x1-MobileNetV2"
    beginning = f"model.weights={digest(small)[:8]}"
    assert compose([*words, f"model.weights_file={small}", beginning]).name == one.name


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


TRAINING = ("batch_size=8", "keep_checkpoint=true", "evaluate_every=2", "data.train_examples=80")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_run_begins_with_them_and_keeps_no_path(backend, small, tmp_path, capsys):
    words = ["model=application", "model.application=MobileNetV2", f"model.weights_file={small}"]
    words += [*TRAINING, f"backend={backend}", "threads=1", "tensorboard=false", "snapshots=[0]"]
    finish(tmp_path / "once", *words, "train_steps=4")
    finish(tmp_path / "twice", *words, "train_steps=2")
    begun = only_directory(tmp_path / "twice")
    finish(tmp_path / "twice", *words, "train_steps=4")
    (further,) = set(tmp_path.glob("twice/runs/*/seed_0")) - {begun}
    once = only_directory(tmp_path / "once")
    whole, continued = (json.loads((each / "record.json").read_text()) for each in (once, further))
    assert continued["continued_from"] and continued["weights_digest"] == whole["weights_digest"]
    assert whole["config"]["model"]["weights"] == digest(small)
    for file in (once / "record.json", once / "config.yaml"):
        assert "weights_file: " not in file.read_text() and str(small) not in file.read_text()
    with np.load(snapshot_path(once, 0)) as stored:
        kernels = [stored[name] for name in stored.files if name.endswith("logits/kernel")]
    same(kernels, values(small_model().weights[-2:-1]))
    loaded = bnrepro.load_model(once)
    assert loaded.layers[2].count_params() == small_model().count_params()
    if backend == keras.config.backend():
        with pytest.raises(ConfigError, match="without model.weights_file"):
            bnrepro.load_engine(once)


# What is refused.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bn=none"], "the weights were trained behind batch normalization"),
        (["normalization=group"], "normalization=group with model.weights_file: expected batch"),
        (["input_normalization=true"], "since pixels come as the family's own preprocess_input"),
        (["batch_normalization.gamma=false"], "since the file has gammas"),
        (["batch_normalization.beta=false"], "since the file has betas"),
        (["batch_normalization.statistics=per_activation"], "those of the file are of feature"),
        (["model.weights=12345678"], "its content is"),
        (["model.weights=mine"], "expected the SHA-256 of a file"),
        (["model=cnn", "model.application=null"], "expected model=application"),
        (["model.weights_file=absent.h5"], "cannot be read (No such file or directory)"),
        (["model.weights_file=/"], "cannot be read (Is a directory)"),
    ],
)
def test_what_contradicts_is_refused_in_a_line(words, message, small):
    with pytest.raises(ConfigError) as raised:
        config("MobileNetV2", small, *words)
    assert message in str(raised.value) and "\n" not in str(raised.value)


def refused(family, file, classes=10):
    with pytest.raises(ConfigError) as raised:
        build(family, file, classes=classes)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_no_file_of_the_family_is_refused_in_a_line(small, tmp_path):
    assert "holds 262 weights; expected one of 208, 206, 210" in refused("MobileNetV3Small", small)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(small.read_bytes()[:-100_000])
    assert "damaged, or of another family" in refused("MobileNetV2", cut)
    cut.write_text("no weights")
    assert "damaged, or of another family" in refused("MobileNetV2", cut)
    with h5py.File(cut, "w") as stored:
        stored["other"] = [1.0]
    assert "damaged, or of another family" in refused("MobileNetV2", cut)


def test_weights_that_are_not_finite_or_of_another_shape_are_refused(tmp_path):
    file = keep(kerass("MobileNetV2", alpha=0.5), tmp_path / "narrow.weights.h5")
    assert "has no finite weights of the shape of Conv1" in refused("MobileNetV2", file)
    model = kerass("MobileNetV2")
    model.get_layer("Conv_1").kernel.assign(np.full((1, 1, 320, 1280), np.inf))
    file = keep(model, tmp_path / "infinite.h5")
    assert "has no finite weights of the shape of Conv_1" in refused("MobileNetV2", file)


def test_a_file_that_has_changed_since_is_refused(tmp_path, small):
    file = tmp_path / "a.h5"
    file.write_bytes(small.read_bytes())
    recipe = config("MobileNetV2", file)
    file.write_bytes(b"another")
    with pytest.raises(ConfigError, match="its content is"):
        models.build(recipe, PIXELS, 10)


def test_the_words_that_train_it_again_name_no_path(small):
    words = ["model=application", "model.application=MobileNetV2", f"model.weights_file={small}"]
    recorded = recorded_config(compose(words).config)
    assert again.words(recorded)[-2:] == [
        f"model.weights={digest(small)[:8]}",
        "model.weights_file=FILE",
    ]


# What it is given.


@pytest.mark.parametrize("family", ["ResNet50V2", "DenseNet121", "VGG16", "EfficientNetB0"])
def test_images_are_as_the_familys_own_function_gives_them_and_stay_so(family, tmp_path):
    function = getattr(keras.applications, family)
    symbolic = keras.Input(PIXELS)
    model = keras.Model(symbolic, application._prepared(symbolic, function, False, ordered=True))
    expected = preprocess(family)(images().copy())
    np.testing.assert_allclose(values([model(images() / 255)])[0], expected, rtol=1e-4, atol=1e-3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(*values([again(images() / 255), model(images() / 255)]))
