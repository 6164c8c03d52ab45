"""Parts of one's own in words: found, hashed and named, without importing anything."""

import hashlib
import sys

import pytest
from own_modules import NORMS

from bnrepro import cli
from bnrepro.cli.summary import summary
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.config.group import members
from bnrepro.config.hydra_composition import config_of
from bnrepro.config.merging import merge
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, overrides_of, read_all
from bnrepro.config.study import plan
from bnrepro.records.again import command
from bnrepro.records.run_directory import recorded_config

WORD = "normalization=my_norms:RMSNorm"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder, with a module of one's own."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "my_norms.py").write_text(NORMS)
    monkeypatch.chdir(folder)
    return folder


def digest(**files):
    """SHA-256 over the files in the order of their names, each with its name and length."""
    parts = [f"{name}\0{len(text)}\0{text}" for name, text in sorted(files.items())]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def named(*words):
    return compose([*words]).config.normalization


def test_the_config_holds_the_digest_of_the_modules_source():
    expected = digest(**{"my_norms.py": NORMS})
    assert named(WORD) == f"my_norms:RMSNorm@{expected}"
    assert compose([WORD]).name == f"mlp-digits-RMSNorm-{expected[:8]}"
    assert "my_norms" not in sys.modules


def test_hydra_reads_the_same():
    assert compose([WORD], config_of) == compose([WORD])


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["model=inception", "bn=x5", WORD], "inception-digits-x5-RMSNorm-"),
        ([WORD, "placement=after", "learning_rate=0.5"], "mlp-digits-RMSNorm-"),
        (["model=my_norms:RMSNorm", "bn=none"], "RMSNorm-"),
        (["activation=my_norms:RMSNorm"], "mlp-digits-x1-RMSNorm-"),
        (["optimizer=my_norms:RMSNorm"], "mlp-digits-x1-RMSNorm-"),
    ],
)
def test_the_name_holds_the_parts_name_and_the_beginning_of_its_digest(words, start):
    beginning = digest(**{"my_norms.py": NORMS})[:8]
    assert compose(words).name.startswith(start + beginning)


def test_any_edit_of_the_source_is_another_run(here):
    before = compose([WORD])
    (here / "my_norms.py").write_text(NORMS.replace('"""Divides', '"""It divides'))
    assert compose([WORD]).name != before.name
    (here / "my_norms.py").write_text(NORMS)
    assert compose([WORD]) == before


def test_another_name_of_the_file_is_another_run(here):
    before = compose([WORD])
    (here / "my_norms.py").rename(here / "norms.py")
    assert compose(["normalization=norms:RMSNorm"]).name != before.name


def test_of_a_package_all_sources_count(here):
    package = here / "mine"
    (package / "deep").mkdir(parents=True)
    files = {"mine/__init__.py": NORMS, "mine/helper.py": "A = 1\n", "mine/deep/b.py": "B = 2\n"}
    for name, text in files.items():
        (here / name).write_text(text)
    (package / "notes.txt").write_text("counts for nothing")
    assert named("normalization=mine:RMSNorm") == f"mine:RMSNorm@{digest(**files)}"
    # A module of the package is one file.
    (package / "norms.py").write_text(NORMS)
    expected = digest(**{"mine/norms.py": NORMS})
    assert named("normalization=mine.norms:RMSNorm") == f"mine.norms:RMSNorm@{expected}"
    assert "mine" not in sys.modules


def test_the_current_folder_comes_before_the_users_and_this_before_pythons_path(
    here, tmp_path, monkeypatch
):
    versions = {}
    for place in ("path", "theirs"):
        (tmp_path / place).mkdir()
        text = f"{NORMS}# {place}\n"
        (tmp_path / place / "my_norms.py").write_text(text)
        versions[place] = f"my_norms:RMSNorm@{digest(**{'my_norms.py': text})}"
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path / "theirs"))
    assert named(WORD) == f"my_norms:RMSNorm@{digest(**{'my_norms.py': NORMS})}"
    (here / "my_norms.py").unlink()
    assert named(WORD) == versions["theirs"]
    monkeypatch.delenv(CONFIG_DIRECTORY_VARIABLE)
    assert named(WORD) == versions["path"]


def test_a_file_of_the_users_may_name_it(tmp_path, monkeypatch):
    (tmp_path / "experiment").mkdir()
    text = f"# @package _global_\n{WORD.replace('=', ': ')}\ntrain_steps: 7\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path))
    words = ["experiment=mine"]
    assert compose(words).config.normalization == named(WORD)
    assert compose(words, config_of) == compose(words)
    assert compose(words).name == "mine"


def test_a_sweep_plans_what_it_saw(here):
    """Its processes get the digest: a source that is edited meanwhile is refused, not mixed in."""
    first, _ = plan([WORD, "seed=0,1"])
    (here / "my_norms.py").write_text(f"{NORMS}# edited\n")
    words = [str(override) for override in first.overrides]
    assert compose(words) == first.composition


@pytest.mark.parametrize("left", ["as it was", "edited", "gone"])
def test_a_record_is_read_whatever_became_of_the_source(here, left):
    composition = compose([WORD, "placement=after"])
    recorded = recorded_config(composition.config)
    source = here / "my_norms.py"
    if left == "edited":
        source.write_text(f"{NORMS}# edited\n")
    if left == "gone":
        source.unlink()
    assert compose(overrides_of(recorded)) == composition
    # And what trains it again names the digest only where it must.
    again = command(recorded, [0])
    assert ("@" in again) == (left != "as it was")
    assert compose(again.split()[2:]).name == composition.name


def test_a_digest_may_be_written_by_its_beginning(here):
    whole = named(WORD)
    assert named(f"{WORD}@{whole.partition('@')[2][:8]}") == whole
    (here / "my_norms.py").write_text(f"{NORMS}# edited\n")
    with pytest.raises(ConfigError, match="my_norms.py is not what it was"):
        named(f"{WORD}@{whole.partition('@')[2][:8]}")


@pytest.mark.parametrize(
    ("text", "word", "message"),
    [
        (None, "my_norms:RMSnorm", "has no RMSnorm; did you mean 'RMSNorm'?"),
        (None, "my_norms:Other", "has no Other; it has keras, ops, RMSNorm"),
        (None, "my_nrms:RMSNorm", "no module my_nrms in the current folder"),
        (None, "my_norms.inner:RMSNorm", "no module my_norms.inner in the current folder"),
        (None, "my_norms:", "expected module:Name of your own"),
        (None, ":RMSNorm", "expected module:Name of your own"),
        (None, "./my_norms.py:RMSNorm", "expected module:Name of your own"),
        (None, f"my_norms:{'A' * 41}", "expected a name of at most 40 letters"),
        ("class RMSNorm(:\n", "my_norms:RMSNorm", "line 1: cannot be read as Python"),
        ("\0", "my_norms:RMSNorm", "cannot be read as Python"),
        (b"# \xff\n", "my_norms:RMSNorm", "cannot be read as Python"),
        ("", "my_norms:RMSNorm", "has no RMSNorm; it has no names"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_imported(here, text, word, message):
    if text is not None:
        raw = text if isinstance(text, bytes) else text.encode()
        (here / "my_norms.py").write_bytes(raw)
    with pytest.raises(ConfigError) as refusal:
        compose([f"normalization={word}"])
    assert message in str(refusal.value)
    assert str(refusal.value).startswith("normalization=")
    assert "my_norms" not in sys.modules


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_run_of_a_source_that_changed_or_is_gone_is_refused_at_once(here, command):
    word = f"normalization={named(WORD)}"
    assert callable(cli.parse([command, word]))
    (here / "my_norms.py").write_text(f"{NORMS}# edited\n")
    with pytest.raises(ConfigError, match="my_norms.py is not what it was .*, now .*put that back"):
        cli.parse([command, word])
    (here / "my_norms.py").unlink()
    with pytest.raises(ConfigError, match="there is no module my_norms in the current folder"):
        cli.parse([command, word])


def test_a_person_is_shown_the_beginning_of_a_digest():
    whole = named(WORD).partition("@")[2]
    (override,) = read_all([WORD])
    assert override.brief == f"{WORD}@{whole[:8]}"
    assert whole in str(override)
    text = summary(compose([WORD, "activation=my_norms:RMSNorm"]), 300)
    assert f"my_norms:RMSNorm@{whole[:8]}" in text and whole not in text


def test_an_own_momentum_is_one_for_a_group():
    words = ["optimizer=my_norms:RMSNorm", "backend=jax", "optimizer.momentum=0.5,0.9"]
    with pytest.raises(ConfigError, match="with several optimizer.momentum: expected one value"):
        members(words, merge)
    assert len(members([*words[:2], "seed=0,1"], merge)) == 2


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("normalization=RMSNorm", "noise, or module:Name of your own"),
        ("model=of_units", "lstm, mlp, vgg_a, or module:Name of your own"),
        ("bn=my_norms:RMSNorm", "bn=my_norms:RMSNorm: expected one of none, x1, x30, x5"),
        ("schedule=my_norms:RMSNorm", "schedule=my_norms:RMSNorm: expected one of"),
    ],
)
def test_what_takes_parts_says_so_and_what_does_not_refuses_them(word, message):
    with pytest.raises(ConfigError) as refusal:
        compose([word])
    assert message in str(refusal.value)
