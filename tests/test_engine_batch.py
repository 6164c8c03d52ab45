"""The batch as the network sees it: each backend against NumPy, image by image."""

import numpy as np
import numpy_batch
import pytest
from engine_process import BACKENDS, ask
from PIL import Image

from bnrepro.data.streaming import StreamedImages

PADDING = 2
RANDOM = np.random.default_rng(0)
RGB = RANDOM.integers(0, 256, (9, 5, 7, 3)).astype(np.uint8)
GREY = RGB[..., :1]
INDICES = np.array([7, 0, 3, 3, 8, 1], np.int32)
# Offsets of 2 are no shift; the first two go past the border as far as they can.
CROP = {
    "offset_y": np.array([0, 4, 2, 1, 3, 2], np.int32),
    "offset_x": np.array([4, 0, 2, 2, 1, 3], np.int32),
}
FLIP = {"flip": np.array([True, False, True, False, False, True])}
COLOURS = {  # the first two images are cut at 1 and at 0
    "brightness": np.array([0.9, -0.9, 0.0, 0.1, -0.1, 0.2], np.float32),
    "contrast": np.array([1.0, 1.0, 0.6, 1.4, 0.8, 1.2], np.float32),
    "saturation": np.array([1.0, 1.0, 1.4, 0.6, 1.2, 0.8], np.float32),
}
DISTORTIONS = {
    "nothing": {},
    "crop": CROP,
    "mirror": FLIP,
    "crop and mirror": {**CROP, **FLIP},
    "colours": COLOURS,
    "everything": {**CROP, **FLIP, **COLOURS},
}


def assembled(backend, images, distortions, *overrides):
    overrides = (f"data.crop_padding={PADDING}", *overrides)
    return ask("assembled", overrides, images, INDICES, distortions, backend=backend)


@pytest.mark.parametrize("images", [RGB, GREY], ids=["rgb", "grey"])
@pytest.mark.parametrize("kind", DISTORTIONS)
@BACKENDS
def test_a_batch_follows_its_formulas(backend, kind, images):
    received = assembled(backend, images, DISTORTIONS[kind])
    expected = numpy_batch.assembled(images, INDICES, DISTORTIONS[kind], PADDING)
    np.testing.assert_allclose(received, expected, rtol=1e-12, atol=1e-12)


@BACKENDS
def test_input_normalization_is_by_the_training_images_own_statistics(backend):
    received = assembled(backend, RGB, DISTORTIONS["everything"], "input_normalization=true")
    expected = numpy_batch.assembled(
        RGB, INDICES, DISTORTIONS["everything"], PADDING, *numpy_batch.scaling(RGB)
    )
    np.testing.assert_allclose(received, expected, rtol=1e-12, atol=1e-12)
    every = ask("assembled", ("input_normalization=true",), RGB, np.arange(9), {}, backend=backend)
    np.testing.assert_allclose(every.mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(every.std((0, 1, 2)), 1, rtol=1e-12)


def test_a_channel_without_variance_is_not_divided_by_zero():
    images = RGB.copy()
    images[..., 1] = 51
    mean, deviation = ask("scaling", ("input_normalization=true",), images, backend="jax")
    assert (round(mean[1], 12), deviation[1]) == (0.2, 1)
    np.testing.assert_allclose(deviation, numpy_batch.scaling(images)[1], rtol=1e-12)


def test_the_first_10_000_images_are_enough_for_the_scaling():
    images = RANDOM.integers(0, 100, (10_500, 1, 2, 3)).astype(np.uint8)
    images[10_000:] = 255
    received = ask("scaling", ("input_normalization=true",), images, backend="jax")
    np.testing.assert_allclose(received, numpy_batch.scaling(images), rtol=1e-12)


@pytest.fixture
def photographs(tmp_path):
    """The square middles of the coloured images, in memory and on disk."""
    square = RGB[:, :, 1:6]
    for number, image in enumerate(square):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return square, StreamedImages.listed([tmp_path / f"{number}.png" for number in range(9)], 5)


def test_photographs_on_disk_are_those_in_memory(photographs):
    square, streamed = photographs
    for images in photographs:
        received = ask("read", (), images, INDICES, backend="jax")
        np.testing.assert_array_equal(received, square[INDICES])
    received = ask("scaling", ("input_normalization=true",), streamed, backend="jax")
    np.testing.assert_allclose(received, numpy_batch.scaling(square), rtol=1e-12)
