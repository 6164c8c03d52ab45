"""A user's own files: what they may say, and what is refused."""

import pytest

from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, choices_of

HEADER = "# @package _global_\n"
MINE = HEADER + (
    "defaults:\n  - override /model: inception\n  - override /bn: x5\n  - override /scale: smoke\n"
    "activation: elu\nmodel:\n  width: 0.5\n"
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file of the user's folder."""
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path))

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


def test_an_experiment_of_ones_own_is_composed_and_named(write):
    write("experiment/mine.yaml", MINE)
    composition = compose(["experiment=mine"])
    assert (composition.name, composition.experiment) == ("mine-smoke", "mine")
    assert (composition.config.activation, composition.config.model.width) == ("elu", 0.5)
    assert compose(["experiment=mine", "scale=cpu"]).name == "mine-cpu"
    assert compose(["experiment=mine", "seed=3", "train_steps=5"]).name.startswith("mine-smoke-")
    assert "mine" in choices_of("experiment")


def test_an_experiment_of_ones_own_may_differ_at_a_scale(write):
    write("experiment/mine.yaml", MINE)
    write("at_scale/cpu_mine.yaml", HEADER + "train_steps: 77\n")
    assert compose(["experiment=mine", "scale=cpu"]).config.train_steps == 77
    assert compose(["experiment=mine"]).config.train_steps == 400


def test_files_of_ones_own_change_no_name_of_ours(write):
    write("bn/aaa.yaml", HEADER + "placement: before\n")
    write("experiment/aaa.yaml", MINE.replace("activation: elu\nmodel:\n  width: 0.5\n", ""))
    assert compose([]).name == "mlp-digits-x1"
    assert compose(["experiment=bn_x5"]).name == "bn_x5-smoke"
    assert compose(["experiment=aaa"]).name == "bn_x5-smoke"
    assert compose(["bn=aaa"]).name == "mlp-digits-x1"


def test_a_group_file_of_ones_own(write):
    write(
        "model/mine.yaml",
        HEADER + "model:\n  name: cnn\n  width: 2.0\n  hidden_layers: 1\nactivation: gelu\n",
    )
    composition = compose(["model=mine"])
    assert composition.config.model.name == "cnn"
    assert composition.name.startswith("cnn-digits-x1-")


REFUSED = {
    "seed: 1\n": "expected '# @package _global_' as its first line",
    "# @package hydra\nseed: 1\n": "expected '# @package _global_' as its first line",
    HEADER + "lerning_rate: 1\n": "lerning_rate: no such key; did you mean 'learning_rate'?",
    HEADER + "learning_rate: abc\n": "learning_rate=abc: expected a number",
    HEADER + "learning_rate: .nan\n": "expected a finite number",
    HEADER + "seed: [1]\n": "seed: expected a whole number, got a list",
    HEADER + "seed: true\n": "seed: expected a whole number, got True",
    HEADER + "results_dir: yes\n": "results_dir: expected text, got True",
    HEADER + "model.width: 1\n": "model.width: expected 'model:' with 'width:' below it",
    HEADER + "seed: {a: 1}\n": "seed: expected a whole number, got a mapping",
    HEADER + "model: {}\n": "model: expected keys with values, got none",
    HEADER + "model:\n  widht: 1\n": "model.widht: no such key; did you mean 'model.width'?",
    HEADER + "seed: ${oc.env:HOME}\n": "${...} is not looked up",
    HEADER + "seed: !!python/object/apply:os.system [ls]\n": "no anchors, aliases and tags",
    HEADER + "a: &a [1]\nb: [*a, *a]\n": "no anchors, aliases and tags",
    HEADER + "hydra:\n  run:\n    dir: x\n": "hydra.run: no such key",
    HEADER + "_target_: os.system\n": "_target_: no such key",
    HEADER + "defaults:\n  - override /bn: x6\n": "bn=x6: expected one of none, x1, x30, x5",
    HEADER + "defaults:\n  - override /hydra/launcher: basic\n": "expected entries such as",
    HEADER + "defaults:\n  - /bn: x5\n": "defaults: expected entries such as",
    HEADER + "defaults: x5\n": "defaults: expected entries such as",
    HEADER + "defaults:\n  - override /experiment: bn_x5\n": "cannot choose experiment",
    HEADER + "- seed\n": "expected keys with values",
    HEADER + "[" * 3_000: "cannot be read as YAML",
    HEADER + "# " + "x" * 200_000: "expected at most 100,000 bytes",
}


@pytest.mark.parametrize("text", list(REFUSED))
def test_what_a_file_may_not_say(write, text):
    write("experiment/mine.yaml", text)
    with pytest.raises(ConfigError) as raised:
        compose(["experiment=mine"])
    assert "experiment/mine.yaml: " in str(raised.value)
    assert REFUSED[text] in str(raised.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("config.yaml", "expected files in folders named as groups"),
        ("schema.yaml", "expected files in folders named as groups"),
        ("hydra/launcher/mine.yaml", "expected files in folders named as groups"),
        ("experiment/bn_x5.yaml", "bnrepro has experiment=bn_x5 itself"),
        ("at_scale/smoke_bn_x5.yaml", "what bnrepro's own experiments mean is fixed"),
    ],
)
def test_where_a_file_may_not_stand(write, path, message):
    write(path, HEADER)
    with pytest.raises(ConfigError, match=message):
        compose([])
