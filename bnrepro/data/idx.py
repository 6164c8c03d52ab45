"""The IDX format of MNIST: a type, the dimensions, then the bytes; all integers are big-endian."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from bnrepro.config import DataConfig
from bnrepro.data.dataset import Dataset, Split, assemble
from bnrepro.data.source import DataError, Source, data_root, plain, read_file

_UNSIGNED_BYTE = 8


def load(source: Source, config: DataConfig) -> Dataset:
    """A data set of four IDX files, images of one channel.

    Raises:
        DataError: if a file is missing, damaged, or not what was published.
    """
    folder = data_root(config.root) / source.folder
    train, test = (
        Split(
            _read(source, folder / f"{part}-images-idx3-ubyte.gz", 3)[..., None],
            _read(source, folder / f"{part}-labels-idx1-ubyte.gz", 1).astype(np.int32),
        )
        for part in ("train", "t10k")
    )
    return assemble(config, train, test, source.class_names)


def parse(raw: bytes, num_dimensions: int) -> np.ndarray:
    """The uint8 array of `num_dimensions` that an IDX file holds.

    Raises:
        ValueError: if `raw` is no such file, or its length is not what its header says.
    """
    header = struct.Struct(f">HBB{num_dimensions}I")
    if len(raw) < header.size:
        raise ValueError(f"{len(raw)} bytes, expected a header of {header.size}")
    zero, kind, dimensions, *shape = header.unpack_from(raw)
    if (zero, kind, dimensions) != (0, _UNSIGNED_BYTE, num_dimensions):
        raise ValueError(f"header {raw[:4].hex()}, expected 000008{num_dimensions:02x}")
    if len(raw) != header.size + math.prod(shape):
        raise ValueError(f"{len(raw)} bytes, expected {header.size + math.prod(shape)}")
    return np.frombuffer(raw, np.uint8, offset=header.size).reshape(shape)


def _read(source: Source, path: Path, num_dimensions: int) -> np.ndarray:
    content = read_file(source, path)
    try:
        return parse(gzip.decompress(content), num_dimensions)
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"{plain(path)}: {error}; expected a gzipped IDX file; delete it and {source.remedy}"
        ) from error
