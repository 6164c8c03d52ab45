"""Names of folders and files: `~`, umask, quotes, lengths; each works or is refused by name."""

import os
import stat
import subprocess
import sys

import pytest

from bnrepro import cli
from bnrepro.config import ConfigError
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
