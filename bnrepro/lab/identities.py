"""What follows from Algorithm 1: identity, redundant bias, mean and variance, folding."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from bnrepro.engine import Engine
from bnrepro.engine.loss import cross_entropy
from bnrepro.lab.descent import HiddenLayerNetwork
from bnrepro.lab.setting import (
    IMAGE_SHAPE,
    batch_normalization,
    config_of,
    digits,
    draw_state,
    flat,
    network,
    random,
    trained,
)
from bnrepro.models import Network
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "C5.layer": Criterion(
        "C5",
        "gamma = sqrt(variance + epsilon), beta = mean: largest |y - x|",
        "at most",
        ROUNDING_BOUND,
    ),
    "C5.network": Criterion(
        "C5",
        "trained network with such layers put in: change of its loss",
        "at most",
        ROUNDING_BOUND,
    ),
    "C6.gradient": Criterion(
        "C6",
        "gradient of a bias before batch normalization over that of its kernel",
        "at most",
        ROUNDING_BOUND,
    ),
    "C6.output": Criterion("C6", "any other bias: largest change of y", "at most", ROUNDING_BOUND),
    "C6.training": Criterion(
        "C6",
        "training with and without the bias: difference of the final losses",
        "at most",
        ROUNDING_BOUND,
    ),
    "C7.mean": Criterion("C7", "largest |mean| of a normalized unit", "at most", ROUNDING_BOUND),
    "C7.variance": Criterion(
        "C7", "largest |variance - 1| of a normalized unit, epsilon = 0", "at most", ROUNDING_BOUND
    ),
    "C7.epsilon": Criterion(
        "C7",
        "epsilon = 1e-3: largest |variance - v / (v + epsilon)|, v the variance before",
        "at most",
        ROUNDING_BOUND,
    ),
    "C10.mlp": Criterion(
        "C10",
        "fully connected network with its normalization folded into W and b: largest "
        "relative difference of the class scores",
        "at most",
        ROUNDING_BOUND,
    ),
    "C10.cnn": Criterion(
        "C10",
        "convolutional network, likewise folded: largest relative difference of the class scores",
        "at most",
        ROUNDING_BOUND,
    ),
}

_EXAMPLES, _UNITS = 64, 8
_TRAIN_STEPS = 300


def identity(_: Path) -> list[Verdict]:
    """C5, section 3: gamma = sqrt(variance + epsilon) and beta = mean give back x."""
    values = pre_activations()
    layer = batch_normalization(epsilon=1e-5)
    layer.build(values.shape)
    layer.gamma.assign(np.sqrt(values.var(axis=0) + layer.epsilon))
    layer.beta.assign(values.mean(axis=0))
    difference = np.abs(np.asarray(layer(values, training=True)) - values).max()
    plain = trained(
        config_of(
            "model=mlp",
            "bn=none",
            "activation=relu",
            "initializer=he",
            f"train_steps={_TRAIN_STEPS}",
        )
    )
    before, after = losses_with_identity_put_in(plain)
    return [
        judge(CRITERIA["C5.layer"], difference),
        judge(CRITERIA["C5.network"], abs(after - before), f"loss {before:.4f}"),
    ]


def redundant_bias(_: Path) -> list[Verdict]:
    """C6, section 3.2: the mean takes away any bias, so that its gradient is 0."""
    images, labels = digits(300)
    biased, unbiased = (
        HiddenLayerNetwork(images, labels, _UNITS, batch_normalization(1e-5), use_bias=use_bias)
        for use_bias in (True, False)
    )
    to_kernel, to_bias = biased.gradients()[1][:2]
    ratio = float(np.linalg.norm(to_bias) / np.linalg.norm(to_kernel))
    losses = [net.descend(learning_rate=0.5, steps=100) for net in (biased, unbiased)]
    values, layer = pre_activations(), batch_normalization(1e-5)
    moved = values + random("another bias", _UNITS)
    change = np.asarray(layer(moved, training=True)) - np.asarray(layer(values, training=True))
    return [
        judge(CRITERIA["C6.gradient"], ratio),
        judge(CRITERIA["C6.output"], np.abs(change).max()),
        judge(CRITERIA["C6.training"], abs(losses[0] - losses[1]), f"both end at {losses[0]:.4f}"),
    ]


def mean_and_variance(_: Path) -> list[Verdict]:
    """C7, section 3: sum x_hat = 0 and (1/m) sum x_hat^2 = 1 as far as epsilon is negligible."""
    values = pre_activations()
    exact = np.asarray(batch_normalization(0.0)(values, training=True))
    smoothed = np.asarray(batch_normalization(1e-3)(values, training=True))
    variance = values.var(axis=0)
    expected = variance / (variance + 1e-3)
    return [
        judge(CRITERIA["C7.mean"], np.abs(exact.mean(axis=0)).max()),
        judge(CRITERIA["C7.variance"], np.abs(exact.var(axis=0) - 1).max()),
        judge(
            CRITERIA["C7.epsilon"],
            np.abs(smoothed.var(axis=0) - expected).max(),
            f"the variance itself falls to {smoothed.var(axis=0).min():.2f}",
        ),
    ]


def folding(_: Path) -> list[Verdict]:
    """C10, section 3.1: with frozen statistics normalization is affine, as the layer before it."""
    images = random("images", 32, *IMAGE_SHAPE)
    return [
        judge(CRITERIA[f"C10.{model}"], folding_error(model, images)) for model in ("mlp", "cnn")
    ]


def pre_activations() -> np.ndarray:
    """Values of 8 units with means and variances of very different size, (examples, units)."""
    deviations = np.logspace(-2, 2, _UNITS)
    return random("x", _EXAMPLES, _UNITS) * deviations + 3 * deviations


def losses_with_identity_put_in(plain: Engine) -> tuple[float, float]:
    """The loss of a trained network on all training images, without and with normalization in it.

    The network with normalization has the statistics of these images as its mini-batch's, and has
    no bias of its own: beta = E[Wu] + b.
    """
    split = plain.dataset.train
    images = flat(split).reshape(-1, *IMAGE_SHAPE)
    normalized = network(config_of("model=mlp", "activation=relu"))
    inputs, inner = plain.network.model.input, list(plain.network.pre_activations.values())
    watched = keras.Model(inputs, inner)
    copy_kernels(plain.network, normalized)
    for layer, values in zip(normalized.batch_normalizations, watched(images), strict=True):
        layer.gamma.assign(np.sqrt(np.asarray(values).var(axis=0) + layer.epsilon))
        layer.beta.assign(np.asarray(values).mean(axis=0))
    before = cross_entropy(split.labels, plain.network.model(images, training=False))
    after = cross_entropy(split.labels, normalized.model(images, training=True))
    return float(before), float(after)


def copy_kernels(source: Network, target: Network) -> None:
    """Give each layer of `target` the weights that the layer of the same name has in `source`."""
    known = {variable.path: variable for variable in source.model.variables}
    for variable in target.model.variables:
        if variable.path in known:
            variable.assign(known[variable.path])


def folding_error(model: str, images: np.ndarray) -> float:
    """Largest difference of class scores between a network and its folded form, relative to them.

    W' = W gamma / sqrt(Var + epsilon),  b' = beta - E gamma / sqrt(Var + epsilon)
    """
    config = config_of(f"model={model}", "activation=relu")
    normalized = network(config)
    folded = network(replace(config, placement="none", normalization=None))
    copy_kernels(normalized, folded)
    for layer in normalized.batch_normalizations:
        draw_state(layer)
        before = folded.model.get_layer(layer.name.removesuffix("_normalization"))
        factor = np.asarray(layer.gamma) / np.sqrt(
            np.asarray(layer.moving_variance) + layer.epsilon
        )
        before.kernel.assign(np.asarray(before.kernel) * factor)
        before.bias.assign(np.asarray(layer.beta) - np.asarray(layer.moving_mean) * factor)
    expected, scores = (
        np.asarray(net.model(images, training=False)) for net in (normalized, folded)
    )
    return float(np.abs(scores - expected).max() / np.abs(expected).max())
