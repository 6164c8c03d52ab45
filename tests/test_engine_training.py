"""Training step by step: each backend against a whole training in NumPy, in float64."""

from functools import cache

import numpy as np
import numpy_network
import numpy_training
import pytest
from engine_process import BACKENDS, ask
from PIL import Image

from bnrepro import data
from bnrepro.config.composition import compose

STEPS = 12
SMALL = ("batch_size=20", "model.hidden_layers=2", "model.width=0.2")
MLP = ("model=mlp", *SMALL)
TRAININGS = {
    "after the activation, L2, momentum, a schedule, scaled inputs": (
        *MLP, "placement=after", "l2=0.003", "optimizer=momentum", "schedule=step",
        "schedule.decay_steps=5", "schedule.decay_rate=0.5", "input_normalization=true",
    ),
    "convolutions before the activation, distorted": (
        "model=cnn", "model.width=0.1", "l2=0.001", "optimizer=momentum", "distortion=1",
        "data.flip=true", "data.crop_padding=1",
    ),
    "a deep linear network, 10 units wide": (
        "model=mlp", "activation=linear", "model.hidden_layers=6", "model.width=0.1",
        "batch_size=20", "learning_rate=0.01", "initializer=glorot", "bn=none",
    ),
    "no normalization": (*MLP, "bn=none", "activation=tanh", "schedule=cosine",
                         "schedule.decay_steps=9", "schedule.decay_rate=0.1"),
    # Over the whole range of its limits: these steps are taken as the 160,000 of its paper.
    "batch renormalization": (*MLP, "normalization=batch_renorm", f"train_steps={STEPS}"),
    "l1 normalization": (*MLP, "normalization=l1_norm"),
    "l2 normalization, convolutions": ("model=cnn", "model.width=0.1", "normalization=l2_norm"),
    "l-infinity normalization": (
        *MLP, "normalization=linf_norm", "placement=after", "learning_rate=1",
    ),
    "layer normalization": (*MLP, "normalization=layer", "placement=after"),
    "group normalization": (*MLP, "normalization=group", "group_size=5"),
    "weight normalization, L2": (
        *MLP, "bn=none", "reparametrization=weight", "l2=0.003", "optimizer=momentum",
    ),
    "weight normalization with the mean of a batch, convolutions": (
        "model=cnn", "model.width=0.1", "reparametrization=weight", "normalization=mean_only",
    ),
    "weight normalization from data": (*MLP, "bn=none", "reparametrization=weight_from_data"),
    "spectral normalization, L2": (
        *MLP, "bn=none", "reparametrization=spectral", "l2=0.003", "optimizer=momentum",
    ),
    "scaled weight standardization, L2": (
        *MLP, "bn=none", "reparametrization=scaled_weight_standardization", "l2=0.003",
        "optimizer=momentum",
    ),
    "scaled weight standardization, convolutions": (
        "model=cnn", "model.width=0.1", "reparametrization=scaled_weight_standardization",
        "bn=none", "activation=relu",
    ),
    "spectral normalization, convolutions": (
        "model=cnn", "model.width=0.1", "reparametrization=spectral", "placement=after",
    ),
}  # fmt: skip


def numpy_training_of(overrides, variables):
    config = compose(list(overrides)).config
    return numpy_training.Training(config, data.load(config.data), variables)


def assert_is_the_formulas(overrides, backend):
    """To 1e-6: Keras's SGD takes a momentum of 0.9 through float32 under TensorFlow."""
    answer = ask("trained", overrides, STEPS, backend=backend)
    expected = numpy_training_of(overrides, answer["before"])
    losses, hits = zip(*map(expected.step, range(STEPS)), strict=True)
    np.testing.assert_allclose(answer["loss"], losses, rtol=1e-6)
    np.testing.assert_array_equal(answer["num_correct"], hits)
    mean_only = "normalization=mean_only" in overrides
    arrays = expected.network.values("weights") | expected.network.values("statistics")
    assert arrays.keys() == answer["after"].keys()
    for path, value in arrays.items():
        np.testing.assert_allclose(answer["after"][path], value, rtol=1e-6, atol=1e-6, err_msg=path)
        stays = path.endswith("step") or (mean_only and path.endswith("moving_variance"))
        assert stays or np.abs(value - answer["before"][path]).max() > 1e-4
    np.testing.assert_allclose(answer["scores"], expected.scores(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", TRAININGS)
@BACKENDS
def test_a_training_follows_its_formulas(backend, kind):
    assert_is_the_formulas(TRAININGS[kind], backend)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder of small random photographs of two classes."""
    root = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for part, count in (("train", 30), ("val", 5)):
        for label, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                image = random.integers(100 * label, 155 + 100 * label, (8, 8, 3))
                path = root / part / name / f"{number}.png"
                Image.fromarray(image.astype(np.uint8)).save(path)
    return root


@BACKENDS
def test_a_training_on_coloured_photographs_follows_its_formulas(backend, photographs):
    overrides = (*MLP, "data=image_folder", f"data.root={photographs}", "data.image_size=8",
                 "data.crop_padding=2", "distortion=1", "input_normalization=true")  # fmt: skip
    assert_is_the_formulas(overrides, backend)


# Ten layers amplify a rounding too much to be followed over many steps.
VGG_A = ("model=vgg_a", "model.width=0.05", "batch_size=20", "initializer=he")


@BACKENDS
def test_the_first_gradients_of_vgg_a_follow_the_formulas(backend):
    answer = ask("gradients", VGG_A, backend=backend)
    _, _, expected = numpy_training_of(VGG_A, answer["weights"]).gradients(0)
    assert expected.keys() == answer["gradients"].keys()
    for path, value in expected.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(answer["gradients"][path] / scale, value / scale, atol=1e-9)


# L2.

REGULARIZED = (*MLP, "placement=after")


@cache
def gradients(backend, *overrides):
    return ask("gradients", overrides, backend=backend)


@BACKENDS
def test_l2_adds_twice_its_share_of_every_kernel_and_of_nothing_else(backend):
    plain = gradients(backend, *REGULARIZED, "l2=0")
    regularized = gradients(backend, *REGULARIZED, "l2=0.01")
    names = set()
    for path, weight in plain["weights"].items():
        name = path.rpartition("/")[2]
        if name.startswith("moving"):
            continue
        difference = regularized["gradients"][path] - plain["gradients"][path]
        expected = 0.02 * weight if name == "kernel" else np.zeros_like(weight)
        np.testing.assert_allclose(difference, expected, atol=1e-12, err_msg=path)
        names.add(name)
    assert names == {"kernel", "bias", "gamma", "beta"}


@BACKENDS
def test_the_accelerated_l2_is_a_fifth(backend):
    plain = gradients(backend, *REGULARIZED, "l2=0")
    fifth = gradients(backend, *REGULARIZED, "l2=0.01", "accelerate=[l2]")
    path = "hidden_1/kernel"
    difference = fifth["gradients"][path] - plain["gradients"][path]
    np.testing.assert_allclose(difference, 0.004 * plain["weights"][path], atol=1e-12)


@BACKENDS
def test_both_kernels_of_a_separable_convolution_are_kernels(backend):
    assert ask("kernels", (), backend=backend) == [
        "separable/depthwise_kernel",
        "separable/pointwise_kernel",
        "dense/kernel",
    ]


# Dropout.

DROPPING = ("model=mlp", "bn=none", "batch_size=1", "dropout=0.4", "activation=tanh")


@BACKENDS
def test_dropout_stands_before_the_scores_and_scales_what_it_keeps(backend):
    """With one example the gradient by the last kernel is an outer product that shows the mask."""
    answer = gradients(backend, *DROPPING)
    received = answer["gradients"]
    by_scores = received["logits/bias"]
    dropped = received["logits/kernel"] @ by_scores / (by_scores @ by_scores)
    training = numpy_training_of(DROPPING, answer["weights"])
    images, labels = training.batch(0)
    *hidden, scores = training.network.layers
    features = numpy_network.Network(hidden).forward(images, True)[0]
    mask = np.abs(dropped) > 1e-9
    np.testing.assert_allclose(dropped, features * mask / 0.6, rtol=1e-6, atol=1e-9)
    assert 0.45 < mask.mean() < 0.75
    # And with this mask all gradients are those of a network that has the dropout just there.
    training.network.layers = [*hidden, numpy_network.Dropout(0.4, mask), scores]
    _, _, expected = training.gradients(0)
    for path, gradient in expected.items():
        np.testing.assert_allclose(received[path], gradient, atol=1e-6, err_msg=path)


BETWEEN = (
    "model=mlp", "model.hidden_layers=2", "bn=none", "batch_size=1", "hidden_dropout=0.4",
    "activation=tanh",
)  # fmt: skip


@BACKENDS
def test_hidden_dropout_stands_between_hidden_layers_and_nowhere_else(backend):
    """With one example the gradient by the second kernel is an outer product; see above."""
    answer = gradients(backend, *BETWEEN)
    received = answer["gradients"]
    by_hidden = received["hidden_2/bias"]
    dropped = received["hidden_2/kernel"] @ by_hidden / (by_hidden @ by_hidden)
    training = numpy_training_of(BETWEEN, answer["weights"])
    layers, (images, _) = training.network.layers, training.batch(0)
    first = next(at for at, layer in enumerate(layers) if "hidden_2" in str(layer.name))
    features = numpy_network.Network(layers[:first]).forward(images, True)[0]
    mask = np.abs(dropped) > 1e-9
    np.testing.assert_allclose(dropped, features * mask / 0.6, rtol=1e-6, atol=1e-9)
    assert 0.45 < mask.mean() < 0.75
    between = numpy_network.Dropout(0.4, mask)
    training.network.layers = [*layers[:first], between, *layers[first:]]
    _, _, expected = training.gradients(0)
    for path, gradient in expected.items():
        np.testing.assert_allclose(received[path], gradient, atol=1e-6, err_msg=path)


@BACKENDS
def test_nothing_is_dropped_at_inference(backend):
    answer = ask("scored", DROPPING, backend=backend)
    expected = numpy_training_of(DROPPING, answer["weights"]).scores()
    np.testing.assert_allclose(answer["scores"], expected, rtol=1e-6, atol=1e-9)


@BACKENDS
def test_the_accelerated_recipe_drops_nothing(backend):
    words = (*DROPPING, "hidden_dropout=0.4", "accelerate=[dropout]")
    answer = gradients(backend, *words)
    _, _, expected = numpy_training_of(DROPPING, answer["weights"]).gradients(0)
    for path, gradient in expected.items():
        np.testing.assert_allclose(answer["gradients"][path], gradient, atol=1e-9, err_msg=path)
