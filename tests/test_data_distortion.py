"""Distortions: ranges, independence of how a training is cut up, and nothing where none apply."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro.config.composition import compose
from bnrepro.data.distortion import draw

CONFIG = dataclasses.replace(
    compose(["data=cifar10"]).config, distortion=1.0
)  # crops of 4 pixels, mirrored, coloured


def without(**changes):
    plain = dataclasses.replace(CONFIG.data, crop_padding=0, flip=False, **changes)
    return dataclasses.replace(CONFIG, distortion=0.0, data=plain)


def test_only_what_applies_is_drawn():
    assert draw(without(), 0, 0, 5, 3) == {}
    assert draw(dataclasses.replace(without(), distortion=0.1), 0, 0, 5, 3).keys() == {
        "brightness",
        "contrast",
        "saturation",
    }
    plain = dataclasses.replace(CONFIG, distortion=0.0)
    assert draw(plain, 0, 0, 5, 3).keys() == {"offset_y", "offset_x", "flip"}


def test_types_shapes_and_ranges():
    drawn = draw(CONFIG, 0, 100, 300, 50)
    assert all(values.shape == (200, 50) for values in drawn.values())
    for name in ("offset_y", "offset_x"):
        assert drawn[name].dtype == np.int32
        counts = np.bincount(drawn[name].ravel(), minlength=9)
        assert len(counts) == 9
        np.testing.assert_allclose(counts / 10_000, 1 / 9, atol=0.015)
    assert drawn["flip"].dtype == bool and abs(drawn["flip"].mean() - 0.5) < 0.02
    for name, low, high in (
        ("brightness", -0.2, 0.2),
        ("contrast", 0.6, 1.4),
        ("saturation", 0.6, 1.4),
    ):
        values = drawn[name]
        assert values.dtype == np.float32
        assert low <= values.min() < low + 0.001 and high - 0.001 < values.max() <= high


def test_strength_scales_the_spread():
    full = draw(CONFIG, 0, 0, 9, 5)
    quarter = draw(dataclasses.replace(CONFIG, distortion=0.25), 0, 0, 9, 5)
    np.testing.assert_allclose(quarter["contrast"] - 1, (full["contrast"] - 1) / 4, atol=1e-6)
    np.testing.assert_allclose(quarter["brightness"], full["brightness"] / 4, atol=1e-6)
    np.testing.assert_array_equal(quarter["flip"], full["flip"])


def test_purposes_and_seeds_are_independent():
    drawn = draw(CONFIG, 0, 0, 500, 20)
    assert abs(np.corrcoef(drawn["offset_y"].ravel(), drawn["offset_x"].ravel())[0, 1]) < 0.04
    assert not np.array_equal(drawn["flip"], draw(CONFIG, 1, 0, 500, 20)["flip"])
    assert not np.array_equal(drawn["flip"][0], drawn["flip"][1])


@settings(deadline=None)
@given(
    batch=st.integers(1, 33), cuts=st.lists(st.integers(0, 40), max_size=4), start=st.integers(0)
)
def test_a_resume_draws_the_same(batch, cuts, start):
    start %= 10**9
    whole = draw(CONFIG, 7, start, start + 40, batch)
    edges = [0, *sorted(cuts), 40]
    for a, b in zip(edges, edges[1:], strict=False):
        part = draw(CONFIG, 7, start + a, start + b, batch)
        for name, values in part.items():
            np.testing.assert_array_equal(values, whole[name][a:b])


@pytest.mark.parametrize("steps", [0, 1])
def test_short_segments_have_their_shape(steps):
    assert draw(CONFIG, 0, 3, 3 + steps, 6)["flip"].shape == (steps, 6)
