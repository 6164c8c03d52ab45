"""The files of `conf/`, merged by ourselves, mean what Hydra composes of them."""

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro.config import GROUPS, ConfigError, from_flat, hydra_composition, to_flat
from bnrepro.config.merging import merge
from bnrepro.config.naming import is_scaled
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, choices_of

HEADER = "# @package _global_\n"


def assert_same(**choices):
    assert merge(choices) == hydra_composition.config_of(choices)


@pytest.mark.parametrize("experiment", choices_of("experiment"))
def test_every_experiment_at_every_scale(experiment):
    assert_same(experiment=experiment)
    for scale in choices_of("scale") if is_scaled(experiment) else []:
        assert_same(experiment=experiment, scale=scale)


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "experiment"])
def test_every_choice_of_a_group(group):
    for choice in choices_of(group):
        assert_same(**{group: choice})


def test_nothing_chosen():
    assert_same()


some_choices = st.fixed_dictionaries(
    {}, optional={group: st.sampled_from(choices_of(group)) for group in GROUPS}
)


@settings(max_examples=15)
@given(some_choices)
def test_random_choices(choices):
    assert_same(**choices)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file of the user's folder."""
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path))

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(HEADER + text)

    return write


def test_later_groups_win_over_the_choices_of_earlier_ones(write):
    write("scale/mine.yaml", "defaults:\n- override /bn: x30\n- override /data: mnist\n")
    write(
        "experiment/mine.yaml",
        "defaults:\n- override /scale: mine\n- override /bn: none\n- override /model: mine\n",
    )
    write(
        "model/mine.yaml",
        "defaults:\n- override /optimizer: adam\n- override /data: cifar10\n"
        "model: {name: cnn, width: 3, hidden_layers: 2}\nseed: 4\n",
    )
    write("at_scale/cpu_mine.yaml", "train_steps: 77\nactivation: elu\n")
    write("at_scale/mine_mine.yaml", "accelerate: [l2]\nmodel: {width: 1e-1}\n")
    write("at_scale/None_other.yaml", "seed: 5\n")
    write("at_scale/null_other.yaml", "seed: 6\n")
    write("experiment/other.yaml", "learning_rate: 7\n")
    assert merge({"experiment": "mine"}).data.name == "mnist"
    assert merge({"experiment": "mine"}).model.width == 0.1
    for choices in (
        {"experiment": "mine"},
        {"experiment": "mine", "scale": "cpu"},
        {"experiment": "mine", "optimizer": "sgd", "bn": "x5"},
        {"experiment": "bn_x5", "scale": "mine"},
        {"experiment": "other"},
        {"experiment": "other", "model": "mine"},
    ):
        assert_same(**choices)


def test_the_same_group_twice_in_a_file(write):
    write("experiment/mine.yaml", "defaults:\n- override /bn: x5\n- override /bn: none\n")
    assert_same(experiment="mine")


VALUES = {
    "seed": ["3", "1000", "0", "+5"],
    "learning_rate": ["1e-3", "1.5e3", "2", ".5", "1.E+2", "6.02e+2"],
    "batch_size": ["all", "'all'", "64"],
    "normalization": ["null", "layer", "~"],
    "tensorboard": ["no", "True", "off"],
    "accelerate": ["[]", "[l2, 'decay']"],
    "results_dir": ["12", "2001-02-03", "a b", "1.0", "'null'", "on"],
    "data": ["{crop_padding: 2}", "{root: here, binary: yes}", "{train_examples: 7}"],
    "model": ["{width: 2}", "{hidden_layers: 2, width: 1e-1}"],
    "percentiles": ["{every: 5}"],
}
files = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from(values) for key, values in VALUES.items()}
)
chosen = st.lists(
    st.sampled_from(["model", "bn", "data", "optimizer"]).flatmap(
        lambda group: st.sampled_from([f"- override /{group}: {c}" for c in choices_of(group)])
    ),
    max_size=3,
)


@settings(max_examples=15)
@given(files, chosen)
def test_a_random_file_of_the_user(values, defaults):
    text = "\n".join(f"{key}: {value}" for key, value in values.items())
    text = "\n".join(["defaults:", *defaults, text]) if defaults else text
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG_DIRECTORY_VARIABLE, folder)
        (Path(folder) / "experiment").mkdir()
        (Path(folder) / "experiment" / "mine.yaml").write_text(HEADER + text)
        try:
            merged = merge({"experiment": "mine"})
        except ConfigError:
            return
        assert merged == hydra_composition.config_of({"experiment": "mine"})


def test_a_config_that_is_not_whole_is_refused_by_both(write):
    write("model/mine.yaml", "activation: elu\n")
    for config_of in (merge, hydra_composition.config_of):
        with pytest.raises(ConfigError, match="model"):
            config_of({"model": "mine"})


def test_a_flat_config_is_the_config():
    for model, data in itertools.product(choices_of("model"), choices_of("data")):
        config = merge({"model": model, "data": data})
        assert from_flat(to_flat(config)) == config
