"""What the laboratory computes at scale=gpu: it is composed here, and trained where a GPU is."""

from dataclasses import replace
from importlib import import_module

import pandas as pd
import pytest

from bnrepro.lab import (
    dropout,
    ghost_batches,
    recurrent,
    residual_networks,
    surfaces,
    training_path,
)
from bnrepro.lab.studies import STUDIES
from bnrepro.records.laboratory import FOR_GPU, GPU


@pytest.mark.parametrize("name", STUDIES)
def test_the_studies_that_are_said_to_have_the_scale_have_it(name):
    settings = getattr(import_module(f"bnrepro.lab.{name}"), "SETTINGS", {})
    assert (GPU in settings) == (name in FOR_GPU)


def test_networks_on_little_data_are_convolutions_on_cifar10():
    setting = dropout.SETTINGS[GPU]
    dropped = [dropout.recipe(cell, 0.1, 0, setting) for cell in dropout.CELLS]
    setting = ghost_batches.SETTINGS[GPU]
    parted = [
        ghost_batches.recipe(kind, size, 0.1, 0, setting)
        for kind in ("ghosts", "noise", "fixed")
        for size in setting.sizes
    ]
    assert {(each.model.name, each.data.name) for each in (*dropped, *parted)} == {
        ("cnn", "cifar10")
    }
    assert all(each.schedule.decay_steps == each.train_steps for each in (*dropped, *parted))
    assert all(setting.sizes[0] % size == 0 for size in setting.sizes)


def test_a_long_short_term_memory_has_a_hundred_units_and_ten_times_the_steps():
    setting, published = recurrent.SETTINGS[GPU], recurrent.SETTINGS["published"]
    for network in recurrent.NETWORKS:
        config = recurrent._recipe(setting, network, 0.1, 0, setting.steps)
        assert (config.model.width, config.train_steps) == (1, 10 * published.steps)


@pytest.mark.parametrize(("blocks", "layers"), [(3, 20), (9, 56), (18, 110)])
def test_surfaces_are_around_the_networks_of_the_papers_on_them(blocks, layers):
    setting = surfaces.SETTINGS[GPU]
    assert blocks in setting.blocks and 6 * blocks + 2 == layers
    for network in surfaces.NETWORKS:
        config = surfaces._composition(setting, network, blocks, 0).config
        assert (config.model.width, config.model.blocks) == (1, blocks)
        assert config.schedule.decay_steps == setting.steps == 60 * (50_000 // 128)


def test_residual_networks_are_of_110_layers_at_their_whole_width():
    setting = residual_networks.SETTINGS[GPU]
    for network in residual_networks.NETWORKS:
        config = residual_networks._composition(setting, network, 0, setting.rates[0]).config
        assert (6 * config.model.blocks + 2, config.model.width) == (110, 1)
        assert (config.data.name, config.train_steps) == ("cifar10", setting.steps)


@pytest.mark.slow
def test_the_path_of_convolutions_is_computed_as_that_of_dense_layers_is(tmp_path, monkeypatch):
    at_gpu = training_path.SETTINGS[GPU]
    few = replace(at_gpu, seeds=(0, 1), snapshots=2, steps=4, plane_points=3, examples=8)
    small = ("data=digits", "batch_size=16", "model.width=0.25")
    setting = replace(few, words=(*at_gpu.words, *small))
    monkeypatch.setitem(training_path.SETTINGS, GPU, setting)
    training_path.compute(tmp_path, GPU)
    assert pd.read_csv(tmp_path / "setting.csv").to_dict("records") == [
        {"data": "digits", "model": "cnn"}
    ]
    assert pd.read_csv(tmp_path / "shares.csv")["seed"].unique().tolist() == [0, 1]
    assert pd.read_csv(tmp_path / "planes.csv")["loss"].notna().all()
