"""A recorded config as the words that somebody would type."""

import shlex

import pytest

from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.config.study import plan
from bnrepro.records import again
from bnrepro.records.run_directory import recorded_config


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bn=none"],
        ["bn=x5", "activation=tanh"],
        ["normalization=group", "data=mnist"],
        ["model=inception", "bn=x30", "data=cifar10"],
        ["optimizer=adam", "learning_rate=0.01"],
        ["experiment=bn_x5", "scale=cpu"],
        ["experiment=inception", "scale=smoke", "train_steps=77"],
        ["experiment=figure_1_plain", "percentiles.every=0"],
        ["schedule=step", "schedule.decay_steps=500", "placement=after"],
        ["model=application", "model.application=MobileNetV2", "bn=none"],
    ],
)
def test_a_record_is_trained_again_with_no_more_words_than_it_took(words):
    found = again.words(recorded_config(compose(words).config))
    assert compose(found).config == compose(words).config
    assert len(found) <= len(words)


def test_images_of_ones_own_are_somewhere(tmp_path):
    config = compose(["data=image_folder", f"data.root={tmp_path}", "bn=none"]).config
    assert "data.root=FOLDER" in again.words(recorded_config(config))


def test_a_command_has_its_seeds_and_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = recorded_config(compose(["bn=x5"]).config)
    assert again.command(config, [0]) == "bnrepro run bn=x5"
    assert again.command(config, [3], tmp_path / "results") == "bnrepro run bn=x5 seed=3"
    elsewhere = again.command(config, [2, 0, 2], tmp_path / "my results")
    assert elsewhere == "bnrepro sweep bn=x5 seed=0,2 'results_dir=my results'"
    assert [run.seed for run in plan(shlex.split(elsewhere)[2:])] == [0, 2]


def test_a_config_that_is_none_is_refused():
    config = recorded_config(compose([]).config)
    with pytest.raises(ConfigError, match="activation=swish: expected one of"):
        again.words({**config, "activation": "swish"})
