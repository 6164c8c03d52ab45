"""What a run was trained on is kept for each of its stretches, and said where it changes."""

import hashlib
import subprocess
from dataclasses import replace
from importlib import metadata

import pytest
from hand_made_records import ENVIRONMENT, RECORD

from bnrepro.config.composition import run_directory
from bnrepro.config.overrides import read_all
from bnrepro.config.study import plan
from bnrepro.records import environment as environments
from bnrepro.records.environment import environment
from bnrepro.records.record import read_record, write_record
from bnrepro.records.run_directory import recorded_config
from bnrepro.records.stretches import changes, continued, not_in_one, resumed_line, write_patch
from bnrepro.sweep.outcome import leave_failed_record

NOW = {**ENVIRONMENT, "patch_sha256": None, "variables": {"NPROC": "1"}, "started": "today"}
OTHERS = [
    ({"commit": "fedcba9876543210"}, "commit 0123456, now fedcba9"),
    ({"dirty": True, "patch_sha256": "ab" * 32},
     "commit 0123456, now 0123456 with changes abababa"),
    ({"versions": {**NOW["versions"], "keras": "4"}}, "keras 3.15.1, now 4"),
    ({"versions": {**NOW["versions"], "jax": "1"}}, "jax none, now 1"),
    ({"packages_sha256": "cd" * 32}, "packages none, now cdcdcdc"),
    ({"variables": {"NPROC": "1", "XLA_FLAGS": "--a"}}, "XLA_FLAGS none, now --a"),
    ({"variables": {}}, "NPROC 1, now none"),
    ({"device": "NVIDIA H100"}, "device CPU: hand-made, now NVIDIA H100"),
]  # fmt: skip


def test_a_run_that_goes_on_in_an_equal_environment_has_one_stretch_and_says_nothing():
    first = continued([], NOW, 0)
    later = {**NOW, "started": "tomorrow", "overrides": ["a"], "memory_gib": 9.0, "system": "new"}
    assert continued(first, later, 500) == first == [{"from_step": 0, **NOW}]
    assert resumed_line(first, 500) is None


@pytest.mark.parametrize(("other", "said"), OTHERS)
def test_other_code_versions_or_variables_are_said_in_a_line_and_both_are_kept(other, said):
    stretches = continued(continued([], NOW, 0), {**NOW, **other}, 500)
    assert stretches == [{"from_step": 0, **NOW}, {"from_step": 500, **NOW, **other}]
    line = resumed_line(stretches, 500)
    assert line == f"trained up to here under {said}; the record keeps both"


def test_a_stretch_without_a_step_is_left_out():
    first, other = continued([], NOW, 0), {**NOW, "commit": "other"}
    assert continued(continued(first, other, 500), NOW, 500) == first
    assert continued(first, other, 0) == [{"from_step": 0, **other}]


def test_what_an_older_version_did_not_keep_is_said_to_be_unknown():
    stretches = continued([], NOW, 500)
    assert resumed_line(stretches, 500) == (
        "what trained it up to here is not recorded; from here on it is"
    )
    record = replace(RECORD, environment=stretches[0])
    assert not_in_one(record) == "unknown before step 500"


def test_of_a_record_it_is_known_whether_it_was_trained_in_one_environment():
    assert not_in_one(RECORD) is None
    first, second = {"from_step": 0, **NOW}, {"from_step": 1500, **NOW, **OTHERS[0][0]}
    third = {**second, "from_step": 1700, "versions": {}}
    record = replace(RECORD, environment=third, earlier_environments=[first, second])
    assert not_in_one(record) == (
        "from step 1,500: commit; from step 1,700: bnrepro, keras, numpy, python"
    )


def test_a_record_from_before_has_no_earlier_environments(tmp_path):
    whole = replace(RECORD, config={**RECORD.config, "seed": RECORD.seed})
    directory = run_directory(tmp_path, RECORD.name, RECORD.seed)
    directory.mkdir(parents=True)
    write_record(directory, whole)
    path = directory / "record.json"
    text = path.read_text().replace('  "earlier_environments": [],\n', "")
    assert "earlier" not in text
    path.write_text(text)
    assert read_record(directory) == whole


def test_the_environment_says_all_that_there_is_to_know_and_no_place():
    given = read_all(["train_steps=1e3", "results_dir=mine", "seed=3"])
    found = environment("jax", 1, "jax loop", "AMD EPYC", given)
    assert found["overrides"] == ["results_dir=(a path)", "seed=3", "train_steps=1e3"]
    assert found["started"].endswith("+00:00") and found["memory_gib"] > 0
    assert found["system"] and found["device"] == "AMD EPYC"
    assert set(found) > {"commit", "dirty", "patch_sha256", "versions", "driver", "variables"}
    lines = {
        f"{one.metadata['Name'].lower().replace('_', '-').replace('.', '-')}=={one.version}\n"
        for one in metadata.distributions()
    }
    text = "".join(sorted(lines)).removesuffix("\n")
    assert found["packages_sha256"] == hashlib.sha256(text.encode()).hexdigest()


def test_a_run_that_was_killed_in_a_sweep_keeps_its_environments(tmp_path):
    (run,) = plan(["train_steps=10", f"results_dir={tmp_path}"])
    run.directory.mkdir(parents=True)
    kept = {"environment": {**NOW, "from_step": 5}, "earlier_environments": [NOW]}
    config = recorded_config(run.composition.config)
    begun = replace(RECORD, name=run.name, seed=run.seed, config=config, status="running", **kept)
    write_record(run.directory, begun)
    leave_failed_record(run, "killed")
    record = read_record(run.directory)
    assert record.status == "failed"
    assert {name: getattr(record, name) for name in kept} == kept


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A clean checkout that is taken for bnrepro's; a function of words for git."""
    root = tmp_path / "checkout"
    (root / "bnrepro").mkdir(parents=True)
    monkeypatch.setattr(environments, "_root", lambda: root)

    def git(*words):
        person = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", root, *person, *words], check=True, capture_output=True)

    def forget():
        for function in (
            environments._commit,
            environments.uncommitted_patch,
            environments.software,
        ):
            function.cache_clear()

    (root / "bnrepro" / "code.py").write_text("one\n")
    (root / "bnrepro" / "gone.py").write_text("gone\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    forget()
    yield root, git, forget
    forget()


def test_of_a_dirty_checkout_the_patch_makes_the_code_of_the_commit(checkout, tmp_path):
    root, git, forget = checkout
    assert environments.uncommitted_patch() == b""
    (root / "bnrepro" / "code.py").write_text("two\n")
    (root / "bnrepro" / "gone.py").unlink()
    (root / "bnrepro" / "new file.py").write_bytes(b"new\n\0binary")
    (root / "notes.txt").write_text("no code")
    forget()
    now = environment("jax", 1, "loop", "a processor")
    assert now["dirty"]
    write_patch(tmp_path, continued([], now, 0))
    patch = tmp_path / "uncommitted.patch"
    assert hashlib.sha256(patch.read_bytes()).hexdigest() == now["patch_sha256"]
    files = {path.name: path.read_bytes() for path in (root / "bnrepro").iterdir()}
    git("stash", "--include-untracked")
    git("apply", str(patch))
    assert {path.name: path.read_bytes() for path in (root / "bnrepro").iterdir()} == files


def test_a_stretch_of_other_code_has_a_patch_of_its_own_and_clean_code_none(checkout, tmp_path):
    root, _, forget = checkout
    stretches = []
    for step, text in enumerate(["one\n", "two\n", "three\n", "two\n"]):
        (root / "bnrepro" / "code.py").write_text(text)
        forget()
        stretches = continued(stretches, environment("jax", 1, "loop", "a processor"), step)
        write_patch(tmp_path, stretches)
    names = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert names == {"uncommitted_from_1.patch", "uncommitted_from_2.patch"}
    assert [list(changes(*pair)) for pair in zip(stretches, stretches[1:], strict=False)] == [
        ["commit"]
    ] * 3
