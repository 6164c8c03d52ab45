"""CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 colour photographs, 32 x 32, 10 balanced classes.

Published as pickles of Python 2, in a gzipped tar. They are read out of the archive, or out of the
folder it unpacks to, by an unpickler that knows one kind of object: an array of bytes.
"""

import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bnrepro.config import DataConfig, one_line
from bnrepro.data.alignment import empty_images
from bnrepro.data.dataset import Dataset, Split, assemble
from bnrepro.data.source import DataError, Source, data_root, read_file, read_members

SOURCE = Source(
    name="cifar10",
    folder="cifar10",
    url="https://www.cs.toronto.edu/~kriz",
    md5={
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    image_shape=(32, 32, 3),
    num_examples=(50_000, 10_000),
    class_names=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    archive="cifar-10-python.tar.gz",
    member_folder="cifar-10-batches-py",
)
# In the order of their images: the last has the test images, as many as each of the others.
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


def load(config: DataConfig) -> Dataset:
    """CIFAR-10 from `cifar10/cifar-10-batches-py/` or `cifar10/cifar-10-python.tar.gz`.

    Raises:
        DataError: if a member is missing, damaged, or not what was published.
    """
    num_train, num_test = SOURCE.num_examples
    images = empty_images((num_train + num_test, *SOURCE.image_shape))
    labels = np.empty(len(images), np.int32)
    # Batch by batch into place: lists of batches would take the memory twice.
    for name, content in _read_members(data_root(config.root)):
        if name in _BATCHES:
            start = _BATCHES.index(name) * num_test
            place = slice(start, start + num_test)
            images[place], labels[place] = parse(content, name)
    train = Split(images[:num_train], labels[:num_train])
    test = Split(images[num_train:], labels[num_train:])
    return assemble(config, train, test, SOURCE.class_names)


def _read_members(root: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the seven members, checked, from the archive or as they lie unpacked."""
    for file in SOURCE.files_in_use(root):
        path = root / file
        if path.name == SOURCE.archive:
            yield from read_members(SOURCE, path)
        else:
            yield path.name, read_file(SOURCE, path)


def parse(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The images, uint8 (examples, 32, 32, 3), and labels, int32, of one pickled batch.

    Raises:
        DataError: if it is no such pickle, or names anything but an array of bytes.
    """
    try:
        batch = _BytesUnpickler(io.BytesIO(content), encoding="bytes").load()
        planes = batch[b"data"].reshape(-1, 3, 32, 32)  # (examples, channels, height, width)
        labels = np.array(batch[b"labels"], np.int32)
        if planes.dtype != np.uint8 or labels.shape != planes.shape[:1]:
            raise ValueError(f"{labels.shape} labels for {planes.shape} {planes.dtype}")
    # A pickle is a program: a bad one may fail in any way.
    except Exception as error:
        raise DataError(
            f"{name}: {one_line(error)}; expected a batch of CIFAR-10; {SOURCE.remedy}"
        ) from error
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _empty_array(*_: Any) -> np.ndarray:
    """What `numpy.core.multiarray._reconstruct` gives; the array's state follows in the pickle."""
    return np.empty(0, np.uint8)


def _byte_type(name: bytes, *_: Any) -> np.dtype:
    """`numpy.dtype` for the one type that the batches have."""
    if name != b"u1":
        raise pickle.UnpicklingError(f"an array of {name!r}")
    return np.dtype(np.uint8, copy=True)


class _BytesUnpickler(pickle.Unpickler):
    """Knows three names and no module: nothing that a pickle carries is imported or called."""

    _KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
        ("numpy.core.multiarray", "_reconstruct"): _empty_array,
        ("numpy", "ndarray"): _empty_array,
        ("numpy", "dtype"): _byte_type,
    }

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """The stand-in for a name of NumPy's; raises UnpicklingError for every other name."""
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self._KNOWN[module, name]
