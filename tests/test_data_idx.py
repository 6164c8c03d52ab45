"""MNIST's files: read when whole, refused in one line when not."""

import dataclasses
import gzip
import hashlib
import os
import struct

import numpy as np
import pytest

from bnrepro.config import DataConfig
from bnrepro.data import DataError, idx, mnist
from bnrepro.data.source import data_root

CONFIG = DataConfig("mnist", None, False, 28, "test", False, 0)


def idx_bytes(array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


@pytest.fixture
def small(tmp_path):
    """(source, config, folder) of a small set in MNIST's format."""
    generator = np.random.default_rng(0)
    contents = {}
    for part, count in (("train", 30), ("t10k", 20)):
        images = generator.integers(0, 256, (count, 28, 28))
        contents[f"{part}-images-idx3-ubyte.gz"] = idx_bytes(images)
        contents[f"{part}-labels-idx1-ubyte.gz"] = idx_bytes(np.arange(count) % 10)
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name, content in contents.items():
        folder.joinpath(name).write_bytes(content)
    return resealed(folder), dataclasses.replace(CONFIG, root=str(tmp_path)), folder


def resealed(folder):
    """MNIST's source with the checksums of the files that lie in `folder`."""
    md5 = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in mnist.SOURCE.md5}
    return dataclasses.replace(mnist.SOURCE, md5=md5)


def refusal(source, config):
    with pytest.raises(DataError) as refused:
        idx.load(source, config)
    message = str(refused.value)
    assert "\n" not in message and "bnrepro data download mnist" in message
    return message


def test_whole_files_are_read(small):
    source, config, _ = small
    dataset = idx.load(source, config)
    assert dataset.train.images.shape == (30, 28, 28, 1)
    assert dataset.evaluation.labels.tolist() == [*range(10)] * 2
    assert dataset.evaluation.labels.dtype == np.int32


def test_digest_is_of_images_and_labels_in_order(small):
    source, config, _ = small
    dataset = idx.load(source, config)
    parts = (dataset.train.images, dataset.train.labels)
    parts += (dataset.evaluation.images, dataset.evaluation.labels)
    expected = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert dataset.sha256 == expected


def test_missing_files_name_the_command_and_the_places(small):
    source, config, folder = small
    folder.joinpath("t10k-labels-idx1-ubyte.gz").unlink()
    message = refusal(source, config)
    assert f"{folder}/t10k-labels-idx1-ubyte.gz: no such file" in message
    assert "data.root" in message and "BNREPRO_DATA" in message


def test_a_missing_root_is_a_missing_file(small, tmp_path):
    source, config, _ = small
    for root in (tmp_path / "nothing", tmp_path / "mnist/train-images-idx3-ubyte.gz"):
        assert "no such file" in refusal(source, dataclasses.replace(config, root=str(root)))


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_a_file_cut_short_is_refused(small, name):
    source, config, folder = small
    content = folder.joinpath(name).read_bytes()
    folder.joinpath(name).write_bytes(content[:-10])
    assert f"{name}: md5" in refusal(source, config)


def test_an_altered_file_is_refused(small):
    source, config, folder = small
    path = folder / "train-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    assert f"expected md5 {source.md5[path.name]}" in refusal(source, config)


def test_an_empty_file_is_refused(small):
    source, config, folder = small
    folder.joinpath("train-images-idx3-ubyte.gz").write_bytes(b"")
    assert "an empty file" in refusal(source, config)


def test_a_folder_in_a_files_place_is_refused(small):
    source, config, folder = small
    path = folder / "train-images-idx3-ubyte.gz"
    path.unlink()
    path.mkdir()
    assert "a folder, expected a file" in refusal(source, config)


def test_a_pipe_in_a_files_place_does_not_hang(small):
    source, config, folder = small
    path = folder / "train-images-idx3-ubyte.gz"
    path.unlink()
    os.mkfifo(path)
    assert "no plain file" in refusal(source, config)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_refused(small):
    source, config, folder = small
    folder.joinpath("train-images-idx3-ubyte.gz").chmod(0)
    with pytest.raises(DataError, match="cannot be read .* permissions"):
        idx.load(source, config)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no gzip at all", "[Nn]ot a gzipped file"),
        (idx_bytes(np.zeros((4, 28, 28)))[:-12], "ended before"),
        (gzip.compress(b"\0\0", mtime=0), "expected a header of 16"),
        (gzip.compress(b"\0\0\x08\x01" + bytes(12), mtime=0), "header 00000801, expected 00000803"),
        (
            gzip.compress(struct.pack(">HBB3I", 0, 8, 3, 9, 28, 28) + bytes(7), mtime=0),
            "expected 7072",
        ),
    ],
)
def test_a_file_of_the_right_checksum_and_the_wrong_format_is_refused(small, content, reason):
    _, config, folder = small
    folder.joinpath("train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        idx.load(resealed(folder), config)


def test_files_that_a_mirror_has_packed_again_are_known_by_what_they_hold(small):
    source, config, folder = small
    expected = idx.load(source, config).sha256
    held = {path.name: gzip.decompress(path.read_bytes()) for path in folder.iterdir()}
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in held.items()}
    packed_again = dataclasses.replace(source, unpacked_md5=md5)
    for name, content in held.items():
        folder.joinpath(name).write_bytes(gzip.compress(content, 1, mtime=1))
    assert idx.load(packed_again, config).sha256 == expected
    folder.joinpath(name).write_bytes(gzip.compress(content[:-1] + b"\xff", mtime=0))
    assert "cut short or altered" in refusal(packed_again, config)


def test_mnists_checksums_of_what_is_packed_are_of_the_published_files():
    folder = data_root(None) / "mnist"
    if not folder.is_dir():
        pytest.skip("BNREPRO_DATA names no folder with mnist/")
    for name, md5 in mnist.SOURCE.unpacked_md5.items():
        content = folder.joinpath(name).read_bytes()
        assert hashlib.md5(content).hexdigest() == mnist.SOURCE.md5[name]
        assert hashlib.md5(gzip.decompress(content)).hexdigest() == md5


def test_files_that_are_unpacked_already_are_named(small):
    source, config, folder = small
    path = folder / "train-images-idx3-ubyte.gz"
    path.rename(path.with_suffix(""))
    assert "run `gzip train-images-idx3-ubyte` in that folder" in refusal(source, config)
