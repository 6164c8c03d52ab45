"""CIFAR-10's archive: read in place, by checksum, without running what a pickle says."""

import dataclasses
import hashlib
import io
import os
import pickle
import pickletools
import tarfile
from pathlib import Path

import numpy as np
import pytest

from bnrepro import data
from bnrepro.config import DataConfig
from bnrepro.data import DataError, cifar10

FOLDER = "cifar-10-batches-py"
ARCHIVE = "cifar-10-python.tar.gz"


def batch_bytes(images, labels):
    """A batch as Python 2 wrote it: protocol 2, byte strings, an array through `_reconstruct`."""
    raw = images.transpose(0, 3, 1, 2).tobytes()
    shape = b"J%bM\x00\x0c\x86" % len(images).to_bytes(4, "little")  # (examples, 3072)
    nothing = b"J\xff\xff\xff\xff"
    byte = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNN" + 2 * nothing + b"K\x00tb"
    content = b"T%b%b" % (len(raw).to_bytes(4, "little"), raw)
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    array += b"(K\x01" + shape + byte + b"\x89" + content + b"tb"
    numbers = b"](" + b"".join(b"K%c" % label for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels" + numbers + b"u."


@pytest.fixture(scope="module")
def members():
    """The seven members with 20 images each."""
    generator = np.random.default_rng(0)
    names = [name for name in cifar10.SOURCE.md5 if name != "batches.meta"]
    made = {"batches.meta": pickle.dumps({"label_names": ["airplane"]}, protocol=2)}
    for name in names:
        images = generator.integers(0, 256, (20, 32, 32, 3)).astype(np.uint8)
        made[name] = batch_bytes(images, np.arange(20) % 10)
    return made


@pytest.fixture
def sealed(members, monkeypatch, tmp_path):
    """A config whose root is empty, the members' checksums being the published ones."""
    seal(monkeypatch, members)
    (tmp_path / "cifar10").mkdir()
    return DataConfig("cifar10", str(tmp_path), False, 32, "test", False, 0)


def seal(monkeypatch, members):
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in members.items()}
    small = dataclasses.replace(cifar10.SOURCE, md5=md5, num_examples=(100, 20))
    monkeypatch.setattr(cifar10, "SOURCE", small)


def write_archive(config, members, extra=(), prefix=""):
    path = Path(config.root, "cifar10", ARCHIVE)
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for entry in extra:
            tar.addfile(entry)
        for name, content in members.items():
            entry = tarfile.TarInfo(f"{prefix}{FOLDER}/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def write_folder(config, members):
    folder = Path(config.root, "cifar10", FOLDER)
    folder.mkdir()
    for name, content in members.items():
        folder.joinpath(name).write_bytes(content)
    return folder


def refusal(config):
    with pytest.raises(DataError) as refused:
        data.load(config)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_archive_and_folder_are_read_alike(sealed, members):
    path = write_archive(sealed, members)
    packed = data.load(sealed)
    path.unlink()
    write_folder(sealed, members)
    unpacked = data.load(sealed)
    assert packed.sha256 == unpacked.sha256
    assert packed.train.images.shape == (100, 32, 32, 3)
    assert packed.evaluation.labels.tolist() == [*range(10)] * 2


def test_images_come_out_as_they_went_in():
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    read, labels = cifar10.parse(batch_bytes(images, [3, 1, 4, 1]), "test_batch")
    np.testing.assert_array_equal(read, images)
    assert labels.tolist() == [3, 1, 4, 1]


def test_the_order_of_members_and_their_prefix_do_not_matter(sealed, members):
    path = write_archive(sealed, members)
    first = data.load(sealed).sha256
    path.unlink()
    write_archive(sealed, dict(reversed(members.items())), prefix="./")
    assert data.load(sealed).sha256 == first


def test_hostile_members_are_passed_over_and_nothing_is_unpacked(sealed, members, tmp_path):
    outside = tmp_path / "outside"
    hostile = []
    for name in ("../outside", "/tmp/../" + str(outside), f"{FOLDER}/../../outside"):
        hostile.append(tarfile.TarInfo(name))
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        link = tarfile.TarInfo(f"{FOLDER}/data_batch_1")
        link.type, link.linkname = kind, "/etc/passwd"
        hostile.append(link)
    write_archive(sealed, members, extra=hostile)
    before = sorted(tmp_path.rglob("*"))
    assert len(data.load(sealed).train.labels) == 100
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_a_members_place_is_a_missing_member(sealed, members):
    link = tarfile.TarInfo(f"{FOLDER}/data_batch_1")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    rest = {name: content for name, content in members.items() if name != "data_batch_1"}
    write_archive(sealed, rest, extra=[link])
    assert f"without {FOLDER}/data_batch_1" in refusal(sealed)


def test_a_member_too_large_for_memory_is_not_read(sealed, members, monkeypatch):
    monkeypatch.setattr("bnrepro.data.source._LARGEST_MEMBER_BYTES", 1000)
    write_archive(sealed, members)
    assert "without" in refusal(sealed)


def test_an_archive_cut_short_is_refused(sealed, members):
    path = write_archive(sealed, members)
    content = path.read_bytes()
    for length in (0, 10, len(content) // 2):
        path.write_bytes(content[:length])
        assert "bnrepro data download cifar10" in refusal(sealed)


def test_what_is_no_archive_is_refused(sealed):
    path = Path(sealed.root, "cifar10", ARCHIVE)
    path.write_bytes(b"<html>not found</html>")
    assert "expected a gzipped tar archive" in refusal(sealed)
    path.unlink()
    path.mkdir()
    assert "a folder, expected a file" in refusal(sealed)


def test_an_altered_member_is_refused(sealed, members):
    altered = {**members, "data_batch_3": members["data_batch_3"][:-40] + bytes(40)}
    path = write_archive(sealed, altered)
    assert f"{FOLDER}/data_batch_3: md5" in refusal(sealed)
    path.unlink()
    write_folder(sealed, altered)
    assert "data_batch_3: md5" in refusal(sealed)


def test_a_missing_member_of_the_folder_is_refused(sealed, members):
    write_folder(sealed, members).joinpath("batches.meta").unlink()
    assert "batches.meta: no such file" in refusal(sealed)


def test_missing_data_names_both_places(sealed):
    message = refusal(sealed)
    assert f"cifar10/ with {ARCHIVE} or {FOLDER}/" in message
    assert "bnrepro data download cifar10" in message


class Command:
    """Pickles to a call of `function` with `argument`."""

    def __init__(self, function, argument):
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_runs_nothing(protocol, tmp_path):
    trace = tmp_path / "ran"
    for function, argument in (
        (os.system, f"touch {trace}"),
        (eval, f"open({str(trace)!r}, 'w')"),
        (os.mkdir, str(trace)),
    ):
        content = pickle.dumps({b"data": Command(function, argument)}, protocol=protocol)
        with pytest.raises(DataError, match="it names"):
            cifar10.parse(content, "test_batch")
    assert not trace.exists()


def test_names_behind_a_dot_are_not_followed():
    """`numpy.ndarray` is known, what hangs on it is not."""
    content = b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93."
    pickletools.dis(content, out=io.StringIO())
    with pytest.raises(DataError, match="it names"):
        cifar10.parse(content, "test_batch")


def test_arrays_of_objects_are_refused():
    content = batch_bytes(np.zeros((1, 32, 32, 3), np.uint8), [0]).replace(b"U\x02u1", b"U\x02O8")
    with pytest.raises(DataError, match="an array of b'O8'"):
        cifar10.parse(content, "test_batch")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        pickle.dumps([1, 2]),
        pickle.dumps({b"data": 1, b"labels": []}),
        batch_bytes(np.zeros((2, 32, 32, 3), np.uint8), [0]),
        batch_bytes(np.zeros((2, 32, 32, 3), np.uint8), [0, 1])[:-30],
    ],
)
def test_a_damaged_pickle_is_refused(content):
    with pytest.raises(DataError, match="expected a batch of CIFAR-10"):
        cifar10.parse(content, "test_batch")
