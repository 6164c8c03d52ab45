"""A training whose batches are split over several devices is the training on one."""

import re

import numpy as np
import pytest
from engine_process import ask

from bnrepro.config import ConfigError
from bnrepro.config.composition import compose

DEVICES = 8
MEAN_ONLY = "normalization=mean_only"
NETWORKS = {
    "mlp": ("model=mlp", "batch_size=64"),
    "cnn": ("model=cnn", "bn=x5", "dropout=0.2", "distortion=0.5", "l2=0.001"),
    "ghost": ("model=mlp", "batch_size=64", "batch_normalization.statistics_batch=16"),
    "spectral": ("model=mlp", "batch_size=64", "reparametrization=spectral", MEAN_ONLY),
    "weight": ("model=mlp", "batch_size=64", "reparametrization=weight_from_data", MEAN_ONLY),
    "linf": ("model=mlp", "normalization=linf_norm", "batch_size=64"),
    "noise": ("model=mlp", "normalization=noisy_batch", "batch_size=64"),
}
SLOW = {"inception": ("model=inception", "bn=x5", "lrn=true", "batch_size=16")}
EACH = [*NETWORKS.values(), *(pytest.param(each, marks=pytest.mark.slow) for each in SLOW.values())]


def asked(question, overrides, *arguments, **options):
    own = {"backend": "jax", "devices": DEVICES, **options}
    return ask(question, ("data=digits", *overrides), *arguments, **own)


def assert_close(one, other):
    assert one.keys() == other.keys()
    for path, values in one.items():
        np.testing.assert_allclose(other[path], values, rtol=1e-9, atol=1e-12, err_msg=path)


@pytest.mark.parametrize("overrides", EACH, ids=[*NETWORKS, *SLOW])
def test_several_devices_train_as_one(overrides):
    alone, split = (asked("trained", overrides, 20, devices=count) for count in (1, DEVICES))
    assert_close(alone["after"], split["after"])
    np.testing.assert_allclose(split["loss"], alone["loss"], rtol=1e-9)
    np.testing.assert_array_equal(split["num_correct"], alone["num_correct"])
    np.testing.assert_allclose(split["scores"], alone["scores"], rtol=1e-7, atol=1e-9)


def test_what_is_looked_at_is_the_same_on_several_devices():
    alone, split = (asked("inferences", NETWORKS["mlp"], 5, devices=d) for d in (1, DEVICES))
    for way in ("moving_average", "population"):
        np.testing.assert_allclose(split[way], alone[way], rtol=1e-9)
    for one, other in zip(alone["statistics"], split["statistics"], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9)


def test_each_device_works_on_its_part_of_the_batch():
    """Only sums travel between devices: no device is sent images, activations or weights."""
    alone, split = (
        asked("step_program", NETWORKS["cnn"], devices=count, precision="float32")
        for count in (1, DEVICES)
    )
    travelling = set(re.findall(r" (all-[a-z-]+|collective-[a-z-]+)\(", split["text"]))
    assert travelling == {"all-reduce"}
    assert alone["flops"] / split["flops"] > DEVICES / 2


def test_a_batch_that_cannot_be_divided_is_refused():
    with pytest.raises(ConfigError, match="batch_size=60 with 8 devices.*use batch_size=56"):
        asked("trained", ("batch_size=60",), 1)


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(ConfigError, match="devices=9: JAX finds 8 .*use devices=8"):
        asked("found_devices", (), 9)


def test_tensorflow_trains_on_one_device():
    with pytest.raises(ConfigError, match="devices=2 with backend=tensorflow.*use backend=jax"):
        compose(["devices=2"])


@pytest.mark.parametrize("word", ["devices=0", "devices=-1", "devices=some"])
def test_what_is_no_number_of_devices_is_refused(word):
    with pytest.raises(ConfigError, match="devices="):
        compose(["backend=jax", word])


def test_the_number_of_devices_is_no_part_of_a_runs_name():
    assert compose(["backend=jax", "devices=8"]).name == compose(["backend=jax"]).name
