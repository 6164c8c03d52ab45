"""A trained network on images of another domain, with the statistics of either (C24).

Paper: section 5 names it as future work that recomputing the population statistics might adapt a
network to other data. Here they are Algorithm 2's over images of the target domain, whose labels
nobody asks for, and the weights stay what they are (as in AdaBN, Li et al. 2016, arXiv 1603.04779).
The images that statistics are taken of are training images, those that are scored test images.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.config.randomness import generator
from bnrepro.data import Dataset, Split
from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images
from bnrepro.lab.setting import advance
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

QUESTION = (
    "Does a trained network see images of another kind better once its statistics are theirs?"
)
NETWORKS = {"with BN": "figure_1_bn", "without BN": "figure_1_plain"}
SOURCE = "as trained on"
# Of how many images of the target the statistics are; 0 keeps those of the source.
COUNTS = (0, 10, 100, 1000)

# Of pixels between 0 and 1, before they are made black or white: with it 16 % of them change.
_NOISE = 0.5
_DEGREES = 30.0
# Figure 1's networks have nine tenths of their accuracy after a fifth of its steps.
SETTINGS = {
    PUBLISHED_SCALE: (tuple(range(6)), ("train_steps=10000",)),
    SMOKE: ((0, 1), ("data=digits", "train_steps=1000", "percentiles.every=0")),
}
# Algorithm 2's mini-batches.
_BATCH = 50
_NOISE_OF_UNLABELLED = 1000


class Row(NamedTuple):
    """One network on the test images of one domain; `images` are those of its statistics."""

    seed: int
    network: str
    domain: str
    images: int
    accuracy: float


COLUMNS = Row._fields


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Train the networks and leave their accuracies in `adaptation.csv`."""
    seeds, words = SETTINGS[scale]
    rows = [row for seed in seeds for row in _rows(seed, words)]
    write_table(folder / "adaptation.csv", COLUMNS, rows)


def _rows(seed: int, words: tuple[str, ...]) -> Iterator[Row]:
    for network, experiment in NETWORKS.items():
        composition = compose([f"experiment={experiment}", f"seed={seed}", "threads=1", *words])
        engine = build_engine(composition)
        advance(engine, 0, composition.config.train_steps)
        yield from scored(engine, network, seed)


def scored(engine: Engine, network: str, seed: int) -> Iterator[Row]:
    """A row per domain and number of images; without normalization for no images alone."""
    grey = _grey(engine)
    order = generator(seed, "adaptation/images").permutation(len(grey.train.labels))
    unlabelled = read_images(grey.train, order[: max(COUNTS)])
    for domain, change in DOMAINS.items():
        target = _black_or_white(change(np.asarray(grey.evaluation.images), seed))
        split = Split(target, grey.evaluation.labels)
        yield Row(seed, network, domain, 0, engine.score(split)[1])
        if engine.network.batch_normalizations:
            # Other noise than that of the test images.
            images = _black_or_white(change(unlabelled, _NOISE_OF_UNLABELLED + seed))
            for count in COUNTS[1:]:
                yield Row(seed, network, domain, count, _adapted(engine, split, images[:count]))


def _grey(engine: Engine) -> Dataset:
    """The images of the engine before they are made black or white."""
    name = engine.config.data.name
    return data.load(compose([f"data={name}"]).config.data)


def _adapted(engine: Engine, split: Split, images: np.ndarray) -> float:
    """The accuracy on a split with the statistics of some images, uint8.

    What is left over after the last whole mini-batch is not used.
    """
    size = min(_BATCH, len(images))
    batches = images[: len(images) // size * size].reshape(-1, size, *images.shape[1:])
    with engine.inferring_with(engine.statistics_over(batches)):
        return engine.score(split)[1]


def _black_or_white(images: np.ndarray) -> np.ndarray:
    """As figure 1's networks see them, by the rule of `data.binary`; uint8."""
    return (images > 127) * np.uint8(255)


def _inverted(images: np.ndarray, _: int) -> np.ndarray:
    return 255 - images


def _noisy(images: np.ndarray, seed: int) -> np.ndarray:
    """With normal noise, the same for an image whenever it is asked for; float."""
    noise = generator(seed, "adaptation/noise").standard_normal(images.shape)
    return images + 255 * _NOISE * noise


def _rotated(images: np.ndarray, _: int) -> np.ndarray:
    """Turned by 30 degrees about their centre, black where nothing was; float."""
    angle, side = np.deg2rad(_DEGREES), images.shape[1]
    cosine, sine, middle = np.cos(angle), np.sin(angle), (side - 1) / 2
    # From where in the image each pixel comes: x' = a x + b y + c, y' = d x + e y + f.
    transform = [
        *(cosine, -sine, middle * (1 - cosine + sine)),
        *(sine, cosine, middle * (1 - sine - cosine)),
        *(0.0, 0.0),
    ]
    turned = keras.ops.image.affine_transform(
        images.astype("float32"),
        np.array([transform] * len(images), "float32"),
        interpolation="bilinear",
        data_format="channels_last",
    )
    return np.asarray(turned)


DOMAINS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    SOURCE: lambda images, _: images,
    "inverted": _inverted,
    "noisy": _noisy,
    "rotated": _rotated,
}
