"""Every published run is found again by its config, and what renames runs changes nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bnrepro.config.composition import compose
from bnrepro.config.overrides import overrides_of
from bnrepro.records.record import FINISHED, find_runs, load_runs, read_record
from bnrepro.records.run_directory import find_finished

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "results" / "published"
sys.path.insert(0, str(ROOT / "scripts"))

import rename_runs  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (PUBLISHED / "runs").is_dir(), reason="the published runs are not here"
)


def words_again(directory):
    return overrides_of(yaml.safe_load((directory / "config.yaml").read_text()))


def firsts():
    """A run of each config: seeds differ in nothing else."""
    return sorted((PUBLISHED / "runs").glob("*"))


@pytest.mark.slow
def test_every_published_run_is_found_finished_by_its_config():
    for named in firsts():
        (first, *_) = sorted(named.glob("seed_*"))
        composition = compose([*words_again(first), f"results_dir={PUBLISHED}"])
        found = find_finished(composition)
        assert found is not None and found.name == composition.name == named.name
        labels = (found.experiment, found.scale)
        assert labels == (composition.experiment, composition.scale), named


@pytest.mark.parametrize("name", ["figure_1_bn", "mlp-mnist-x1-after-rate0.02-steps5000"])
def test_a_published_run_is_found_finished_by_its_config(name):
    directory = PUBLISHED / "runs" / name / "seed_0"
    found = find_finished(compose([*words_again(directory), f"results_dir={PUBLISHED}"]))
    assert found == read_record(directory)


def test_the_seeds_of_a_published_run_differ_in_nothing_else():
    for named in firsts():
        configs = [read_record(directory).config for directory in named.glob("seed_*")]
        for config in configs:
            config.update(seed=0, threads=1)
        assert all(config == configs[0] for config in configs), named


def test_records_of_schema_version_1_are_read():
    runs = load_runs(PUBLISHED)
    assert len(runs) == len(list(find_runs(PUBLISHED))) > 300
    assert set(runs["schema_version"]) == {1}
    assert set(runs["status"]) <= set(FINISHED)
    assert list(runs["name"]) == [Path(place).parent.name for place in runs["directory"]]


# Runs as they were recorded under names with a digest: of an experiment, of none, and as it is.
OLD_NAMES = {
    "figure_1_bn-420876c7": "figure_1_bn-rate0.05-no_percentiles",
    "cnn-mnist-x1-0b1d5682": "cnn-mnist-x1-after-sigmoid-steps5000-evaluate1000",
    "figure_1_bn": "figure_1_bn",
}


@pytest.fixture
def recorded_before(tmp_path):
    """A folder of results with copies of published runs under their old names."""
    for old, new in OLD_NAMES.items():
        for seed in ("seed_0", "seed_1"):
            copy = tmp_path / "runs" / old / seed
            shutil.copytree(PUBLISHED / "runs" / new / seed, copy)
            record = copy / "record.json"
            record.write_text(record.read_text().replace(f'"name": "{new}"', f'"name": "{old}"'))
    return tmp_path


def rename(folder, *flags):
    command = [sys.executable, str(ROOT / "scripts" / "rename_runs.py"), str(folder), *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def files_below(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_runs_under_old_names_become_the_published_ones(recorded_before):
    before = files_below(recorded_before)
    shown = rename(recorded_before, "--dry-run")
    assert files_below(recorded_before) == before
    done = rename(recorded_before)
    assert (done.returncode, done.stdout) == (0, shown.stdout)
    assert len(done.stdout.splitlines()) == 4
    after = files_below(recorded_before)
    assert sorted({str(place.parent.parent) for place in after}) == sorted(
        f"runs/{new}" for new in OLD_NAMES.values()
    )
    assert all((PUBLISHED / place).read_bytes() == content for place, content in after.items())
    again = rename(recorded_before)
    assert (again.returncode, again.stdout) == (0, "")
    assert files_below(recorded_before) == after


def test_a_run_without_a_record_goes_on_under_its_new_name(recorded_before):
    directory = recorded_before / "runs" / "figure_1_bn-420876c7" / "seed_0"
    (directory / "record.json").unlink()
    (directory / "checkpoint").mkdir()
    target = rename_runs.rename(directory)
    assert target.parent.name == "figure_1_bn-rate0.05-no_percentiles"
    assert (target / "checkpoint").is_dir() and not (target / "record.json").exists()


def test_no_run_is_put_over_another_one(recorded_before):
    taken = recorded_before / "runs" / "figure_1_bn-rate0.05-no_percentiles" / "seed_0"
    taken.mkdir(parents=True)
    done = rename(recorded_before)
    assert done.returncode == 1
    assert f"left as it is: {taken} is there already" in done.stderr
    assert (recorded_before / "runs" / "figure_1_bn-420876c7" / "seed_0" / "record.json").exists()
