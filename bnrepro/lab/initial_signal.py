"""The signal with which families of `keras.applications` begin, with and without normalization.

Their initial weights were chosen for networks with batch normalization. Without it nothing keeps
the values of a layer at one size, so that a comparison "with and without" may measure the initial
weights instead. Here nothing is trained: of each family the logits and the gradient on the first
mini-batch are looked at, with batch normalization by the mini-batch, without it, without it from
He's weights (He et al. 2015, arXiv 1502.01852), and from those scaled layer by layer until the
outputs on that mini-batch vary by 1 (Mishkin and Matas 2016, LSUV, arXiv 1511.06422, from He's
kernels instead of orthogonal ones).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from bnrepro import data, models
from bnrepro.config import Recipe
from bnrepro.config.composition import compose
from bnrepro.config.names import APPLICATIONS_WITHOUT_BATCH_NORMALIZATION
from bnrepro.data.order import batch_order
from bnrepro.engine.batch import read_images
from bnrepro.engine.calculus_tensorflow import TensorFlowCalculus
from bnrepro.engine.loss import cross_entropy
from bnrepro.lab.tables import write_table
from bnrepro.models.graph import walk
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = "What signal do the families of keras.applications begin with, without normalization?"

WITH, WITHOUT, HE, FITTED = "batch normalization", "without", "without, He", "without, fitted"
_START = {WITH: "glorot", WITHOUT: "glorot", HE: "he", FITTED: "he"}
_WORDS = ("model=application", "batch_size=32", "threads=1")


@dataclass(frozen=True)
class _Scale:
    """Of what it is computed."""

    families: tuple[str, ...]
    seeds: tuple[int, ...]
    data: str


SCALES = {
    PUBLISHED_SCALE: _Scale(
        (
            "VGG16",
            "ResNet50",
            "ResNet50V2",
            "DenseNet121",
            "MobileNet",
            "MobileNetV2",
            "MobileNetV3Small",
            "NASNetMobile",
            "EfficientNetB0",
            "EfficientNetV2B0",
            "Xception",
            "InceptionV3",
            "ConvNeXtTiny",
        ),
        (0, 1, 2),
        "cifar10",
    ),
    SMOKE: _Scale(("MobileNetV2", "MobileNetV3Small"), (0, 1), "digits"),
}


class SignalRow(NamedTuple):
    """What one network begins with on the first mini-batch of its seed.

    `logits`: the root mean square over the classes of the logits' deviation over the images.
    `first_gradient` and `last_gradient`: lengths of the loss's gradient by the first kernel and by
    the classifier's. `balance`: their ratio, each times the length of its kernel, so that the scale
    of a kernel does not count. Not a number where a number overflows.
    """

    seed: int
    family: str
    network: str
    logits: float
    first_gradient: float
    last_gradient: float
    balance: float


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave `signal.csv` in `folder`."""
    size = SCALES[scale]
    rows = [row for family in size.families for row in _of_family(size, family)]
    write_table(folder / "signal.csv", SignalRow._fields, rows, rounding=0.0, digits=_DIGITS)


_DIGITS = dict.fromkeys(("logits", "first_gradient", "last_gradient", "balance"), 3)


def _of_family(size: _Scale, family: str) -> Iterator[SignalRow]:
    """Rows of its networks, each built once for all seeds."""
    if family not in APPLICATIONS_WITHOUT_BATCH_NORMALIZATION:
        yield from _of_network(size, family, "bn=x1", WITH)
    yield from _of_network(size, family, "bn=none", WITHOUT, HE, FITTED)


def _of_network(size: _Scale, family: str, bn: str, *starts: str) -> Iterator[SignalRow]:
    keras.utils.clear_session(free_memory=False)
    words = (*_WORDS, f"model.application={family}", f"data={size.data}", bn)
    train = data.load(compose(words).config.data).train
    network = models.build(compose(words).config.accelerated(), train.images.shape[1:], 10)
    for seed in size.seeds:
        for start in starts:
            own = (*words, f"seed={seed}", f"initializer={_START[start]}")
            config = compose(own).config.accelerated()
            images, labels = _first_batch(train, config)
            begin(network.model, config)
            if start == FITTED:
                fit(network.model, images)
            yield SignalRow(seed, family, start, *signal(network.model, images, labels))


def _first_batch(train: data.Split, config: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Images in [0, 1], (batch, height, width, channels), and labels, (batch,)."""
    order = batch_order(train.labels, config.batch_size, config.shuffle, config.seed)
    rows = order.indices(0, 1)[0]
    return read_images(train, rows).astype(np.float32) / 255, train.labels[rows]


def begin(model: keras.Model, config: Recipe) -> None:
    """Let the network have the initial weights of a seed."""
    weights = models.initial_weights(model, config)
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)


def fit(model: keras.Model, images: np.ndarray) -> None:
    """Scale kernels, from the inputs up, until each layer's outputs on the images deviate by 1.

    Over all images, places and maps; biases are 0 still. A layer whose outputs are all the same, or
    not finite, stays as it is.
    """
    fitted = walk(model, lambda layer: _Fitted(layer) if hasattr(layer, "bias") else layer)
    fitted.model(images)


class _Fitted(keras.layers.Layer):
    """A layer with a kernel that scales it by the values on which it is called."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(name=f"{layer.name}_fitted")
        self.layer = layer

    def compute_output_spec(self, inputs: Any) -> Any:
        return self.layer.compute_output_spec(inputs)

    def call(self, inputs: Any) -> Any:
        values = self.layer(inputs)
        deviation = float(np.std(np.asarray(values), dtype=np.float64))
        if not (np.isfinite(deviation) and deviation > 0):
            return values
        # Of a separable convolution, the kernel between channels.
        of_channels = hasattr(self.layer, "pointwise_kernel")
        kernel = self.layer.pointwise_kernel if of_channels else self.layer.kernel
        kernel.assign(kernel / deviation)
        return self.layer(inputs)


def signal(
    model: keras.Model, images: np.ndarray, labels: np.ndarray
) -> tuple[float, float, float, float]:
    """`logits`, `first_gradient`, `last_gradient` and `balance` of a row.

    In training mode: batch normalization is by the images' own mean and variance.
    """
    weights = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    found: list[Any] = []

    def loss(point: list[Any]) -> Any:
        logits, _ = model.stateless_call(point, others, images, training=True)
        found.append(logits)
        return cross_entropy(labels, logits)

    _, gradients = TensorFlowCalculus(loops=False).value_and_gradient(loss, weights)
    kernels = [i for i, v in enumerate(model.trainable_variables) if v.name.endswith("kernel")]
    (first, of_first), (last, of_last) = (
        (_length(gradients[place]), _length(weights[place])) for place in (kernels[0], kernels[-1])
    )
    logits = np.asarray(found[0], np.float64)
    deviation = float(np.sqrt(np.mean(logits.var(axis=0))))
    balance = first * of_first / (last * of_last) if last else float("nan")
    return deviation, first, last, balance


def _length(value: Any) -> float:
    return float(np.linalg.norm(np.asarray(value, np.float64)))
