"""Photographs on disk as an array of equal uint8 images, decoded in parallel when they are read."""

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from bnrepro.config import one_line
from bnrepro.data.source import DataError, plain

Result = TypeVar("Result")

# Those that decode by themselves; Pillow hands others (EPS, ...) to programs outside.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
# Rows in work: enough to keep every core busy, few enough that a million files cost no memory.
_ROWS_IN_WORK = 1024
# Of a task at most: who waits for the results is woken so seldom that it takes no core's time.
_ROWS_PER_TASK = 16
# At least, where there are few rows: all cores end at about the same time.
_TASKS_PER_CORE = 4

# What takes back that an orientation tag was followed.
_UNDONE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

# Pillow only warns of an image that unfolds to gigabytes until it is twice over its limit.
warnings.simplefilter("error", Image.DecompressionBombWarning)


@dataclass(frozen=True)
class StreamedImages:
    """Image files that read as a uint8 array, (examples, size, size, 3)."""

    paths: np.ndarray  # (examples,) of Path
    stamps: np.ndarray  # (examples, 3) int64, what `_stamp` said when the files were listed
    size: int

    @classmethod
    def listed(cls, paths: Sequence[Path], size: int) -> "StreamedImages":
        """The files at `paths` as they lie there now; raises OSError where one is missing."""
        return cls(np.array(paths), np.array([_stamp(path) for path in paths], np.int64), size)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape of the array that all images would make."""
        return len(self.paths), self.size, self.size, 3

    @property
    def dtype(self) -> np.dtype:
        """The number format of that array."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: np.ndarray) -> "StreamedImages":
        """The images at `indices`, still on disk."""
        return StreamedImages(self.paths[indices], self.stamps[indices], self.size)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """The images at `indices`, decoded: uint8 (n, size, size, 3).

        Raises:
            DataError: if one of the files is no image, cut short, too large, or has changed since
                it was listed.
        """

        def decode_unchanged(image: np.ndarray, path: Path, stamp: np.ndarray) -> None:
            image[...] = decode(path, self.size)
            _require_unchanged(path, stamp)

        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for _ in in_parallel(decode_unchanged, images, self.paths[indices], self.stamps[indices]):
            pass
        return images

    def file_digests(self) -> Iterator[bytes]:
        """The sha256 of each file's bytes, in order; raises DataError for an unreadable one."""
        return in_parallel(_file_digest, self.paths)


def decode(path: Path, size: int) -> np.ndarray:
    """One image as uint8 (size, size, 3): short side resized to `size`, centre cropped.

    Grey, CMYK and palette images become RGB, an alpha channel is dropped, an animation gives its
    first frame; a camera's orientation tag is not followed, as is usual for ImageNet. The same
    picture has the same pixels in every lossless format; of 16 bits the upper eight count.

    Raises:
        DataError: if it is no image, cut short or too large.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            # A JPEG decodes to a half, a quarter or an eighth at once: still at least twice `size`.
            image.draft(None, (2 * size, 2 * size))
            colour = _colour(_as_stored(image))
            return np.asarray(ImageOps.fit(colour, (size, size), Image.Resampling.BILINEAR))
    except UnidentifiedImageError as error:
        raise _refused(path, "no image") from error
    # Pillow's decoders meet a damaged file with exceptions of many kinds.
    except Exception as error:
        raise _refused(path, one_line(error)) from error


def in_parallel(task: Callable[..., Result], *columns: np.ndarray) -> Iterator[Result]:
    """The task's result for each row of the columns, in order, computed by all cores."""
    count = len(columns[0])
    rows = max(1, min(_ROWS_PER_TASK, count // (_TASKS_PER_CORE * _num_cores())))

    def some(start: int) -> list[Result]:
        parts = [column[start : start + rows] for column in columns]
        return [task(*row) for row in zip(*parts, strict=True)]

    waiting: deque[Future[list[Result]]] = deque()
    try:
        for start in range(0, count, rows):
            waiting.append(_pool().submit(some, start))
            if len(waiting) * rows >= _ROWS_IN_WORK:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _stamp(path: Path) -> tuple[int, int, int]:
    """What differs between two files of one name, without reading them."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _require_unchanged(path: Path, stamp: np.ndarray) -> None:
    if _stamp(path) != tuple(stamp):
        raise DataError(
            f"{plain(path)}: changed since the run began, expected the file that it was; put it "
            "back and run the same command again"
        )


def _as_stored(image: Image.Image) -> Image.Image:
    """The image without its orientation tag being followed: of a TIFF Pillow follows it."""
    if image.format != "TIFF":
        return image
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    back = _UNDONE.get(orientation or 1)
    return image if back is None else image.transpose(back)


def _colour(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow's own conversion turns all but the darkest 256 levels white.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "I" and image.format == "PPM":
        # Pillow has brought every depth above 8 bits to 16.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError("more than 16 bits a pixel")
    if image.mode == "P":
        # Transparency of a palette is only understood on the way to RGBA.
        image = image.convert("RGBA")
    # Pillow copies what is RGB already.
    return image if image.mode == "RGB" else image.convert("RGB")


def _refused(path: Path, reason: str) -> DataError:
    return DataError(
        f"{plain(path)}: {reason}; expected a whole image ({', '.join(FORMATS)}) of at most "
        f"{Image.MAX_IMAGE_PIXELS:,} pixels; replace the file or move it out of the data set"
    )


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise _refused(path, f"cannot be read ({error.strerror})") from error


@cache
def _num_cores() -> int:
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads suffice: Pillow and hashlib let go of the interpreter while they work."""
    return ThreadPoolExecutor(_num_cores(), thread_name_prefix="decode")
