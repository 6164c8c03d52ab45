"""What is trained for the clock: networks, batch sizes and made-up images of the right shape."""

from dataclasses import dataclass, replace

import numpy as np

from bnrepro.config import DENSE_MODELS
from bnrepro.config.composition import Composition, compose
from bnrepro.config.randomness import generator
from bnrepro.data import Dataset, Split

# What every contender leaves out, so that all of them train the same network by the same rule.
PLAIN_RECIPE = (
    "dropout=0",
    "l2=0",
    "lrn=false",
    "distortion=0",
    "data.flip=false",
    "data.crop_padding=0",
    "schedule=constant",
    "shuffle=within_shards",
)
# The bench ends a run, not its length.
_ENDLESS = "train_steps=1000000000"
_NUM_CLASSES = 10
# The engine scores these at every evaluation, outside of the clock.
_NUM_EVALUATION = 500
# How far the made-up images are from their class's pattern, of 255.
_NOISE = 160


@dataclass(frozen=True)
class Workload:
    """One network at one batch size, with and without batch normalization."""

    name: str
    words: str
    overrides: tuple[str, ...]
    image_shape: tuple[int, int, int]
    num_examples: int
    # Contenders must have the same loss at each of the first `agreement_steps` steps, to within
    # `tolerance` of it. Kernels round differently, and depth amplifies one rounding.
    agreement_steps: int
    tolerance: float
    # Of a batch size that is there to be held against another, the engine's speed is enough.
    engine_only: bool = False

    @property
    def is_dense(self) -> bool:
        """Whether the network has no convolutions."""
        return any(f"model={name}" in self.overrides for name in DENSE_MODELS)

    def compose(self, normalized: bool, overrides: list[str]) -> Composition:
        """The run that is timed.

        Raises:
            ConfigError: if `overrides` are refused.
        """
        bn = "bn=x1" if normalized else "bn=none"
        return compose([*self.overrides, *PLAIN_RECIPE, bn, _ENDLESS, *overrides])


_GREY, _COLOUR = (28, 28, 1), (32, 32, 3)


def _inception(width: float, batch_size: int) -> Workload:
    return Workload(
        name=f"inception_{f'{width:g}'.replace('.', '')}_{batch_size}",
        words=f"small Inception, width {width:g}, 32x32x3, batch {batch_size}",
        overrides=(
            "model=inception",
            "data=cifar10",
            f"model.width={width:g}",
            f"batch_size={batch_size}",
        ),
        image_shape=_COLOUR,
        num_examples=12_800,
        agreement_steps=3,
        tolerance=1e-3,
    )


_MNIST_NETWORK = Workload(
    name="mnist_network",
    words="the paper's MNIST network (784-100-100-100-10, sigmoid), batch 60",
    overrides=("model=mlp", "data=mnist"),
    image_shape=_GREY,
    num_examples=60_000,
    agreement_steps=10,
    tolerance=1e-4,
)


def _mnist_network(batch_size: int) -> Workload:
    return replace(
        _MNIST_NETWORK,
        name=f"mnist_network_{batch_size}",
        words=f"the same, batch {batch_size}",
        overrides=(*_MNIST_NETWORK.overrides, f"batch_size={batch_size}"),
        engine_only=True,
    )


WORKLOADS = (
    _MNIST_NETWORK,
    _mnist_network(64),
    _mnist_network(65),
    _inception(0.25, 32),
    replace(_inception(0.25, 64), engine_only=True),
    replace(_inception(0.25, 65), engine_only=True),
    _inception(0.25, 128),
    _inception(1, 32),
    _inception(1, 128),
    Workload(
        name="cnn",
        words="cnn, 32x32x3, batch 32",
        overrides=("model=cnn", "data=cifar10"),
        image_shape=_COLOUR,
        num_examples=12_800,
        agreement_steps=3,
        tolerance=1e-3,
    ),
)


def find(name: str) -> Workload:
    """The workload of that name."""
    return next(workload for workload in WORKLOADS if workload.name == name)


def make_dataset(workload: Workload) -> Dataset:
    """Noise around one pattern per class: there is something to learn, so losses tell two apart."""
    numbers = generator(0, "bench")
    labels = numbers.integers(0, _NUM_CLASSES, workload.num_examples + _NUM_EVALUATION)
    patterns = numbers.integers(
        0, 256 - _NOISE, (_NUM_CLASSES, *workload.image_shape), dtype=np.uint8
    )
    noise = numbers.integers(0, _NOISE, (len(labels), *workload.image_shape), dtype=np.uint8)
    images, labels = patterns[labels] + noise, labels.astype(np.int32)
    count = workload.num_examples
    return Dataset(
        name=workload.name,
        train=Split(images[:count], labels[:count]),
        evaluation=Split(images[count:], labels[count:]),
        num_classes=_NUM_CLASSES,
        class_names=tuple(map(str, range(_NUM_CLASSES))),
        sha256="",
    )
