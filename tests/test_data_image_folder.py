"""Folders of photographs: layouts, decoding, streaming, and what is refused."""

import os
import shutil
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bnrepro import cli, data
from bnrepro.config import DataConfig
from bnrepro.data import DataError, image_folder, manifest
from bnrepro.data import streaming as streaming_module
from bnrepro.data.streaming import StreamedImages, decode, in_parallel


def config(root, split="test", size=16):
    return DataConfig("image_folder", str(root), False, size, split, True, 4)


def make_image(path, value=0, shape=(20, 30)):
    """A photograph whose colour tells it apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*shape, 3), value, np.uint8)).save(path)


@pytest.fixture
def parted(tmp_path):
    """train/ and val/ with classes cat (dark) and dog (bright)."""
    for part, count in (("train", 10), ("val", 3)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                make_image(tmp_path / part / name / f"{number}.png", 100 * label + number)
    return tmp_path


def refusal(root, **keys):
    with pytest.raises(DataError) as refused:
        data.load(config(root, **keys))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_train_and_val_become_the_two_splits(parted):
    dataset = data.load(config(parted))
    assert dataset.class_names == ("cat", "dog") and dataset.num_classes == 2
    assert dataset.train.images.shape == (20, 16, 16, 3)
    assert dataset.train.images.dtype == np.uint8 and dataset.train.labels.dtype == np.int32
    assert sorted(dataset.train.images[:, 0, 0, 0]) == [*range(10), *range(100, 110)]
    assert sorted(dataset.evaluation.images[:, 0, 0, 0]) == [0, 1, 2, 100, 101, 102]
    for split in (dataset.train, dataset.evaluation):
        np.testing.assert_array_equal(split.images[:, 0, 0, 0] >= 100, split.labels == 1)


def test_the_first_images_are_not_all_of_one_class(parted):
    assert set(data.load(config(parted)).train.labels[:10]) == {0, 1}


def test_tuning_holds_a_tenth_of_train_out(parted):
    dataset = data.load(config(parted, "tuning"))
    assert np.bincount(dataset.train.labels).tolist() == [9, 9]
    assert np.bincount(dataset.evaluation.labels).tolist() == [1, 1]
    every = np.concatenate([dataset.train.images, dataset.evaluation.images])
    assert sorted(every[:, 0, 0, 0]) == [*range(10), *range(100, 110)]


def test_classes_alone_are_divided_80_to_20(parted):
    dataset = data.load(config(parted / "train"))
    assert np.bincount(dataset.train.labels).tolist() == [8, 8]
    assert np.bincount(dataset.evaluation.labels).tolist() == [2, 2]
    assert dataset.sha256 == data.load(config(parted / "train")).sha256


def test_hidden_files_and_documents_beside_the_classes_are_ignored(parted):
    before = data.load(config(parted)).sha256
    (parted / "train/.DS_Store").write_bytes(b"x")
    (parted / "train/cat/.hidden").write_bytes(b"x")
    (parted / "val/.cache").mkdir()
    (parted / "train/words.txt").write_text("cat")
    (parted / "README.md").write_text("cats and dogs")
    assert data.load(config(parted)).sha256 == before


def test_the_same_folder_streams_where_it_does_not_fit(parted, monkeypatch):
    in_memory = data.load(config(parted))
    monkeypatch.setattr(image_folder, "available_memory", lambda: 4 * 6 * 16 * 16 * 3)
    streamed = data.load(config(parted))
    images = streamed.train.images
    assert isinstance(images, StreamedImages)
    assert isinstance(streamed.evaluation.images, np.ndarray)
    assert (images.shape, images.dtype, len(images)) == ((20, 16, 16, 3), np.uint8, 20)
    np.testing.assert_array_equal(images.read(np.arange(20)), in_memory.train.images)
    rows = np.array([3, 3, 0], np.int32)
    np.testing.assert_array_equal(images.read(rows), in_memory.train.images[rows])
    np.testing.assert_array_equal(streamed.train.labels, in_memory.train.labels)


@pytest.mark.parametrize("count", [0, 1, 5, 100, 5_000])
def test_rows_in_parallel_are_in_order(count):
    rows = np.arange(count)
    results = in_parallel(lambda row, other: (row, other), rows, 2 * rows)
    assert list(results) == [(row, 2 * row) for row in range(count)]


def test_rows_in_parallel_do_not_run_away():
    """Whoever reads a million files needs no memory for their results."""
    begun = []
    results = in_parallel(begun.append, np.arange(100_000))
    next(results)
    assert len(begun) < 5_000
    results.close()


def test_the_first_row_that_cannot_be_done_is_told():
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(lambda row: 1 // int(row), np.arange(-1_000, 4_000)))


def test_the_digest_of_streamed_images_follows_the_files(parted, monkeypatch):
    monkeypatch.setattr(image_folder, "available_memory", lambda: 0)
    before = data.load(config(parted)).sha256
    assert data.load(config(parted)).sha256 == before
    make_image(parted / "train/cat/0.png", 7)
    assert data.load(config(parted)).sha256 != before


def test_available_memory_is_that_of_this_machine():
    assert 10**7 < image_folder.available_memory() < 10**14


@pytest.mark.parametrize("shape", [(16, 16), (40, 16), (16, 40), (65, 33), (4, 200)])
def test_the_centre_is_kept_whole_in_height_or_width(shape, tmp_path):
    """The middle of the long side is white, its ends are black."""
    image = np.zeros((*shape, 3), np.uint8)
    height, width = shape
    short = min(shape)
    top, left = (height - short) // 2, (width - short) // 2
    image[top : top + short, left : left + short] = 255
    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    decoded = decode(path, 8)
    assert decoded.shape == (8, 8, 3)
    assert decoded[1:-1, 1:-1].min() == 255


def saved(path, image, **keys):
    image.save(path, **keys)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_images_of_every_kind_become_rgb(mode, tmp_path):
    grey = Image.fromarray(np.full((20, 20), 255, np.uint8))
    if mode == "I;16":
        image = Image.fromarray(np.full((20, 20), 40_000, np.uint16))
    else:
        image = grey.convert(mode)
    suffix = {"CMYK": "jpg", "YCbCr": "jpg"}.get(mode, "png")
    decoded = decode(saved(tmp_path / f"image.{suffix}", image), 8)
    assert decoded.shape == (8, 8, 3) and decoded.dtype == np.uint8
    expected = 40_000 >> 8 if mode == "I;16" else 255
    np.testing.assert_allclose(decoded.astype(int), expected, atol=2)


def test_a_palette_with_transparency_does_not_warn(tmp_path):
    image = Image.new("P", (20, 20))
    image.putpalette([0, 0, 0, 255, 0, 0])
    path = saved(tmp_path / "image.png", image, transparency=b"\x00\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(path, 8).shape == (8, 8, 3)


def test_large_photographs_are_decoded_close_to_their_whole(tmp_path):
    """A JPEG is decoded at a fraction of its size, which must not show."""
    ramp = np.linspace(0, 255, 512, dtype=np.uint8)
    image = Image.fromarray(np.stack(np.broadcast_arrays(ramp, ramp[:, None], ramp), -1))
    path = saved(tmp_path / "image.jpg", image, quality=95)
    whole = np.asarray(image.resize((16, 16), Image.Resampling.BILINEAR)).astype(int)
    np.testing.assert_allclose(decode(path, 16), whole, atol=6)


def bomb(path):
    """A PNG of a few bytes whose header promises 10^10 pixels."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + checksum

    header = (100_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x"))


def cut_short(path):
    make_image(path, 5, (200, 200))
    path.write_bytes(path.read_bytes()[:-30])


BAD_IMAGES = {
    "no image": lambda path: path.write_text("hello"),
    "empty": lambda path: path.write_bytes(b""),
    "bomb": bomb,
    "cut short": cut_short,
    "postscript": lambda path: path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "dangling link": lambda path: path.symlink_to("/nowhere"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_bad_file_is_refused_by_name(kind, suffix, parted):
    path = parted / f"train/dog/bad.{suffix}"
    BAD_IMAGES[kind](path)
    assert refusal(parted).startswith(f"{path}: ")


def test_a_bomb_just_below_pillows_own_limit_is_refused(parted, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert "at most 500 pixels" in refusal(parted)


def test_a_bad_file_is_refused_when_it_is_streamed(parted, monkeypatch):
    monkeypatch.setattr(image_folder, "available_memory", lambda: 0)
    cut_short(parted / "train/dog/bad.jpg")
    images = data.load(config(parted)).train.images
    with pytest.raises(DataError, match="dog/bad.jpg: .*truncated"):
        images.read(np.arange(len(images)))


def test_a_file_that_vanishes_while_it_streams_is_refused(parted, monkeypatch):
    monkeypatch.setattr(image_folder, "available_memory", lambda: 0)
    images = data.load(config(parted)).train.images
    images.paths[0].unlink()
    with pytest.raises(DataError, match="No such file"):
        images.read(np.array([0]))


def test_a_file_that_is_swapped_while_it_streams_is_refused(parted, monkeypatch):
    monkeypatch.setattr(image_folder, "available_memory", lambda: 0)
    images = data.load(config(parted)).train.images
    every = np.arange(len(images))
    images.read(every)
    shutil.copy2(parted / "train/dog/0.png", parted / "swapped.png")
    (parted / "swapped.png").replace(parted / "train/cat/0.png")
    with pytest.raises(DataError, match="cat/0.png: changed since the run began"):
        images.read(every)


def test_names_that_cannot_be_printed_are_escaped(parted):
    (parted / "train/dog/a\nb.png").write_text("hello")
    assert "a\\nb.png" in refusal(parted)


def test_layouts_that_are_not_understood_are_refused(parted, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    assert "0 class folders" in refusal(empty)
    assert "cannot be listed (No such file or directory)" in refusal(empty / "nothing")
    assert "cannot be listed (Not a directory)" in refusal(parted / "train/cat/0.png")
    make_image(empty / "0.png")
    assert "an image in no class" in refusal(empty)
    with pytest.raises(DataError, match="without data.root"):
        data.load(DataConfig("image_folder", None, False, 16, "test", False, 0))


def test_train_without_val_is_refused(parted):
    (parted / "val").rename(parted / "validation")
    assert "has classes in train/ only" in refusal(parted)


def test_classes_may_be_called_train(tmp_path):
    for name in ("train", "car"):
        for number in range(5):
            make_image(tmp_path / name / f"{number}.png", number)
    assert data.load(config(tmp_path)).class_names == ("car", "train")


def test_different_classes_in_train_and_val_are_refused(parted):
    make_image(parted / "val/cow/0.png")
    assert "class cow is in train/ or val/ only" in refusal(parted)


def test_an_empty_class_is_refused(parted):
    (parted / "train/cow").mkdir()
    (parted / "val/cow").mkdir()
    assert f"{parted}/train/cow: an empty class" in refusal(parted)


def test_too_few_images_to_divide_are_refused(tmp_path):
    for name in ("a", "b"):
        make_image(tmp_path / name / "0.png")
    assert "2 images, expected more" in refusal(tmp_path)


def test_tiny_imagenet_as_published(tmp_path):
    archive = Path(os.environ.get("BNREPRO_DATA", ""), "tiny-imagenet/tiny-imagenet-50.tar.gz")
    if not archive.is_file():
        pytest.skip("BNREPRO_DATA names no folder with tiny-imagenet/")
    import tarfile

    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    dataset = data.load(config(tmp_path / "tiny-imagenet-50", size=64))
    assert dataset.train.images.shape == (5000, 64, 64, 3)
    assert np.bincount(dataset.train.labels).tolist() == [100] * 50
    assert np.bincount(dataset.evaluation.labels).tolist() == [20] * 50


# The formats that keep every pixel.
LOSSLESS = ("png", "tif", "webp", "bmp", "ppm")


@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_one_picture_is_the_same_pixels_in_every_format(orientation, tmp_path):
    """Whatever its orientation tag says; BMP and PPM hold none."""
    picture = Image.fromarray(np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3))
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    decoded = []
    for suffix in LOSSLESS:
        keys = {"lossless": True} if suffix == "webp" else {}
        if suffix in ("png", "tif", "webp"):
            keys["exif"] = exif
        decoded.append(decode(saved(tmp_path / f"picture.{suffix}", picture, **keys), 4))
    for other in decoded[1:]:
        np.testing.assert_array_equal(other, decoded[0])


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_one_picture_of_16_bits_is_the_same_pixels_in_every_format(suffix, tmp_path):
    levels = np.arange(16 * 16, dtype=np.uint16).reshape(16, 16) * 257
    path = tmp_path / f"picture.{suffix}"
    if suffix == "pgm":
        path.write_bytes(b"P5 16 16 65535\n" + levels.astype(">u2").tobytes())
    else:
        Image.fromarray(levels).save(path)
    np.testing.assert_array_equal(decode(path, 16)[..., 0], levels >> 8)


def test_a_picture_of_12_bits_is_read(tmp_path):
    levels = np.full((16, 16), 4095, ">u2")
    (tmp_path / "picture.pgm").write_bytes(b"P5 16 16 4095\n" + levels.tobytes())
    assert (decode(tmp_path / "picture.pgm", 8) == 255).all()


def test_what_other_systems_leave_in_folders_is_passed_over(parted):
    expected = data.load(config(parted)).sha256
    (parted / "train" / "__MACOSX").mkdir()
    for name in ("Thumbs.db", "desktop.ini"):
        (parted / "train" / "cat" / name).write_bytes(b"x")
    (parted / "val" / "dog" / "@eaDir").mkdir()
    assert data.load(config(parted)).sha256 == expected


@pytest.mark.parametrize("names", [("caf\u00e9", "cafe\u0301"), ("dog2", "dog2 ")])
def test_class_names_that_look_equal_are_shown_so_that_they_differ(names, parted):
    for part, name in zip(("train", "val"), names, strict=True):
        make_image(parted / part / name / "0.png")
    assert ascii(min(names)) in refusal(parted)


@pytest.fixture
def streaming(parted, monkeypatch, tmp_path_factory):
    """The folder where nothing fits into memory, and a home for its manifest."""
    monkeypatch.setattr(image_folder, "available_memory", lambda: 0)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    return parted


@pytest.fixture
def reads(monkeypatch):
    """The files whose bytes were read for their digests."""
    seen = []
    real = streaming_module._file_digest

    def counting(path):
        seen.append(path)
        return real(path)

    monkeypatch.setattr(streaming_module, "_file_digest", counting)
    return seen


def test_a_known_photograph_is_not_read_again(streaming, reads):
    first = data.load(config(streaming)).sha256
    assert len(reads) == 26
    reads.clear()
    assert data.load(config(streaming)).sha256 == first
    assert reads == []
    make_image(streaming / "train/cat/0.png", 7)
    assert data.load(config(streaming)).sha256 != first
    assert reads == [streaming / "train/cat/0.png"]


def test_a_photograph_of_another_time_is_read_again_and_is_the_same(streaming, reads):
    first = data.load(config(streaming)).sha256
    reads.clear()
    os.utime(streaming / "train/cat/3.png", ns=(1, 1))
    assert data.load(config(streaming)).sha256 == first
    assert reads == [streaming / "train/cat/3.png"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive"])
def test_a_damaged_manifest_is_made_again(content, streaming, reads):
    first = data.load(config(streaming)).sha256
    manifest.path_of(streaming).write_bytes(content)
    reads.clear()
    assert data.load(config(streaming)).sha256 == first
    assert len(reads) == 26


def test_a_manifest_that_cannot_be_kept_is_one_line(streaming, capsys):
    place = manifest.path_of(streaming).parent
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("in the way")
    data.load(config(streaming))
    said = capsys.readouterr().err.splitlines()
    assert said and all("cannot be kept" in line for line in said)


def test_verify_reads_every_byte(streaming, capsys):
    words = ["data", "verify", "image_folder", f"data.root={streaming}"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out == "26 photographs: 0 as before, 26 new\n"
    assert cli.main(words) == 0
    assert capsys.readouterr().out == "26 photographs: 26 as before, 0 new\n"
    path = streaming / "val/dog/1.png"
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cli.main(words) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert str(path) in first and "other bytes than before" in first
    assert last == "26 photographs: 25 as before, 0 new"


def test_photographs_without_a_folder_are_not_verified(capsys):
    assert cli.main(["data", "verify", "image_folder"]) == 2
    assert "add data.root=FOLDER" in capsys.readouterr().err
