"""The residual network against formulas: its size, its values, and how it begins.

What it computes is computed again in NumPy, by the sections of arXiv 1512.03385 and 1901.09321.
"""

import math

import keras
import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from numpy_network import patches

from bnrepro import models
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose

SMALL = ("model=resnet", "model.blocks=1", "model.width=0.25", "batch_size=12")
KINDS = {
    "batch normalization": ("bn=x1",),
    "no shortcut": ("bn=x1", "model.skip=false"),
    "plain": ("bn=none",),
    "SkipInit": ("bn=none", "model.residual=skipinit"),
    "Fixup": ("bn=none", "model.residual=fixup"),
}


def build(*words, shape=(32, 32, 3)):
    return models.build(compose(["model=resnet", *words]).config.accelerated(), shape, 10)


def weights_of(network):
    return {v.path: np.asarray(v.numpy(), float) for v in network.model.trainable_variables}


# Sizes.


@pytest.mark.parametrize(("blocks", "millions"), [(3, 0.27), (5, 0.46), (9, 0.85)])
def test_it_has_6n_plus_2_layers_and_the_papers_number_of_weights(blocks, millions):
    """Table 6 of He et al. 2016: 20, 32 and 56 layers."""
    weights = weights_of(build("model.width=1", f"model.blocks={blocks}"))
    kernels = [value for path, value in weights.items() if path.endswith("kernel")]
    assert len(kernels) == 6 * blocks + 2
    convolutions = 9 * (3 * 16 + 16 * 32 + 32 * 64)
    convolutions += 9 * sum((2 * blocks - (maps > 16)) * maps**2 for maps in (16, 32, 64))
    scales_and_shifts = 2 * (16 + 2 * blocks * (16 + 32 + 64))
    size = sum(value.size for value in weights.values())
    assert size == convolutions + scales_and_shifts + 64 * 10 + 10
    assert size / 1e6 == pytest.approx(millions, abs=0.006)


@pytest.mark.parametrize("kind", KINDS)
def test_shortcuts_have_no_weights_and_fixup_has_scalars_alone(kind):
    sizes = {path: value.size for path, value in weights_of(build(*KINDS[kind])).items()}
    blocks = 9
    names = [path.rpartition("/")[2] for path in sizes]
    multipliers = blocks if kind in ("SkipInit", "Fixup") else 0
    assert names.count("factor") == multipliers
    biases = [path for path in sizes if path.endswith("/bias") and path != "logits/bias"]
    # One a convolution; Fixup: before and behind the first of a branch, before and behind the
    # second, after the first convolution of all and before the classifier.
    assert len(biases) == {"plain": 19, "SkipInit": 19, "Fixup": 4 * blocks + 2}.get(kind, 0)
    assert kind != "Fixup" or all(sizes[path] == 1 for path in biases)


# How it begins.


def mean_squares(*words, batch=4):
    """Of what the first stage's blocks receive, and of what leaves the last one."""
    network = build("model.width=4", "model.blocks=4", *words, shape=(16, 16, 3))
    inputs = [network.model.get_layer(f"block_1_{block}_add") for block in range(1, 5)]
    values = [layer.output for layer in inputs]
    images = np.random.default_rng(0).normal(size=(batch, 16, 16, 3)).astype("float32")
    first = network.model.get_layer("convolution_1_activation").output
    seen = keras.Model(network.model.input, [first, *values])(images, training=True)
    return [float((np.maximum(np.asarray(each), 0) ** 2).mean()) for each in seen]


def test_a_plain_branch_at_least_doubles_the_mean_square():
    """x >= 0 and a branch f of mean square F that is as likely as -f: the activation of x + f has
    the mean square q + F less half of that of (|f| - x)+, so between q + F/2 and q + F. He's
    weights make F = 2 q, but for zeros around an image of 16 x 16: of nine products 1 - 2/48 in
    each direction are none of them, twice a branch."""
    squares = mean_squares("bn=none")
    growth = 2 * (1 - 2 / 48) ** 4
    for before, after in zip(squares, squares[1:], strict=False):
        assert 0.9 * (1 + growth / 2) < after / before < 1.1 * (1 + growth)


def test_skipinit_leaves_the_mean_square_as_it_is():
    squares = mean_squares("bn=none", "model.residual=skipinit")
    np.testing.assert_allclose(squares, squares[0], rtol=1e-6)


def test_batch_normalization_adds_at_most_1_a_block():
    """As above with F = 1."""
    squares = mean_squares("bn=x1")
    assert all(0.45 < step < 1.05 for step in np.diff(squares))


def test_fixup_begins_at_zero_with_smaller_branches():
    network = build("bn=none", "model.residual=fixup", "model.blocks=4", "model.width=1")
    images = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")
    assert not np.asarray(network.model(images, training=True)).any()
    weights = weights_of(network)
    for stage, maps in ((1, 16), (2, 32), (3, 64)):
        kernel = weights[f"block_{stage}_3_convolution_1/kernel"]
        # He's deviation, and 12 branches of two convolutions: 12^(-1/2).
        assert kernel.std() == pytest.approx(math.sqrt(2 / (9 * maps) / 12), rel=0.05)
        assert not weights[f"block_{stage}_3_convolution_2/kernel"].any()
    assert weights["convolution_1/kernel"].std() == pytest.approx(math.sqrt(2 / 27), rel=0.1)
    assert not weights["logits/kernel"].any()
    for path, value in weights.items():
        assert not path.endswith("/bias") or not value.any()
        assert not path.endswith("/factor") or (value == 1).all()


# What it computes.


class Numpy:
    """The network in NumPy, in training mode, for images (batch, height, width, channels)."""

    def __init__(self, kind, blocks):
        self.kind, self.blocks = kind, blocks

    def __call__(self, weights, images):
        self.weights = weights
        values = np.maximum(
            self.biased("convolution_1_activation", self.convolved(images, "convolution_1")), 0
        )
        for stage in (1, 2, 3):
            for block in range(1, self.blocks + 1):
                values = self.block(values, stage, block)
        values = self.biased("logits", values.mean((1, 2)))
        return values @ weights["logits/kernel"] + weights["logits/bias"]

    def block(self, inputs, stage, block):
        first, second = (f"block_{stage}_{block}_convolution_{each}" for each in (1, 2))
        strides = 2 if stage > 1 and block == 1 else 1
        values = self.convolved(self.biased(first, inputs), first, strides)
        values = np.maximum(self.biased(f"{first}_activation", values), 0)
        values = self.convolved(self.biased(second, values), second)
        values = values * self.weights.get(f"block_{stage}_{block}_multiplier/factor", 1)
        values = self.biased(f"block_{stage}_{block}_branch", values)
        if self.kind == "no shortcut":
            return np.maximum(values, 0)
        if strides == 2:
            kept = self.biased(first, inputs)[:, 1::2, 1::2]
            inputs = np.zeros_like(values)
            inputs[..., : kept.shape[-1]] = kept
        return np.maximum(values + inputs, 0)

    def biased(self, name, values):
        return values + self.weights.get(f"{name}_shift/bias", 0)

    def convolved(self, values, name, strides=1):
        """Zeros around the image; with stride 2 the windows are around the odd places."""
        windows = patches(values, 3)[:, strides - 1 :: strides, strides - 1 :: strides]
        values = np.einsum("bhwcij,ijco->bhwo", windows, self.weights[f"{name}/kernel"])
        if f"{name}_normalization/gamma" not in self.weights:
            return values + self.weights.get(f"{name}/bias", 0)
        mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
        gamma, beta = (self.weights[f"{name}_normalization/{each}"] for each in ("gamma", "beta"))
        return gamma * (values - mean) / np.sqrt(variance + EPSILON) + beta


EPSILON = compose(["model=resnet"]).config.batch_normalization.epsilon


def loss(logits, labels):
    logits = logits - logits.max(1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize("kind", KINDS)
@JAX_AND_SLOWLY_TENSORFLOW
def test_loss_and_gradient_follow_the_formulas(backend, kind):
    answer = ask("around", (*SMALL, *KINDS[kind], "input_normalization=false"), backend=backend)
    network, images, labels = Numpy(kind, 1), answer["images"] / 255, answer["labels"]

    def at(moved):
        shifted = {
            path: value + moved * answer["directions"][path]
            for path, value in answer["weights"].items()
        }
        return loss(network(shifted, images), labels)

    assert answer["loss"] == pytest.approx(at(0), rel=1e-10)
    along = sum((answer["gradients"][path] * d).sum() for path, d in answer["directions"].items())
    step = 1e-7
    assert along == pytest.approx((at(step) - at(-step)) / (2 * step), rel=1e-4, abs=1e-6)


# As a run.


@pytest.mark.parametrize("kind", ["batch normalization", "Fixup"])
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_resumed_run_is_the_uninterrupted_one_and_its_loss_falls(backend, kind):
    """And its file is read again, which `recorded` does."""
    steps = ("train_steps=8", "checkpoint_every=4", "evaluate_every=4", "learning_rate=0.02")
    words = (*SMALL, *KINDS[kind], *steps)
    whole, resumed = (ask("recorded", words, stop, backend=backend) for stop in (None, 4))
    for path, value in whole["after"].items():
        np.testing.assert_array_equal(resumed["after"][path], value, err_msg=path)
    first, *_, last = (row["train_loss"] for row in whole["curve"][1:])
    assert last < first


# What makes no sense.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("model.residual=fixup",), "with placement=before: Fixup is for networks without"),
        (("bn=none", "model.residual=fixup", "model.skip=false"), "needs a shortcut beside it"),
        (("model.residual=skipinit", "model.skip=false"), "needs a shortcut beside it"),
        (
            ("bn=none", "model.residual=fixup", "reparametrization=weight"),
            "kernels that begin at 0 have no direction",
        ),
        (("model.hidden_layers=2",), "set their number by model.blocks"),
        (("model=mlp", "model.blocks=4"), "model.blocks=4 with model=mlp: expected model=resnet"),
        (("model=cnn", "model.skip=false"), "model.skip=false with model=cnn: expected"),
    ],
)
def test_what_makes_no_sense_is_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        compose(["model=resnet", *words] if "model=" not in words[0] else list(words))
