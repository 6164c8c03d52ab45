"""What a data set is once it is read: two splits of uint8 images with their labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bnrepro.config import DataConfig
from bnrepro.config.randomness import generator
from bnrepro.data.source import DataError

if TYPE_CHECKING:
    from bnrepro.data.streaming import StreamedImages

# The share of the training set that an evaluation split other than `test` holds out. The images of
# `tuning` are among those of `pilot`.
HELD_OUT_SHARES = {"tuning": 0.1, "pilot": 0.2}


@dataclass(frozen=True)
class Split:
    """Images, uint8 (examples, height, width, channels), and their labels, int32 (examples,)."""

    images: "np.ndarray | StreamedImages"
    labels: np.ndarray

    def take(self, indices: np.ndarray) -> "Split":
        """The examples at `indices`, in that order."""
        if isinstance(self.images, np.ndarray):
            return Split(self.images[indices], self.labels[indices])
        return Split(self.images.take(indices), self.labels[indices])


@dataclass(frozen=True)
class Dataset:
    """A data set as a run sees it; `sha256` is over exactly these images and labels."""

    name: str
    train: Split
    evaluation: Split
    num_classes: int
    class_names: tuple[str, ...]
    sha256: str


def assemble(config: DataConfig, train: Split, test: Split, class_names: Sequence[str]) -> Dataset:
    """The data set that `config` asks for, from a set's own training and test images in memory.

    Raises:
        DataError: if `config` asks for another image size than the set has.
    """
    size = train.images.shape[1]
    if config.image_size != size:
        raise DataError(
            f"data.image_size={config.image_size} with data={config.name}: expected {size}, the "
            "size of its images; only data=image_folder resizes"
        )
    train, evaluation = choose_splits(config, train, test)
    if config.binary:
        train, evaluation = _binarized(train), _binarized(evaluation)
    digest = hashlib.sha256()
    for split in (train, evaluation):
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(label_bytes(split.labels))
    return Dataset(
        name=config.name,
        train=train,
        evaluation=evaluation,
        num_classes=len(class_names),
        class_names=tuple(class_names),
        sha256=digest.hexdigest(),
    )


def choose_splits(config: DataConfig, train: Split, test: Split) -> tuple[Split, Split]:
    """(train, evaluation) as `config.evaluation_split` and `config.train_examples` choose them.

    `tuning` and `pilot` score on a part of the training set and leave `test` alone.

    Raises:
        DataError: if the training set is too small for that part, or for the examples asked for.
    """
    evaluation = test
    if config.evaluation_split != "test":
        kept, held_out = hold_out(train.labels, HELD_OUT_SHARES[config.evaluation_split])
        if not held_out.size:
            raise DataError(
                f"data.evaluation_split={config.evaluation_split} with {len(train.labels)} "
                "training images: expected at least 5, and two in a class; use "
                "data.evaluation_split=test"
            )
        train, evaluation = train.take(kept), train.take(held_out)
    return _limited(train, config.train_examples), evaluation


def _limited(train: Split, train_examples: int | None) -> Split:
    """A part of the training images, as many as asked for, drawn once for all seeds."""
    count = len(train.labels)
    if train_examples is None or train_examples == count:
        return train
    if train_examples > count:
        raise DataError(
            f"data.train_examples={train_examples}: expected at most {count:,}, the training "
            "images that there are; lower it, or leave it out"
        )
    return parted(train, train_examples)[0]


def parted(train: Split, train_examples: int) -> tuple[Split, Split]:
    """(those that `data.train_examples` chooses of all training images, the others)."""
    others, chosen = hold_out(train.labels, train_examples / len(train.labels), "train_examples")
    return train.take(chosen), train.take(others)


def hold_out(
    labels: np.ndarray, share: float, purpose: str = "hold_out"
) -> tuple[np.ndarray, np.ndarray]:
    """Indices (kept, held out), each in ascending order, with `share` of every class held out.

    The total is `share` of all examples, rounded; classes whose part is not whole take turns by the
    size of the fraction. At least one example of each class is kept. The draw is keyed by `purpose`
    alone, independent of any seed.
    """
    counts = np.bincount(labels)
    exact = counts * share
    parts = np.floor(exact).astype(int)
    by_fraction = np.argsort(parts - exact, kind="stable")
    missing = round(len(labels) * share) - parts.sum()
    for label in [label for label in by_fraction if parts[label] + 1 < counts[label]][:missing]:
        parts[label] += 1
    mixed = generator(0, purpose).permutation(len(labels))
    held_out = np.zeros(len(labels), bool)
    for label, part in enumerate(parts):
        held_out[mixed[labels[mixed] == label][:part]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def label_bytes(labels: np.ndarray) -> bytes:
    """Labels as they enter a data set's digest, the same on every machine."""
    return labels.astype("<i4").tobytes()


def _binarized(split: Split) -> Split:
    # Paper: section 4.1 calls the input a binary image and gives no rule.
    # Ours: what is brighter than the middle of the range is white.
    return replace(split, images=(np.asarray(split.images) > 127) * np.uint8(255))
