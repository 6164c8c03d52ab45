"""What every data set promises: types, splits, digests and refusals. Real files where they lie."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro import data
from bnrepro.config import ConfigError, DataConfig
from bnrepro.data import DataError
from bnrepro.data.dataset import Split, choose_splits, hold_out
from bnrepro.data.source import data_root

DIGITS = DataConfig("digits", None, False, 8, "test", False, 0)
MNIST = dataclasses.replace(DIGITS, name="mnist", image_size=28)
CIFAR10 = dataclasses.replace(DIGITS, name="cifar10", image_size=32)


def require_real_data(folder):
    if "BNREPRO_DATA" not in os.environ or not Path(os.environ["BNREPRO_DATA"], folder).is_dir():
        pytest.skip(f"BNREPRO_DATA names no folder with {folder}/")


def assert_well_formed(dataset, train, evaluation, shape):
    for split, count in ((dataset.train, train), (dataset.evaluation, evaluation)):
        assert split.images.shape == (count, *shape) and split.images.dtype == np.uint8
        assert split.labels.shape == (count,) and split.labels.dtype == np.int32
        assert split.images.flags.c_contiguous
        assert set(split.labels) == set(range(dataset.num_classes))
    assert len(dataset.class_names) == dataset.num_classes


def test_digits_are_whole_scaled_and_stratified():
    dataset = data.load(DIGITS)
    assert_well_formed(dataset, 1438, 359, (8, 8, 1))
    assert dataset.train.images.min() == 0 and dataset.train.images.max() == 255
    shares = np.bincount(dataset.evaluation.labels) / 359
    every = np.concatenate([dataset.train.labels, dataset.evaluation.labels])
    np.testing.assert_allclose(shares, np.bincount(every) / 1797, atol=1 / 359)


def test_digits_are_the_same_every_time():
    assert data.load(DIGITS).sha256 == data.load(DIGITS).sha256
    assert data.load(DIGITS).sha256.startswith("cf450faa6c05")


def test_tuning_takes_its_evaluation_from_the_training_set():
    whole = data.load(DIGITS)
    tuning = data.load(dataclasses.replace(DIGITS, evaluation_split="tuning"))
    assert_well_formed(tuning, 1438 - 144, 144, (8, 8, 1))
    parts = np.concatenate([tuning.train.images, tuning.evaluation.images])
    assert sorted(map(bytes, parts)) == sorted(map(bytes, whole.train.images))
    assert tuning.sha256 != whole.sha256


def test_binary_images_are_black_and_white():
    grey = data.load(DIGITS)
    binary = data.load(dataclasses.replace(DIGITS, binary=True))
    assert binary.train.images.dtype == np.uint8
    np.testing.assert_array_equal(binary.train.images, np.where(grey.train.images > 127, 255, 0))
    assert binary.sha256 != grey.sha256


def test_another_image_size_is_refused():
    with pytest.raises(DataError, match="image_size=16 with data=digits: expected 8"):
        data.load(dataclasses.replace(DIGITS, image_size=16))


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'mnist'"):
        data.load(dataclasses.replace(DIGITS, name="mnsit"))


def test_the_root_is_the_key_else_the_variable_else_the_cache(monkeypatch):
    monkeypatch.setenv("BNREPRO_DATA", "/some/where")
    assert data_root("/key") == Path("/key")
    assert data_root(None) == Path("/some/where")
    assert data_root("~/x") == Path.home() / "x"
    monkeypatch.setenv("BNREPRO_DATA", "")
    assert data_root(None) == Path.home() / ".cache/bnrepro"
    with pytest.raises(DataError, match="data.root is empty"):
        data_root("")


def test_looking_at_the_room_loads_nothing_heavy():
    program = (
        "import sys, bnrepro.data, bnrepro.data.order, bnrepro.data.distortion\n"
        "import bnrepro.data.download\n"
        "heavy = {'tensorflow', 'keras', 'jax', 'sklearn', 'PIL', 'pandas', 'scipy'}\n"
        "print(*heavy & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_mnist_as_published():
    require_real_data("mnist")
    dataset = data.load(MNIST)
    assert_well_formed(dataset, 60_000, 10_000, (28, 28, 1))
    assert dataset.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert dataset.evaluation.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert dataset.train.images.mean() == pytest.approx(33.3184, abs=1e-4)


def test_mnist_tuning_is_54000_and_6000():
    require_real_data("mnist")
    dataset = data.load(dataclasses.replace(MNIST, evaluation_split="tuning", binary=True))
    assert_well_formed(dataset, 54_000, 6_000, (28, 28, 1))
    assert np.unique(dataset.train.images).tolist() == [0, 255]


@pytest.fixture(scope="module")
def whole_cifar10():
    require_real_data("cifar10")
    return data.load(CIFAR10)


def test_cifar10_as_published(whole_cifar10):
    train = whole_cifar10.train
    assert_well_formed(whole_cifar10, 50_000, 10_000, (32, 32, 3))
    assert np.bincount(train.labels).tolist() == [5000] * 10
    assert whole_cifar10.class_names[train.labels[0]] == "frog"
    assert train.images[0, 0, 0].tolist() == [59, 62, 63]
    # The published channel means of the training set.
    means = train.images.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=1e-4)


def test_cifar10_tuning_is_exactly_balanced(whole_cifar10):
    tuning = dataclasses.replace(CIFAR10, evaluation_split="tuning")
    train, evaluation = choose_splits(tuning, whole_cifar10.train, whole_cifar10.evaluation)
    assert np.bincount(train.labels).tolist() == [4500] * 10
    assert np.bincount(evaluation.labels).tolist() == [500] * 10
    assert len(train.images) + len(evaluation.images) == len(whole_cifar10.train.images)


def test_ten_thousand_training_images_are_balanced_and_never_those_scored_on(whole_cifar10):
    pilot = dataclasses.replace(CIFAR10, evaluation_split="pilot")
    rest, evaluation = choose_splits(pilot, whole_cifar10.train, whole_cifar10.evaluation)
    assert np.bincount(rest.labels).tolist() == [4000] * 10
    assert np.bincount(evaluation.labels).tolist() == [1000] * 10
    few = dataclasses.replace(pilot, train_examples=10_000)
    train, same = choose_splits(few, whole_cifar10.train, whole_cifar10.evaluation)
    assert np.bincount(train.labels).tolist() == [1000] * 10
    assert np.array_equal(same.images, evaluation.images)
    as_bytes = [{image.tobytes() for image in split.images} for split in (train, evaluation)]
    # CIFAR-10 itself holds some photographs twice.
    assert len(as_bytes[0] & as_bytes[1]) < 5


def test_fewer_training_images_are_drawn_once_for_all_seeds():
    labels = np.repeat(np.arange(4, dtype=np.int32), 10)
    whole = Split(np.arange(40 * 64, dtype=np.uint16).astype(np.uint8).reshape(40, 8, 8, 1), labels)
    few = dataclasses.replace(DIGITS, train_examples=8)
    first, second = (choose_splits(few, whole, whole)[0] for _ in range(2))
    assert np.bincount(first.labels).tolist() == [2, 2, 2, 2]
    assert np.array_equal(first.images, second.images)
    every = choose_splits(dataclasses.replace(DIGITS, train_examples=40), whole, whole)[0]
    assert np.array_equal(every.images, whole.images)
    with pytest.raises(DataError, match="train_examples=41: expected at most 40"):
        choose_splits(dataclasses.replace(DIGITS, train_examples=41), whole, whole)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=8), share=st.sampled_from([0.1, 0.2])
)
def test_holding_out_divides_every_class_alike_and_keeps_one(counts, share):
    labels = np.repeat(np.arange(len(counts)), counts)
    kept, held_out = hold_out(labels, share)
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    parts = np.bincount(labels[held_out], minlength=len(counts))
    assert (np.abs(parts - np.array(counts) * share) < 1).all()
    assert (np.bincount(labels[kept], minlength=len(counts)) >= 1).all()
    assert len(held_out) <= round(len(labels) * share)


def test_a_training_set_too_small_to_divide_is_refused():
    tiny = Split(np.zeros((3, 8, 8, 1), np.uint8), np.arange(3, dtype=np.int32))
    with pytest.raises(DataError, match="tuning with 3 training images"):
        choose_splits(dataclasses.replace(DIGITS, evaluation_split="tuning"), tiny, tiny)
