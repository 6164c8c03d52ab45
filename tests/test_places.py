"""Names of folders and files: `~`, umask, quotes, lengths; each works or is refused by name."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest
from hand_made_records import HandMade, write_run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from test_cli_bad_input import elsewhere

from bnrepro import cli, data
from bnrepro.config import ConfigError, DataConfig
from bnrepro.config.composition import compose
from bnrepro.data.source import data_root
from bnrepro.records.record import write_atomically

FILE = "# @package _global_\nlearning_rate: 0.2\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_tilde_is_expanded_alike_everywhere(home, monkeypatch, capsys):
    (home / "c" / "experiment").mkdir(parents=True)
    (home / "c" / "experiment" / "mine.yaml").write_text(FILE + "results_dir: ~/there\n")
    config = compose(["results_dir=~/r", "data.root='~/d'"]).config
    assert (config.results_dir, config.data.root) == (f"{home}/r", f"{home}/d")
    monkeypatch.setenv("BNREPRO_DATA", "~/data")
    assert data_root(None) == home / "data"
    monkeypatch.setenv("BNREPRO_CONFIG_DIR", "~/c")
    assert compose(["experiment=mine"]).config.results_dir == f"{home}/there"
    assert cli.main(["run", "--config-dir=~/c", "experiment=mine", "--cfg", "job"]) == 0
    assert "learning_rate: 0.2" in capsys.readouterr().out


def test_a_folder_that_is_called_tilde_is_not_expanded(home):
    assert compose(["results_dir=./~"]).config.results_dir == "./~"


def test_the_home_of_nobody_is_refused():
    with pytest.raises(ConfigError, match="~nobody-of-this-name has no home here"):
        compose(["results_dir=~nobody-of-this-name/r"])


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o002, 0o664), (0o022, 0o644)])
def test_files_have_the_permissions_of_the_umask(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "record.json", "{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "record.json").stat().st_mode) == mode
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["o'neil", 'a"b', "a,b=c", "[a]", "{a: b}", "50%", "ü", "a b",
                                  "\\", "a\\'", "$HOME", "#", "-x", "~x", "(a)"])  # fmt: skip
def test_any_name_of_a_config_directory_works(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BNREPRO_CONFIG_DIR", "")
    folder = tmp_path / name / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(FILE)
    directory = f"--config-dir={tmp_path / name}"
    assert cli.main(["run", directory, "experiment=mine", "--cfg", "job"]) == 0
    assert "learning_rate: 0.2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["lr=0.2,bs=60", "a b", "it's", "[a]", "(x)", "a-b", "m" * 200, "50%", "ü", "{a}"]
)
def test_a_file_whose_name_cannot_be_a_runs_is_refused_alone(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BNREPRO_CONFIG_DIR", str(tmp_path))
    folder = tmp_path / "experiment"
    folder.mkdir()
    for stem in (name, "plain"):
        (folder / f"{stem}.yaml").write_text(FILE)
    assert cli.main(["run", "experiment=plain", "--cfg", "job"]) == 0
    capsys.readouterr()
    assert cli.main(["run", f'experiment="{name}"', "--cfg", "job"]) == 2
    assert f"{name}.yaml: expected" in capsys.readouterr().err


def test_a_current_folder_that_is_deleted_is_said(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'cd "{gone}" && rmdir "{gone}" && "{sys.executable}" -m bnrepro run --cfg job'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "bnrepro: the current folder has been deleted; change to another with `cd`\n"
    )


# What a shell, YAML, Hydra, a terminal or a file system takes for something else.
PIECES = ["a", "b", "1", "0100", "null", "true", "-", "--", ".", "~", "'", '"', ",", "=", "[", "]",
          "{", "}", "(", ")", "<", ">", "%", "%s", "$", "${seed}", "#", "\\", ":", ": ", ";", "*",
          "?", "!", "&", "@", "|", " ", "\t", "\n", "\r", "\x1b[31m", "\u202e", "\u00e9", "e\u0301",
          "\u65e5", "\U0001f600"]  # fmt: skip
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)
NAMES = NAMES.filter(lambda name: not name.startswith("."))


def any_name(test):
    """For names of all kinds, the longest and both normal forms among them."""
    for name in ("m" * 200, "caf\u00e9", "cafe\u0301", "-x", "a b ", " a", "a\nb", "'a'", "a,b=c"):
        test = example(name)(test)
    return settings(max_examples=20, deadline=None)(given(NAMES)(test))


def refused(error):
    """Whether it is one line that a terminal shows as it is."""
    line = cli.line_of(error)
    return line.isprintable() and len(line) > len("bnrepro: ") + 5


@any_name
def test_any_folder_of_a_key_is_the_one_that_was_named_or_is_refused(name):
    for key in ("results_dir", "data.root"):
        with elsewhere() as folder:
            try:
                config = compose([f"{key}=./{name}"]).config
            except ConfigError as error:
                assert refused(error) and key in str(error)
                continue
            found = config.results_dir if key == "results_dir" else config.data.root
            assert found == f"./{name}"
            assert list(folder.iterdir()) == []


@any_name
def test_records_in_a_folder_of_any_name_are_shown_or_it_is_refused(name):
    with elsewhere() as folder:
        write_run(str(folder / name), compose(["model=mlp"]), HandMade(lambda step: 0.5))
        try:
            assert cli.parse(["table", f"results_dir=./{name}"])() == 0
        except ConfigError as error:
            assert refused(error) and "results_dir" in str(error)


@pytest.mark.slow
@any_name
def test_any_config_directory_that_can_be_printed_works(name):
    with elsewhere() as folder:
        (folder / name / "experiment").mkdir(parents=True)
        (folder / name / "experiment" / "mine.yaml").write_text(FILE)
        words = ["run", f"--config-dir=./{name}", "experiment=mine", "--cfg", "job"]
        try:
            assert cli.parse(words)() == 0
        except ConfigError as error:
            assert refused(error) and "control characters" in str(error)
            assert not name.isprintable()


STUDY = 'question: Why?\nruns: [{overrides: ["bn=none"], seeds: [0]}]\n'


@pytest.mark.slow
@any_name
def test_a_file_of_any_name_works_or_is_refused_alone(name):
    for group, text in (("experiment", FILE), ("study", STUDY)):
        command = {"experiment": ["run", "--cfg", "job"], "study": ["sweep", "--dry-run"]}[group]
        with elsewhere() as folder:
            (folder / group).mkdir()
            for stem in (name, "plain"):
                (folder / group / f"{stem}.yaml").write_text(text)
            words = [*command, "--config-dir=."]
            assert cli.parse([*words, f"{group}=plain"])() == 0
            assert cli.parse(["run", "--config-dir=.", "--help"])() == 0
            try:
                assert cli.parse([*words, f"{group}={name}"])() == 0
            except ConfigError as error:
                assert refused(error) and group in str(error)


@any_name
def test_a_class_of_any_name_is_read(name):
    with elsewhere() as folder:
        for kind in (name, "other"):
            (folder / "images" / kind).mkdir(parents=True)
            for number in range(5):
                picture = Image.fromarray(np.full((8, 8, 3), number, np.uint8))
                picture.save(folder / "images" / kind / f"{number}.png")
        root = str(folder / "images")
        dataset = data.load(DataConfig("image_folder", root, False, 8, "test", True, 4))
        assert dataset.class_names == tuple(sorted((name, "other")))
