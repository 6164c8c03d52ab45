"""A user's own files: what they may say, and what is refused."""

import os
import re
import textwrap

import pytest

from bnrepro import cli
from bnrepro.config import ConfigError, hydra_composition, study
from bnrepro.config.composition import compose
from bnrepro.config.merging import merge
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


@pytest.mark.parametrize("text", ["1e4", "10000.0", "1.0E+4", "10000"])
def test_a_whole_number_is_one_however_it_is_written(text, write):
    write("experiment/mine.yaml", HEADER + f"train_steps: {text}\nearly_steps: 1e3\n")
    by_hydra, merged = (
        compose(["experiment=mine"], hydra_composition.config_of),
        compose(["experiment=mine"]),
    )
    assert by_hydra.config == merged.config
    assert (merged.config.train_steps, merged.config.early_steps) == (10_000, 1_000)
    assert type(by_hydra.config.train_steps) is int


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
    HEADER + "train_steps: 1.5e0\n": "train_steps=1.5: expected a whole number",
    HEADER + "train_steps: 1e30\n": "train_steps=",
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
    ],
)
def test_where_a_file_may_not_stand(write, path, message):
    write(path, HEADER)
    with pytest.raises(ConfigError, match=message):
        compose([])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("experiment/bn_x5.yaml", "bnrepro has experiment=bn_x5 itself"),
        ("at_scale/smoke_bn_x5.yaml", "what bnrepro's own experiments mean is fixed"),
    ],
)
@pytest.mark.parametrize("config_of", [merge, hydra_composition.config_of])
def test_a_file_in_the_place_of_ours_is_refused_where_it_would_count(
    write, path, message, config_of
):
    write(path, HEADER + "train_steps: 7\n")
    with pytest.raises(ConfigError, match=message):
        compose(["experiment=bn_x5"], config_of)
    assert compose(["experiment=bn_x30"], config_of).name == "bn_x30-smoke"
    assert compose(["model=inception"], config_of).name == "inception-digits-x1"


BAD = {
    "experiment/bad.yaml": "seed: [",
    "experiment/other.yaml": HEADER + "lerning_rate: 1\n",
    "experiment/my-own.yaml": HEADER + "seed: 1\n",
    "experiment/bn_x5.yaml": HEADER + "seed: 1\n",
    "scale/bad.yaml": "seed: 1\n",
    "model/mlp.yaml": "seed: 1\n",
    "at_scale/cpu_mine.yaml": "seed: 1\n",
    "at_scale/cpu_bn_x30.yaml": "seed: 1\n",
}


@pytest.mark.parametrize("config_of", [merge, hydra_composition.config_of])
def test_a_bad_file_stands_in_the_way_of_nothing_else(write, config_of):
    write("experiment/mine.yaml", MINE)
    for path, text in BAD.items():
        write(path, text)
    assert compose(["experiment=mine"], config_of).name == "mine-smoke"
    assert compose(["experiment=bn_x30"], config_of).name == "bn_x30-smoke"
    assert compose(["model=inception"], config_of).name == "inception-digits-x1"
    for words, path in [
        (["experiment=bad"], "experiment/bad.yaml"),
        (["experiment=my-own"], "experiment/my-own.yaml"),
        (["experiment=bn_x5"], "experiment/bn_x5.yaml"),
        (["experiment=mine", "scale=bad"], "scale/bad.yaml"),
        (["experiment=mine", "scale=cpu"], "at_scale/cpu_mine.yaml"),
        (["experiment=bn_x30", "scale=cpu"], "at_scale/cpu_bn_x30.yaml"),
        ([], "model/mlp.yaml"),
    ]:
        with pytest.raises(ConfigError, match=path):
            compose(words, config_of)


def test_help_lists_the_files_of_ones_own_and_says_which_are_refused(tmp_path, write, capsys):
    write("experiment/mine.yaml", MINE.replace("activation", "# Mine.\nactivation", 1))
    write("experiment/fine.yaml", HEADER + "# Mine alone.\nseed: 1\n")
    write("experiment/bad.yaml", "seed: 1\n")
    for words in (["--config-dir", str(tmp_path)], [f"--config-dir={tmp_path}", "sed=1"]):
        os.environ.pop(CONFIG_DIRECTORY_VARIABLE)
        assert cli.main(["run", *words, "--help"]) == 0
        page = capsys.readouterr().out
        assert re.search(r"^    mine\b", page, re.MULTILINE)
        assert re.search(r"^    fine +Mine alone\.$", page, re.MULTILINE)
        refused = f" bad refused: {tmp_path}/experiment/bad.yaml: expected '{HEADER.strip()}'"
        assert refused in " ".join(page.split())


def test_the_files_that_help_shows_work(write, capsys):
    assert cli.main(["sweep", "--help"]) == 0
    page = capsys.readouterr().out
    assert f"{CONFIG_DIRECTORY_VARIABLE}=DIR" in page
    parts = re.findall(r"^  DIR/(\S+\.yaml).*\n((?:    .*\n?)+)", page, re.MULTILINE)
    assert [path for path, _ in parts] == ["experiment/mine.yaml", "study/mine.yaml"]
    for path, text in parts:
        write(path, textwrap.dedent(text))
    assert compose(["experiment=mine"]).config.model.width == 0.5
    assert len(study.planned_runs("mine")) == 4


def test_what_is_not_whole_is_refused_in_the_projects_own_words(write, capsys):
    write("model/mine.yaml", HEADER + "activation: elu\n")
    for words in (["run", "model=mine"], ["run", "model=mine", "--cfg", "job"]):
        assert cli.main(words) == 2
        said = "bnrepro: model.hidden_layers: expected a value; no file sets it\n"
        assert capsys.readouterr().err in (said, said.replace("hidden_layers", "name"))


def test_a_file_of_another_system_is_read_or_named(write, tmp_path):
    """Windows ends lines with two letters, and some of its editors begin with a mark."""
    write("experiment/mine.yaml", "")
    path = tmp_path / "experiment" / "mine.yaml"
    path.write_bytes(b"# @package _global_\r\nlearning_rate: 0.2\r\n")
    assert compose(["experiment=mine"]).config.learning_rate == 0.2
    path.with_name("marked.yaml").write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    with pytest.raises(ConfigError, match=r"marked.yaml: begins with a byte order mark; save it"):
        compose(["experiment=marked"])
