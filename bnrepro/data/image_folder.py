"""A folder of photographs, one folder per class; ImageNet's class folders are of this kind.

`data.root` has `train/<class>/` and `val/<class>/`, or `<class>/` alone, of which a fixed
stratified fifth becomes the test set. What fits in memory is decoded at once; what does not is
decoded batch by batch.
"""

import hashlib
import os
import unicodedata
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from bnrepro.config import DataConfig
from bnrepro.config.randomness import generator
from bnrepro.data import manifest
from bnrepro.data.dataset import Dataset, Split, choose_splits, hold_out, label_bytes
from bnrepro.data.progress import watched
from bnrepro.data.source import DataError, data_root, plain
from bnrepro.data.streaming import StreamedImages

_TEST_SHARE = 0.2
# Images decoded between two updates of the progress bar.
_AT_ONCE = 1024
# Decoded images may take this share of the available memory; training needs the rest.
_MEMORY_SHARE = 0.25
# Windows, a network drive, macOS's archives.
_LEFT_BY_SYSTEMS = {"Thumbs.db", "desktop.ini", "@eaDir", "__MACOSX"}
_LAYOUT = "expected train/<class>/ and val/<class>/, or <class>/, with at least two classes"


def load(config: DataConfig) -> Dataset:
    """The photographs under `data.root`.

    `sha256` is over the decoded images and labels of each split, as everywhere; a split that is
    streamed enters with the sha256 of each file's bytes in place of its decoded images.

    Raises:
        DataError: if the folders are not laid out as expected, or a file is no whole image.
    """
    root = _root(config)
    class_names, train, test = _listed(root, config.image_size)
    train, evaluation = choose_splits(config, train, test)
    budget = int(available_memory() * _MEMORY_SHARE)
    evaluation = _decoded_if_within(evaluation, budget)
    if isinstance(evaluation.images, np.ndarray):
        budget -= evaluation.images.nbytes
    train = _decoded_if_within(train, budget)
    return Dataset(
        name=config.name,
        train=train,
        evaluation=evaluation,
        num_classes=len(class_names),
        class_names=class_names,
        sha256=_digest(root, train, evaluation),
    )


def verify(config: DataConfig) -> manifest.Check:
    """Read every photograph under `data.root`, and compare them with what is known of them.

    Raises:
        DataError: as `load`.
    """
    root = _root(config)
    _, train, test = _listed(root, config.image_size)
    return manifest.verify(root, [cast(StreamedImages, split.images) for split in (train, test)])


def _root(config: DataConfig) -> Path:
    if not config.root:
        raise DataError(f"data=image_folder without data.root: {_LAYOUT}; add data.root=FOLDER")
    return data_root(config.root)


def _listed(root: Path, size: int) -> tuple[tuple[str, ...], Split, Split]:
    """(class names, train, test) with every image still on disk."""
    try:
        return _find_splits(root, size)
    except OSError as error:
        raise DataError(
            f"{plain(Path(error.filename or root))}: cannot be listed ({error.strerror}), "
            f"{_LAYOUT}; change data.root or the folder's permissions"
        ) from error


def available_memory() -> int:
    """Bytes that may still be taken: the machine's, or its container's where that has less."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        machine = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return machine


def _find_splits(root: Path, size: int) -> tuple[tuple[str, ...], Split, Split]:
    parts = [part for part in ("train", "val") if _has_folders(root / part)]
    if len(parts) == 1:
        raise DataError(f"{plain(root)}: has classes in {parts[0]}/ only, {_LAYOUT}")
    class_names = _class_names(root / "train" if parts else root)
    if not parts:
        every = _list_images(root, class_names, size)
        train, test = (every.take(part) for part in hold_out(every.labels, _TEST_SHARE))
        if not test.labels.size:
            raise DataError(f"{plain(root)}: {len(every.labels)} images, expected more; {_LAYOUT}")
        return class_names, train, test
    different = set(class_names) ^ set(_class_names(root / "val"))
    if different:
        raise DataError(
            f"{plain(root)}: class {_told_apart(different)} is in train/ or val/ only, "
            "expected the same classes in both; add the missing folder or move the other away"
        )
    train, test = (_list_images(root / part, class_names, size) for part in ("train", "val"))
    return class_names, train, test


def _told_apart(names: set[str]) -> str:
    """The first of the names, by its code points where another one looks the same."""
    first = min(names)

    def looks(name: str) -> str:
        return unicodedata.normalize("NFKC", name).strip()

    same = [name for name in names if looks(name) == looks(first)]
    return ascii(first) if len(same) > 1 or first != first.strip() else plain(Path(first))


def _has_folders(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_dir() for path in _visible(folder))


def _visible(folder: Path) -> list[Path]:
    """What lies in a folder, without what systems leave in it by themselves."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name not in _LEFT_BY_SYSTEMS
    )


def _class_names(folder: Path) -> tuple[str, ...]:
    """Names of the class folders in alphabetical order; the position is the label."""
    paths = _visible(folder)
    for path in paths:
        if path.suffix.lower() in Image.registered_extensions() and not path.is_dir():
            raise DataError(
                f"{plain(path)}: an image in no class, {_LAYOUT}; move it into a class's folder"
            )
    names = tuple(path.name for path in paths if path.is_dir())
    if len(names) < 2:
        raise DataError(f"{plain(folder)}: {len(names)} class folders, {_LAYOUT}")
    return names


def _list_images(folder: Path, class_names: tuple[str, ...], size: int) -> Split:
    """All images of all classes in a fixed mixed order.

    Mixed, because the first images of a split serve as a sample of it, and on disk they would all
    be of one class.
    """
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        paths = _image_files(folder / name)
        files += paths
        labels += [label] * len(paths)
    mixed = generator(0, "image_folder").permutation(len(files))
    images = StreamedImages.listed(files, size)
    return Split(images, np.array(labels, np.int32)).take(mixed)


def _image_files(folder: Path) -> list[Path]:
    paths = _visible(folder)
    if not paths:
        raise DataError(f"{plain(folder)}: an empty class, expected images; add some or remove it")
    for path in paths:
        if not path.is_file():
            raise DataError(f"{plain(path)}: not a file, expected images only; move it away")
    return paths


def _decoded_if_within(split: Split, budget: int) -> Split:
    """The split in memory if its images take at most `budget` bytes, else as it is."""
    streamed = split.images
    if isinstance(streamed, np.ndarray) or np.prod(streamed.shape) > budget:
        return split
    images = np.empty(streamed.shape, np.uint8)
    for start in watched(range(0, len(images), _AT_ONCE), "decoding images"):
        rows = np.arange(start, min(start + _AT_ONCE, len(images)))
        images[rows] = streamed.read(rows)
    return Split(images, split.labels)


def _digest(root: Path, *splits: Split) -> str:
    digest = hashlib.sha256()
    for split in splits:
        if isinstance(split.images, np.ndarray):
            digest.update(split.images.data)
        else:
            for file_digest in manifest.digests(root, split.images):
                digest.update(file_digest)
        digest.update(label_bytes(split.labels))
    return digest.hexdigest()
